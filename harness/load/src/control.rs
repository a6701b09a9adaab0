//! Starting the engine threads together, keeping the time for the caller, and putting the parts together.
//!
//! The controlling thread sleeps between the few instants at which it has something to say: it may share its CPU with
//! the server.

use std::{
    cell::RefCell,
    panic,
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant, SystemTime},
};

use serde::Serialize;

use crate::{
    bounds,
    clock::wall_clock,
    engine::{self, Assignment, Board, LiveCounts, ThreadReport},
    outcome::{Outcome, StreamOutcome},
    plan::Plan,
    plan_error::PlanError,
    run_error::RunError,
    stamps,
    stop::{StopHandle, wait_for},
};

/// How long before its start a run is announced to the engine threads, so that all begin at one instant.
const LEAD: Duration = Duration::from_millis(5);

/// Is told about a run by the thread that called [`run`], never by an engine thread. `()` is one that ignores it all.
pub trait Observer {
    /// The run starts at this instant, soon. Said once, before anything is sent.
    fn run_starts(&self, at: Instant) {
        let _ = at;
    }

    /// The measuring window opens now.
    fn window_opened(&self) {}

    /// The measuring window closes now: at its planned end, or when an interrupted run has come to its end.
    fn window_closed(&self) {}

    /// How far the run is.
    fn progress(&self, progress: &Progress) {
        let _ = progress;
    }
}

impl Observer for () {}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Progress {
    /// Where in the run.
    pub phase: Phase,
    /// Time since the run's start.
    pub elapsed: Duration,
    /// Warm-up and window together: what the run takes when the drain is short.
    pub planned: Duration,
    /// Right answers since the start.
    pub ok: u64,
    /// Errors of all kinds since the start.
    pub errors: u64,
    /// Requests sent and unanswered.
    pub in_flight: u64,
    /// Requests due and unsent.
    pub queued: u64,
    /// Since the last progress, where [`Plan::live`] is set; `None` where nothing happened.
    pub lately: Option<Lately>,
}

/// What was answered, and sent, since the last progress. To 3%, for the eye; the outcome has the exact figures.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[non_exhaustive]
pub struct Lately {
    /// Right answers.
    pub ok: u64,
    /// Over what time.
    pub over: Duration,
    /// Median response time in nanoseconds.
    pub p50_ns: u64,
    /// 99th percentile of the response time in nanoseconds.
    pub p99_ns: u64,
    /// 99th percentile of the schedule lag in nanoseconds; `None` for closed loops.
    pub lag_p99_ns: Option<u64>,
}

/// The parts of a run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// Load without recording.
    WarmUp,
    /// Requests due now are recorded.
    Window,
    /// No new requests; those of the window are waited for.
    Drain,
}

/// Runs `plan` and returns what it found. Errors of the server are part of the outcome, never of the result.
///
/// # Errors
/// The plan makes no sense, or the system refuses a thread, a CPU or epoll.
///
/// # Panics
/// When the caller's own check, hook, observer or witness does.
pub fn run(plan: &Plan, observer: &dyn Observer, stop: &StopHandle) -> Result<Outcome, RunError> {
    plan.validate()?;
    bounds::check(plan)?;
    let start_at = plan.start_at.map(instant_of).transpose()?;
    if let Some(start) = start_at {
        let head_start = plan.connect_within.min(LONGEST_HEAD_START);
        wait_for(start.checked_sub(head_start).unwrap_or(start), stop);
    }
    if plan.stamps {
        // On this thread: the first time takes some milliseconds, which an engine thread at raised priority must not.
        stamps::are_available();
    }
    let boards: Vec<Board> = (0..plan.threads()).map(|_| Board::default()).collect();
    let reports = thread::scope(|scope| {
        let (ready, readiness) = mpsc::channel();
        let (running, ended) = mpsc::channel::<()>();
        let mut starts = Vec::new();
        let mut threads = Vec::new();
        for (index, board) in (0_u32..).zip(&boards) {
            let (start, told) = mpsc::channel();
            starts.push(start);
            let assignment = Assignment { plan, index, stop, board, ready: ready.clone(), start: told };
            let running = running.clone();
            let body = move || {
                let report = engine::run(assignment);
                drop(running);
                report
            };
            let thread = thread::Builder::new().name(format!("load-{index}")).spawn_scoped(scope, body);
            threads.push(thread.map_err(|error| RunError::System { action: "start a thread", error })?);
        }
        drop((ready, running));
        let all_ready = readiness.iter().collect::<Result<Vec<()>, RunError>>()?.len() == threads.len();
        let soon = Instant::now() + LEAD;
        let start = start_at.map_or(soon, |start| start.max(soon));
        if all_ready {
            // Whoever starts with others starts with them or not at all.
            let late = start_at.map_or(Duration::ZERO, |asked| start.saturating_duration_since(asked));
            if !late.is_zero() && !stop.is_stopped() {
                return Err(PlanError::TooSoon(late).into());
            }
            if let Some(witness) = &plan.witness {
                witness.run_starts(wall_clock(start));
            }
            observer.run_starts(start);
            starts.iter().for_each(|told| {
                // A thread that is gone shows when it is joined.
                let _ = told.send(start);
            });
            Watch { plan, observer, start, ended, boards: &boards, seen: RefCell::new(Seen::at(start)) }
                .keep();
        }
        drop(starts);
        let join = |thread: thread::ScopedJoinHandle<'_, _>| {
            thread.join().unwrap_or_else(|cause| panic::resume_unwind(cause))
        };
        threads.into_iter().map(join).collect::<Result<Vec<ThreadReport>, RunError>>()
    })?;
    Ok(combine(plan, reports))
}

/// Tells the observer what time it is.
struct Watch<'a> {
    plan: &'a Plan,
    observer: &'a dyn Observer,
    start: Instant,
    /// Closed when every engine thread has ended.
    ended: Receiver<()>,
    boards: &'a [Board],
    /// What had been seen when progress was told last.
    seen: RefCell<Seen>,
}

struct Seen {
    at: Instant,
    ok: u64,
    response: LiveCounts,
    lag: LiveCounts,
}

impl Seen {
    fn at(start: Instant) -> Self {
        Self { at: start, ok: 0, response: LiveCounts::none(), lag: LiveCounts::none() }
    }
}

impl Watch<'_> {
    fn keep(&self) {
        let opens = self.start + self.plan.warm_up;
        let closes = opens + self.plan.window;
        // A run of few requests may be over before this thread, which has no CPU of its own, is awake again.
        if self.wait_until(opens, Phase::WarmUp) && Instant::now() < opens {
            return;
        }
        self.observer.window_opened();
        let ended = self.wait_until(closes, Phase::Window);
        self.observer.window_closed();
        if !ended {
            self.wait_until(closes + self.plan.drain() + self.plan.timeout, Phase::Drain);
        }
    }

    /// Sleeps until `until`, speaking of progress now and then. True when all engine threads ended before.
    fn wait_until(&self, until: Instant, phase: Phase) -> bool {
        let every = self.plan.progress_every.max(Duration::from_millis(10));
        loop {
            let now = Instant::now();
            if now >= until {
                return false;
            }
            // Progress is told at whole multiples since the start, so that phases do not shift it.
            let elapsed = now.saturating_duration_since(self.start);
            let periods = elapsed.as_nanos() / every.as_nanos() + 1;
            let next = self.start + every * u32::try_from(periods).unwrap_or(u32::MAX);
            match self.ended.recv_timeout(next.min(until).saturating_duration_since(now)) {
                Ok(()) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return true,
            }
            if Instant::now() >= next {
                self.observer.progress(&self.progress(phase));
            }
        }
    }

    fn progress(&self, phase: Phase) -> Progress {
        let shown = Board::sum(self.boards);
        Progress {
            phase,
            elapsed: self.start.elapsed(),
            planned: self.plan.warm_up + self.plan.window,
            ok: shown.ok,
            errors: shown.errors,
            in_flight: shown.in_flight,
            queued: shown.queued,
            lately: if self.plan.live { self.lately(shown.ok) } else { None },
        }
    }

    fn lately(&self, ok: u64) -> Option<Lately> {
        let mut now = Seen { ok, ..Seen::at(Instant::now()) };
        for board in self.boards {
            board.response.add_to(&mut now.response);
            board.lag.add_to(&mut now.lag);
        }
        let then = self.seen.replace(now);
        let now = self.seen.borrow();
        Some(Lately {
            ok: now.ok.saturating_sub(then.ok),
            over: now.at.saturating_duration_since(then.at),
            p50_ns: now.response.quantile_since(&then.response, 0.5)?,
            p99_ns: now.response.quantile_since(&then.response, 0.99)?,
            lag_p99_ns: now.lag.quantile_since(&then.lag, 0.99),
        })
    }
}

/// How long before a start that was fixed beforehand connections are opened at most: servers close idle ones.
const LONGEST_HEAD_START: Duration = Duration::from_secs(2);

fn instant_of(start: SystemTime) -> Result<Instant, PlanError> {
    match start.duration_since(SystemTime::now()) {
        Ok(ahead) => Instant::now()
            .checked_add(ahead)
            .ok_or(PlanError::TooLong { what: "time until the start", time: ahead }),
        Err(past) => Err(PlanError::Past(past.duration())),
    }
}

/// Merges what the threads saw, stream by stream.
fn combine(plan: &Plan, reports: Vec<ThreadReport>) -> Outcome {
    let interrupted = reports.iter().any(|report| report.interrupted);
    let mut merged: Vec<Option<StreamOutcome>> = plan.streams.iter().map(|_| None).collect();
    let mut threads = Vec::new();
    let steps = reports.iter().filter_map(|report| report.clock_step_ns);
    let clock_step_ns = steps.max_by_key(|step_ns| step_ns.unsigned_abs());
    for report in reports {
        threads.push(report.thread);
        for (stream, outcome) in report.streams {
            match &mut merged[stream] {
                Some(sum) => sum.merge(&outcome),
                first => *first = Some(outcome),
            }
        }
    }
    let mut streams: Vec<_> = merged.into_iter().flatten().collect();
    // What is found is about this generator's part of the load.
    if plan.part.of > 1 {
        let part = 1.0 / f64::from(plan.part.of);
        streams.iter_mut().for_each(|stream| stream.pacing = stream.pacing.times(part));
    }
    let window_s = streams.iter().map(|stream| stream.window_s).fold(0.0, f64::max);
    Outcome { streams, threads, interrupted, window_s, seed: plan.seed, clock_step_ns }
}
