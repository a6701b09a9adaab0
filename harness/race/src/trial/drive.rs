//! Drives the generator against a running server and turns what it found, with the kernel's counters of the same
//! window, into the figures of a record.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use crate::{
    plan::{
        cpu_plan::CpuPlan,
        resolve::{Resolved, ResolvedStream},
        scenario::Placement,
    },
    programs::{
        context::Context,
        instance::{Instance, InstanceError},
    },
    records::record::{GeneratorRecord, Measured, SelfChecks, StreamRecord},
    registry::{OperationName, Row, Tier},
    sample::{MachineSample, TreeSample},
    trial::{answers::RightAnswer, soundness},
};
use app::{Endpoint, Operation};
use host::class::SchedulingClass;
use load::{Observer, Outcome, Plan, Rate, Request, Stream, StreamOutcome, Wait};

/// How long opening all connections may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
/// How often the generator's controlling thread wakes to report progress. It shares CPUs with what is measured.
const PROGRESS_EVERY: Duration = Duration::from_secs(3600);

/// What is to be driven.
#[derive(Debug)]
pub struct Wanted<'a> {
    /// The load.
    pub load: &'a Resolved,
    /// Where the generator runs.
    pub cpus: &'a CpuPlan,
    /// Seed of the arrivals.
    pub seed: u64,
}

/// Asks the server once for each endpoint that its row serves, and checks the answers.
///
/// # Errors
/// The first wrong answer.
pub fn check_answers(instance: &Instance, row: &Row) -> Result<(), InstanceError> {
    let address = instance.address();
    // The origin is the contract's, which a program that is not this project's knows nothing of.
    let origin = instance.server().filter(|_| row.tier != Tier::Reference);
    let checked = if checks_everything(row) {
        conformance::check_answers(address, origin)
    } else {
        row.operations.iter().try_for_each(|operation| {
            let endpoint = match operation {
                OperationName::Simple => Endpoint::Simple,
                OperationName::Complex => Endpoint::Complex,
                OperationName::Randoms => Endpoint::Randoms,
            };
            conformance::check_endpoint(address, endpoint, origin)
        })
    };
    checked.map_err(|wrong| InstanceError::WrongAnswer(wrong.to_string()))
}

/// Whether a row is asked for every endpoint, and not just for the operations that it lists.
fn checks_everything(row: &Row) -> bool {
    match row.tier {
        Tier::Native => true,
        Tier::Reference => false,
        Tier::Controlled | Tier::Calibration => row.operations == OperationName::ALL,
    }
}

/// Loads the server, and measures.
///
/// # Errors
/// The generator could not do its work at all, or the server ended under load.
pub fn drive(context: &Context, instance: &Instance, wanted: &Wanted<'_>) -> Result<Measured, InstanceError> {
    let raised = wanted.cpus.placement == Placement::Shared && context.may_raise_priority;
    let plan = plan(instance, wanted, raised)?;
    let spins = plan.wait == Wait::Spin;
    let edges = Edges { guard: instance.guard_pid(), opened: Mutex::default(), closed: Mutex::default() };
    let outcome = load::run(&plan, &edges, context.interrupt.load())
        .map_err(|error| InstanceError::Generator(error.to_string()))?;
    let at = |edge: &Mutex<Option<Edge>>| edge.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (Some(opened), Some(closed)) = (at(&edges.opened), at(&edges.closed)) else {
        return Err(InstanceError::Generator("the window was never opened".to_owned()));
    };
    if let Some(stream) = outcome.streams.iter().find(|stream| stream.connections.unreachable) {
        let reason = format!("no connection for {} could be opened", stream.name);
        return Err(InstanceError::Generator(reason));
    }
    let server = closed.server.since(&opened.server);
    let right: u64 = outcome.streams.iter().map(|stream| stream.counts.ok_in_window).sum();
    let own_s: f64 = outcome.threads.iter().map(|thread| thread.cpu_time_s).sum();
    let accounted = Duration::from_nanos(server.cpu_ns) + Duration::from_secs_f64(own_s);
    let CpuPlan { server: server_cpus, generator: generator_cpus, .. } = wanted.cpus;
    let machine = opened.machine.zip(closed.machine);
    let machine = machine.map(|(then, now)| now.since(&then, server_cpus, generator_cpus, accounted));
    Ok(Measured {
        window_s: outcome.window_s,
        clock_step_ns: outcome.clock_step_ns,
        streams: outcome
            .streams
            .iter()
            .zip(&wanted.load.streams)
            .map(|(s, wanted)| stream_record(s, wanted))
            .collect(),
        server_cpu_per_request_us: server.cpu_ns as f64 / 1000.0 / right.max(1) as f64,
        server,
        server_life: None,
        workers: instance.workers(),
        unclean_end: None,
        generator: GeneratorRecord { spins, raised_priority: raised, ..generator_record(&outcome, right) },
        machine,
        load_average_before: None,
    })
}

fn plan(instance: &Instance, wanted: &Wanted<'_>, raised: bool) -> Result<Plan, InstanceError> {
    let host = instance.address().to_string();
    let stream = |stream: &ResolvedStream| {
        let request = Request::get(&target(stream.operation), &host);
        Ok(Stream::new(
            stream.name.clone(),
            request.map_err(|error| InstanceError::Generator(error.to_string()))?,
            Arc::new(RightAnswer::to(&stream.operation)),
            stream.pacing,
            u32::try_from(stream.connections).unwrap_or(u32::MAX),
        ))
    };
    let streams = wanted.load.streams.iter().map(stream).collect::<Result<Vec<_>, InstanceError>>()?;
    // An open loop must be on time, and a closed loop awake for answers that come at once: both poll where no other needs
    // the CPU.
    let open_loop = streams.iter().any(|stream| stream.pacing.is_open());
    let alone = wanted.cpus.placement == Placement::Split;
    let mut plan = Plan::new(instance.address(), streams);
    plan.cpus = wanted.cpus.generator.iter().collect();
    plan.wait = match (alone, open_loop) {
        (true, true) => Wait::Spin,
        (true, false) => Wait::Linger,
        (false, _) => Wait::Sleep,
    };
    plan.warm_up = wanted.load.warm_up;
    plan.window = wanted.load.window;
    plan.timeout = wanted.load.timeout;
    plan.connect_within = CONNECT_DEADLINE;
    plan.progress_every = PROGRESS_EVERY;
    plan.seed = wanted.seed;
    if raised {
        // Tried beforehand on another thread; if it fails here, the lag that follows invalidates the trial.
        plan.on_thread_start = Some(Arc::new(|_| drop(SchedulingClass::Fifo.apply_to_current_thread())));
    }
    Ok(plan)
}

/// What is asked for to have `operation` done.
fn target(operation: Operation) -> String {
    let path = operation.endpoint().paths()[0];
    match operation {
        Operation::Simple => path.to_owned(),
        Operation::Complex { iterations } => format!("{path}?iterations={iterations}"),
        Operation::Randoms { count, seed } => format!("{path}?count={count}&seed={seed}"),
        Operation::Delay { milliseconds } => format!("{path}?ms={milliseconds}"),
    }
}

/// Reads the kernel's counters at the two edges of the window.
struct Edges {
    guard: u32,
    opened: Mutex<Option<Edge>>,
    closed: Mutex<Option<Edge>>,
}

struct Edge {
    server: TreeSample,
    machine: Option<MachineSample>,
}

impl Edges {
    fn sample(&self) -> Option<Edge> {
        Some(Edge { server: TreeSample::below(self.guard), machine: MachineSample::take().ok() })
    }
}

impl Observer for Edges {
    fn window_opened(&self) {
        *self.opened.lock().unwrap_or_else(PoisonError::into_inner) = self.sample();
    }

    fn window_closed(&self) {
        *self.closed.lock().unwrap_or_else(PoisonError::into_inner) = self.sample();
    }
}

fn stream_record(stream: &StreamOutcome, wanted: &ResolvedStream) -> StreamRecord {
    let accounting = stream.accounting();
    StreamRecord {
        name: stream.name.clone(),
        connections: wanted.connections,
        offered_per_second: wanted.pacing.rate().map(Rate::peak_per_second),
        achieved_per_second: stream.achieved_per_second(),
        due: stream.counts.due,
        sent: stream.counts.sent,
        unsent: stream.counts.unsent_at_end,
        right: stream.counts.ok,
        late: stream.counts.late,
        censored: stream.censored(),
        errors: stream
            .errors
            .iter()
            .filter(|&(_, n)| n > 0)
            .map(|(kind, n)| (kind.name().to_owned(), n))
            .collect(),
        first_wrong: stream.first_wrong.as_ref().map(|wrong| format!("{}: {}", wrong.reason, wrong.excerpt)),
        response: stream.response_times().digest(),
        observed: stream.observed_times().digest(),
        timed_by_stamp_and_by_read: [stream.clocked.by_stamp, stream.clocked.by_read],
        service: stream.service.digest(),
        queue_wait: stream.queue_wait.digest(),
        // A closed loop has no schedule to be late for.
        lag: stream.lag.digest().filter(|_| stream.pacing.is_open()),
        littles_law_difference: accounting.littles_law_difference,
        accounts_agree: accounting.due_unaccounted == 0
            && accounting.sent_unaccounted == 0
            && accounting.observations_unaccounted == 0,
        reopened: stream.connections.reopened,
        answers_by_connection: [stream.connections.least_answers, stream.connections.most_answers],
        self_checks: Some(self_checks(stream)),
    }
}

fn self_checks(stream: &StreamOutcome) -> SelfChecks {
    SelfChecks {
        drawn_schedule: stream.drawn_schedule(),
        departures_distance: soundness::departures_of(stream).map(|(distance, _)| distance),
        stationarity: stream.stationarity(),
        serial: stream.serial.figures(),
    }
}

fn generator_record(outcome: &Outcome, right: u64) -> GeneratorRecord {
    let threads = &outcome.threads;
    let per_thread = |total: f64| total / threads.len().max(1) as f64;
    let per_request = |total: f64| total / right.max(1) as f64;
    let wall_s: f64 = threads.iter().map(|thread| thread.wall_s).sum();
    let calls: u64 = threads.iter().map(|thread| thread.waits + thread.reads + thread.writes).sum();
    GeneratorRecord {
        threads: threads.len(),
        busy: per_thread(threads.iter().map(|thread| thread.busy_share).sum()),
        spins: false,
        starved: threads.iter().map(|thread| thread.run_delay_s).sum::<f64>() / wall_s.max(f64::MIN_POSITIVE),
        cpu_per_request_us: per_request(threads.iter().map(|thread| thread.cpu_time_s * 1e6).sum()),
        involuntary_switches: threads.iter().map(|thread| thread.involuntary_switches).sum(),
        raised_priority: false,
        syscalls_per_request: per_request(calls as f64),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_asked_for_is_what_the_application_understands() {
        for operation in [
            Operation::Simple,
            Operation::Complex { iterations: 12 },
            Operation::Randoms { count: 3, seed: 4 },
            Operation::Delay { milliseconds: 5 },
        ] {
            let target = target(operation);
            let (path, query) = target.split_once('?').map_or((target.as_str(), None), |(p, q)| (p, Some(q)));
            assert_eq!(app::route("GET", path, query), Ok(app::Request::Operation(operation)));
        }
    }
}
