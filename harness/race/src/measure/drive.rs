//! Drives the generator against a running server, with the kernel's accounts read before the load begins and after it has ended.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use crate::{
    measure::{
        answers::RightAnswer,
        figures::{Driven, measured},
        held::Held,
        parts::{Tallies, part_of, whole},
        ports,
        workers::Counted,
    },
    plan::{cpu_plan::CpuPlan, resolve::Resolved, scenario::Placement},
    programs::{context::Context, instance::InstanceError},
    records::window::Measured,
    registry::{OperationName, Row, Tier},
    server_host::running::Running,
};
use app::{Endpoint, Operation};
use host::class::SchedulingClass;
use load::{Plan, Request, Stream, Wait};

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

/// Asks the server at `address`, which calls itself `server`, once for each endpoint that its row serves, and checks the answers.
///
/// # Errors
/// The first wrong answer.
pub fn check_answers(address: SocketAddr, server: Option<&str>, row: &Row) -> Result<(), InstanceError> {
    // The origin is the contract's, which a program that is not this project's knows nothing of.
    let origin = server.filter(|_| row.tier != Tier::Reference);
    let checked = if checks_everything(row) {
        conformance::check_answers(address, origin)
    } else {
        row.operations.iter().try_for_each(|operation| {
            let endpoint = match operation {
                OperationName::Simple => Endpoint::Simple,
                OperationName::Complex => Endpoint::Complex,
                OperationName::Randoms => Endpoint::Randoms,
                OperationName::Delay => Endpoint::Delay,
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

/// Loads the server, and accounts for the whole stretch. The calling thread is to be on the generator's CPUs, where its reading
/// disturbs nobody who is measured.
///
/// # Errors
/// The generator could not do its work at all, or the kernel's accounts cannot be read.
pub fn drive(
    context: &Context,
    server: &mut dyn Running,
    wanted: &Wanted<'_>,
) -> Result<Measured, InstanceError> {
    let raised = wanted.cpus.placement == Placement::Shared && context.may_raise_priority;
    let tallies = Tallies::of(wanted.load);
    let plan = generator_plan(server.address(), wanted, raised, &tallies)?;
    let generator = |error: &dyn std::fmt::Display| InstanceError::Generator(error.to_string());
    // Waited for before anything is read, since nothing is measured meanwhile.
    let ports = ports::wait(server.address(), wanted.load, wanted.cpus.generator.len(), &context.interrupt);
    let held = Held::open(server, wanted.load.idle_connections())?;
    server.load_begins().map_err(|error| generator(&error))?;
    let outcome = load::run(&plan, &(), context.interrupt.load()).map_err(|error| generator(&error))?;
    let accounts = server.load_ended(wanted.cpus, &outcome.threads).map_err(|error| generator(&error))?;
    let idle = held.map(Held::close);
    if let Some(stream) = outcome.streams.iter().find(|stream| stream.connections.unreachable) {
        let named = stream.failed_attempts.iter().map(|(error, count)| format!("{} {count}", error.name()));
        let causes = named.collect::<Vec<_>>().join(", ");
        return Err(generator(&format_args!("no connection for {} could be opened ({causes})", stream.name)));
    }
    let spins = plan.wait == Wait::Spin;
    let outcome = whole(outcome, wanted.load);
    let driven = Driven { outcome: &outcome, load: wanted.load, tallies: &tallies, spins, raised };
    Ok(Measured { ports, idle, ..measured(driven, accounts) })
}

/// What the generator is told to do to the server at `address`, `raised` in its priority or not.
pub(crate) fn generator_plan(
    address: SocketAddr,
    wanted: &Wanted<'_>,
    raised: bool,
    tallies: &Tallies,
) -> Result<Plan, InstanceError> {
    let host = address.to_string();
    let mut streams = Vec::new();
    for (stream, tallies) in wanted.load.streams.iter().zip(&tallies.0) {
        let request = Request::get(&target(stream.operation), &host);
        let request = request.map_err(|error| InstanceError::Generator(error.to_string()))?;
        let right = RightAnswer::to(&stream.operation);
        for (part, tally) in tallies.iter().enumerate() {
            let (pacing, connections) = part_of(stream, part);
            let check = Counted { check: right.clone(), tally: Arc::clone(tally) };
            let mut part =
                Stream::new(stream.name.clone(), request.clone(), Arc::new(check), pacing, connections);
            part.policy.requests_each = stream.shape.requests_per_connection;
            part.policy.send_bytes_per_second = stream.shape.send_bytes_per_second;
            part.policy.read_bytes_per_second = stream.shape.read_bytes_per_second;
            streams.push(part);
        }
    }
    // An open loop must be on time, and a closed loop awake for answers that come at once: both poll where no other needs
    // the CPU.
    let open_loop = streams.iter().any(|stream| stream.pacing.is_open());
    let alone = wanted.cpus.placement == Placement::Split;
    let mut plan = Plan::new(address, streams);
    plan.cpus = wanted.cpus.generator.iter().collect();
    plan.wait = match (alone, open_loop) {
        (true, true) => Wait::Spin,
        (true, false) => Wait::Linger,
        (false, _) => Wait::Sleep,
    };
    plan.warm_up = wanted.load.warm_up;
    plan.window = wanted.load.window;
    plan.timeout = wanted.load.timeout;
    // As long as the window is enough for whoever carries the load. Whoever does not is not waited for.
    plan.drain_within = Some(wanted.load.window);
    plan.connect_within = CONNECT_DEADLINE;
    plan.progress_every = PROGRESS_EVERY;
    plan.seed = wanted.seed;
    if raised {
        // Tried beforehand on another thread; if it fails here, the lag that follows shows.
        plan.on_thread_start = Some(Arc::new(|_| drop(SchedulingClass::Fifo.apply_to_current_thread())));
    }
    Ok(plan)
}

/// What is asked for to have `operation` done.
fn target(operation: Operation) -> String {
    let path = operation.endpoint().map_or("", |endpoint| endpoint.paths()[0]);
    match operation {
        Operation::Simple => path.to_owned(),
        Operation::Complex { iterations } => format!("{path}?iterations={iterations}"),
        Operation::Randoms { count, seed } => format!("{path}?count={count}&seed={seed}"),
        Operation::Delay { milliseconds } => format!("{path}?ms={milliseconds}"),
        Operation::Fault(fault) => fault.target(),
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
