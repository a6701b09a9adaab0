//! One trial: start the server on its CPUs, wait until it is ready, check its answers, warm up, measure, stop it and
//! see that it exited cleanly.

use crate::{
    plan::{cpu_plan::CpuPlan, resolve::Resolved, run_plan::Entry, scenario::Scenario},
    programs::{
        context::Context,
        instance::{InstanceError, Stopped},
    },
    records::record::{Measured, SCHEMA, TrialRecord, Verdict},
    sample::load_average,
    trial::{
        drive::{self, Wanted},
        validity::judge,
    },
};

/// Which trial of a run this is.
#[derive(Debug)]
pub struct Which<'a> {
    /// Under which scenario.
    pub scenario: &'a Scenario,
    /// Which row.
    pub entry: &'a Entry<'a>,
    /// The block.
    pub block: usize,
    /// The place within the block.
    pub position: usize,
    /// How often it was tried before.
    pub attempt: u32,
    /// Seed of its arrivals.
    pub seed: u64,
    /// Where server and generator run.
    pub cpus: CpuPlan,
}

/// Runs one trial. `None` if it was interrupted: then there is nothing to keep.
///
/// A server that fails is a record, never an error: the other rows go on.
pub fn run(context: &Context, which: Which<'_>, load: &Resolved) -> Option<TrialRecord> {
    let started = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
    let outcome = measure(context, &which, load);
    if context.interrupt.asked() {
        return None;
    }
    let (verdict, measured) = match outcome {
        Ok(measured) => (judge(&measured, which.cpus.placement), Some(measured)),
        Err(error) => (Verdict::Failed { reason: error.to_string() }, None),
    };
    let Which { scenario, entry, block, position, attempt, seed, cpus } = which;
    Some(TrialRecord {
        schema: SCHEMA,
        scenario: scenario.name.clone(),
        row: entry.row.name.clone(),
        twin: entry.twin,
        tier: entry.row.tier,
        block,
        position,
        attempt,
        seed,
        started,
        cpus,
        verdict,
        measured,
    })
}

fn measure(context: &Context, which: &Which<'_>, load: &Resolved) -> Result<Measured, InstanceError> {
    let load_average_before = load_average();
    let row = which.entry.row;
    let instance = context.start(row, &which.cpus.server)?;
    drive::check_answers(&instance, row)?;
    let load = Resolved { warm_up: load.warm_up.max(row.warm_up), ..load.clone() };
    let wanted = Wanted { load: &load, cpus: &which.cpus, seed: which.seed };
    let measured = drive::drive(context, &instance, &wanted)?;
    let Stopped { usage, unclean } = instance.stop()?;
    Ok(Measured { server_life: usage, unclean_end: unclean, load_average_before, ..measured })
}
