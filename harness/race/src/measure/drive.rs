//! Drives the generator against a running server, with the kernel's accounts read before the load begins and after it has ended.

use std::net::SocketAddr;

use crate::{
    generators::{
        made::{NotMade, make},
        order::Order,
        together,
    },
    measure::{held::Held, ports},
    plan::{cpu_plan::CpuPlan, resolve::Resolved, scenario::Placement},
    programs::{context::Context, instance::InstanceError},
    records::window::Measured,
    registry::{OperationName, Row, Tier},
    server_host::running::Running,
};
use app::Endpoint;

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
    let generator = |error: &dyn std::fmt::Display| InstanceError::Generator(error.to_string());
    let Wanted { load, cpus, seed } = *wanted;
    let raised = cpus.placement == Placement::Shared && context.may_raise_priority;
    let order = Order::whole(server.address(), load, cpus, raised, seed);
    // Waited for before anything is read, since nothing is measured meanwhile.
    let ports = match &context.generator_hosts {
        _ if !ports::are_taken_by(load) => None,
        None => ports::wait(&order, &|| context.interrupt.asked()),
        Some(hosts) => hosts.ports(&order)?,
    };
    let held = Held::open(server, load.idle_connections())?;
    server.load_begins().map_err(|error| generator(&error))?;
    let measured = match &context.generator_hosts {
        None => {
            let made = make(&order, context.interrupt.load()).map_err(|error| match error {
                NotMade::Instance(error) => error,
                NotMade::TooSoon(_) => generator(&error),
            })?;
            let accounts =
                server.load_ended(cpus, &made.outcome.threads).map_err(|error| generator(&error))?;
            made.measured(accounts)
        }
        Some(hosts) => {
            let parts = hosts.make(&order)?;
            let accounts = server.load_ended(cpus, &[]).map_err(|error| generator(&error))?;
            together::of(&parts, accounts).ok_or_else(|| generator(&"there is no host for it"))?
        }
    };
    Ok(Measured { ports, idle: held.map(Held::close), ..measured })
}
