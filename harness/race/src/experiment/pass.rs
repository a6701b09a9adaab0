//! One pass of one row: its server alone, what it carries, then an open loop at a part of that with events in it.

use std::{
    sync::mpsc::{self, Sender},
    thread,
    time::{Duration, Instant},
};

use host::cpu_clock;
use load::{Observer, Outcome, Plan, StopHandle};

use super::{
    event::{Happened, Patience, strike},
    recorded::{self, Placed},
    subject::Subject,
};
use crate::{
    generators::order::Order,
    machine::edge::Accounts,
    measure::{
        drive::{self, Wanted as Driving, check_answers},
        figures::{Driven, measured},
        parts::Tallies,
        validity::judge,
    },
    plan::{
        budget::{CAPACITY_WARM_UP, CAPACITY_WINDOW},
        cpu_plan::CpuPlan,
        experiment::{AFTER_A_RELOAD, EventKind, Experiment},
        resolve::{Resolved, own_streams},
        scenario::{Placement, Scenario},
    },
    programs::{
        context::Context,
        instance::{InstanceError, Stopped},
    },
    records::{
        experiment::{EventRecord, ExperimentRecord, PassName, PassRecord, PrimaryRecord},
        window::Verdict,
    },
    registry::Row,
    server_host::{running::Running, this_host::ThisHost},
};

/// How long a lost connection waits at most before it is tried again: when a server is back is known to so much.
const LONGEST_PAUSE: Duration = Duration::from_millis(8);
/// So many events in a row that were not over in time, and no further one tells anything new.
const PROBLEMS_IN_A_ROW: usize = 3;
/// How often a thread that sleeps looks whether a person wants the run to end.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Which pass.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The scenario.
    pub scenario: &'a Scenario,
    /// What happens in it.
    pub experiment: &'a Experiment,
    /// The row.
    pub row: &'a Row,
    /// Its events.
    pub events: &'a [EventKind],
    /// Which of its passes.
    pub start: usize,
    /// Where server and generator run.
    pub cpus: &'a CpuPlan,
    /// Seed of the arrivals.
    pub seed: u64,
}

impl Wanted<'_> {
    /// What the log calls it.
    pub fn name(&self) -> PassName {
        PassName { scenario: self.scenario.name.clone(), row: self.row.name.clone(), start: self.start }
    }
}

/// What is told of an event as soon as it is over: its number from 1, its kind, and how it went.
pub type Told<'a> = &'a (dyn Fn(usize, EventKind, &str) + Sync);

/// Measures one pass; `None` where a person wants the run to end. A server that fails has a record all the same.
pub fn run(
    context: &Context,
    host: &ThisHost,
    wanted: Wanted<'_>,
    told: Told<'_>,
) -> Option<ExperimentRecord> {
    // Nothing of the harness runs on the server's CPUs, unless they are the generator's as well.
    let _pinned = wanted.cpus.generator.pin_current_thread().ok();
    let began = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
    let mut pass = Pass { context, host, wanted, told, record: blank(wanted, began) };
    let events = match pass.measure() {
        Ok(events) => events,
        Err(error) => {
            pass.record.verdict = Verdict::Failed { reason: error.to_string() };
            Vec::new()
        }
    };
    if context.interrupt.asked() {
        return None;
    }
    Some(ExperimentRecord { pass: pass.record, events })
}

fn blank(wanted: Wanted<'_>, began: String) -> PassRecord {
    PassRecord {
        of: wanted.name(),
        tier: wanted.row.tier,
        began,
        seed: wanted.seed,
        cpus: wanted.cpus.clone(),
        capacity_per_second: None,
        workers: None,
        planned: wanted.events.len(),
        events: 0,
        cut_short: None,
        verdict: Verdict::Valid { generator_bound: false },
        measured: None,
        reset: 0,
        closed_idle: 0,
        primary: None,
        life: None,
        unclean_end: None,
    }
}

struct Pass<'a> {
    context: &'a Context,
    host: &'a ThisHost,
    wanted: Wanted<'a>,
    told: Told<'a>,
    record: PassRecord,
}

impl Pass<'_> {
    fn measure(&mut self) -> Result<Vec<EventRecord>, InstanceError> {
        let Wanted { row, cpus, events, .. } = self.wanted;
        let asks = events.iter().any(|kind| kind.asked().is_some());
        let more = row.fault_args.as_deref().filter(|_| asks).unwrap_or_default();
        let mut subject = Subject::start(self.context, self.host, row, &cpus.server, more)?;
        let recorded = self.load(&mut subject);
        match subject.stop() {
            Ok(Some(Stopped { usage, unclean })) => {
                (self.record.life, self.record.unclean_end) = (usage, unclean);
            }
            Ok(None) => {}
            // That a crash left something behind is a result, and no reason to throw away what was measured.
            Err(error) => self.record.unclean_end = Some(error.to_string()),
        }
        recorded
    }

    fn load(&mut self, subject: &mut Subject<'_>) -> Result<Vec<EventRecord>, InstanceError> {
        let Wanted { scenario, experiment, row, events, cpus, seed, .. } = self.wanted;
        let running = &subject.alive()?.running;
        self.record.workers = running.workers();
        check_answers(running.address(), running.server(), row)?;
        let capacity = self.capacity(subject)?;
        self.record.capacity_per_second = Some(capacity);

        let load = Resolved {
            streams: own_streams(scenario, Some(capacity)),
            warm_up: scenario.warm_up,
            window: experiment.longest(events.len()),
            timeout: scenario.timeout,
        };
        let tallies = Tallies::of(&load);
        let raised = self.raises();
        let order = Order::whole(subject.address(), &load, cpus, raised, seed);
        let mut plan = order.plan(&tallies)?;
        plan.drain_within = Some(load.timeout);
        plan.timeline = true;
        plan.longest_pause = LONGEST_PAUSE;
        // One that read late would send on connections that the server has closed meanwhile.
        plan.reads_promptly = true;

        let failed = |error: &dyn std::fmt::Display| InstanceError::Generator(error.to_string());
        let primary = Primary::watch(subject);
        let before = self.host.edge(subject.alive()?.running.guard_pid()).map_err(|error| failed(&error))?;
        let (outcome, happened) = self.strike_under(&plan, subject)?;
        let guard = subject.alive().map_or(0, |alive| alive.running.guard_pid());
        let after = self.host.edge(guard).map_err(|error| failed(&error))?;
        self.record.primary = primary.and_then(Primary::account);

        let accounts = Accounts::between(&before, &after, &cpus.server, &cpus.generator, &outcome.threads);
        let driven = Driven { outcome: &outcome, load: &load, tallies: &tallies, spins: false, raised };
        let measured = measured(driven, accounts);
        self.record.verdict = judge(&measured, false);
        self.record.events = happened.len();
        let timeline = outcome.streams.first().and_then(|stream| stream.timeline.as_ref());
        let timeline = timeline.ok_or_else(|| failed(&"it kept no timeline"))?;
        self.record.reset = timeline.slices().map(|slice| u64::from(slice.reset)).sum();
        self.record.closed_idle = timeline.slices().map(|slice| u64::from(slice.closed_idle)).sum();
        let window_ns = (measured.window_s * 1e9).round() as u64;
        self.record.measured = Some(measured);
        Ok(recorded::events(&self.record.of, row.tier, happened, timeline, window_ns))
    }

    /// Whether the generator runs at raised priority.
    fn raises(&self) -> bool {
        self.wanted.cpus.placement == Placement::Shared && self.context.may_raise_priority
    }

    /// What the server carries in a closed loop on as many connections, right answers per second.
    fn capacity(&self, subject: &mut Subject<'_>) -> Result<f64, InstanceError> {
        let Wanted { scenario, row, cpus, .. } = self.wanted;
        let load = Resolved {
            streams: own_streams(scenario, None),
            warm_up: row.warm_up.max(CAPACITY_WARM_UP),
            window: CAPACITY_WINDOW,
            timeout: scenario.timeout,
        };
        let driving = Driving { load: &load, cpus, seed: 0 };
        let measured = drive::drive(self.context, &mut *subject.alive_mut()?.running, &driving)?;
        if self.context.interrupt.asked() {
            return Err(InstanceError::Generator("a person ended the run".to_owned()));
        }
        let stream = &measured.streams[0];
        if stream.right == 0 || measured.errors() > 0 {
            let (right, errors) = (stream.right, &stream.errors);
            return Err(InstanceError::WrongAnswer(format!("{right} right answers, errors {errors:?}")));
        }
        Ok(measured.answered_per_second(stream))
    }

    /// Loads the server as `plan` says, has the events happen, and closes the window behind the last of them.
    fn strike_under(
        &mut self,
        plan: &Plan,
        subject: &mut Subject<'_>,
    ) -> Result<(Outcome, Vec<Placed>), InstanceError> {
        let stop = StopHandle::new();
        let (says, hears) = mpsc::channel();
        let failed = |error: &dyn std::fmt::Display| InstanceError::Generator(error.to_string());
        thread::scope(|scope| {
            let handle = stop.clone();
            let load = scope.spawn(move || load::run(plan, &Starts(says), &handle));
            let mut happened = Vec::new();
            // Where it does not start, it says why when it is joined.
            if let Ok(start) = hears.recv() {
                happened = self.events(subject, start + plan.warm_up, &|| load.is_finished());
            }
            match self.context.interrupt.asked() {
                true => stop.stop(),
                false => stop.close(),
            }
            let outcome = load.join().map_err(|_| failed(&"its thread panicked"))?;
            Ok((outcome.map_err(|error| failed(&error))?, happened))
        })
    }

    /// The events, each at an edge of a slice: the first so long after `opens` as they are apart, the window's end as long after the last.
    fn events(
        &mut self,
        subject: &mut Subject<'_>,
        opens: Instant,
        is_over: &(dyn Fn() -> bool + Sync),
    ) -> Vec<Placed> {
        let Wanted { experiment: Experiment { every, deadline, .. }, events, .. } = self.wanted;
        let interrupt = &self.context.interrupt;
        let given_up = || interrupt.asked() || is_over();
        let raised = self.raises();
        let mut happened: Vec<Placed> = Vec::new();
        let mut problems = 0;
        let mut next = opens + *every;
        for (index, kind) in events.iter().enumerate() {
            if !sleep_until(at_an_edge(opens, next), &given_up) {
                self.record
                    .cut_short
                    .get_or_insert_with(|| "the load ended before the events did".to_owned());
                return happened;
            }
            match strike(subject, *kind, Patience { deadline: *deadline, raised, given_up: &given_up }) {
                Ok(event) => {
                    (self.told)(index + 1, *kind, &in_words(&event));
                    problems = if event.problem.is_some() { problems + 1 } else { 0 };
                    next = (event.at + *every).max(Instant::now() + AFTER_A_RELOAD);
                    let at_ns = event.at.saturating_duration_since(opens).as_nanos() as u64;
                    happened.push(Placed { happened: event, at_ns });
                }
                Err(impossible) => {
                    self.record.cut_short = Some(impossible.to_string());
                    break;
                }
            }
            if problems == PROBLEMS_IN_A_ROW {
                self.record.cut_short = Some(format!("{problems} events in a row did not go as they should"));
                break;
            }
        }
        sleep_until(at_an_edge(opens, next), &given_up);
        happened
    }
}

/// Tells when the run starts.
struct Starts(Sender<Instant>);

impl Observer for Starts {
    fn run_starts(&self, at: Instant) {
        // Whoever wanted to know waits for it.
        let _ = self.0.send(at);
    }
}

/// The first edge of a slice at `instant` or behind it.
fn at_an_edge(opens: Instant, instant: Instant) -> Instant {
    let since_ns = instant.saturating_duration_since(opens).as_nanos() as u64;
    opens + Duration::from_nanos(since_ns.next_multiple_of(load::SLICE_NS))
}

/// Sleeps until `instant`. False where it was given up before.
fn sleep_until(instant: Instant, given_up: &dyn Fn() -> bool) -> bool {
    loop {
        if given_up() {
            return false;
        }
        let left = instant.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return true;
        }
        thread::sleep(left.min(LOOK_EVERY));
    }
}

/// How an event went, for whoever waits.
fn in_words(event: &Happened) -> String {
    let ms = |time: Option<Duration>| time.map(|time| 1e3 * time.as_secs_f64());
    if let Some(problem) = &event.problem {
        return problem.clone();
    }
    match (ms(event.done), ms(event.replaced), ms(event.ended), &event.answer) {
        (Some(done), ..) => format!("done after {done:.0} ms"),
        (_, Some(replaced), ..) => format!("replaced after {replaced:.1} ms"),
        (_, _, Some(ended), _) => format!("ended after {ended:.1} ms"),
        (.., Some(answer)) => format!("answered {answer}, and lives on"),
        _ => "over".to_owned(),
    }
}

/// The process that watches over the workers, while it is the same.
struct Primary {
    pid: u32,
    began: Instant,
    used: Duration,
    started: u64,
}

impl Primary {
    fn watch(subject: &Subject<'_>) -> Option<Self> {
        let pid = subject.alive().ok()?.tree.primary().ok()??;
        let (began, used) = (Instant::now(), cpu_clock::of_process(pid)?);
        Some(Self { pid, began, used, started: started(pid)? })
    }

    /// What it used since; `None` if it ended.
    fn account(self) -> Option<PrimaryRecord> {
        let Self { pid, began, used, .. } = self;
        let (now, stretch) = (cpu_clock::of_process(pid)?, began.elapsed());
        if started(pid)? != self.started {
            return None;
        }
        let status = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?.status().ok()?;
        Some(PrimaryRecord {
            pid,
            stretch_ns: stretch.as_nanos() as u64,
            cpu_ns: now.saturating_sub(used).as_nanos() as u64,
            rss_kib: status.vmrss?,
            peak_rss_kib: status.vmhwm?,
        })
    }
}

/// When a process began: with its number it is nobody else.
fn started(pid: u32) -> Option<u64> {
    host::processes::stat(&format!("/proc/{pid}/stat")).ok()?.map(|stat| stat.starttime)
}
