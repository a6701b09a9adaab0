//! Experiments: one server alive, alone, under one open loop, while workers of it are killed, it is told to fail, or it reloads.
//!
//! ```text
//! start -> check -> closed loop (what it carries) -> open loop at a part of that: event, event, ... -> stop -> records
//! ```
//!
//! Nothing is frozen. The generator runs on as nothing had happened; what a thread of the harness does meanwhile (signals, one probe each
//! 2 ms until somebody new answers) it does on the generator's CPU. When requests failed is read from the generator's timeline afterwards,
//! so that nothing is written to a disk while something is measured.

mod asking;
mod tree;
mod watched;

mod subject;

mod event;

mod recorded;

pub mod pass;

use std::io;

use terminal::progress::Progress;

use crate::{
    plan::{
        cpu_plan::CpuPlan,
        run_plan::{Pass, RunPlan},
    },
    programs::context::Context,
    records::{
        experiment::{ExperimentRecord, PassRecord},
        log::{Entry, Log},
    },
    server_host::this_host::ThisHost,
};

/// Measures `pass`, and appends it to `log` with its events once it is over: an answer to what was due in one event's stretch may come in
/// another's. `None` where a person wants the run to end: the log says then that it was begun, and no more.
///
/// # Errors
/// The disk is full.
pub fn record(
    context: &Context,
    host: &ThisHost,
    log: &mut Log,
    (plan, pass, cpus): (&RunPlan, &Pass<'_>, &CpuPlan),
    progress: &Progress,
) -> io::Result<Option<PassRecord>> {
    let Pass { scenario, experiment, row, events, start } = pass;
    let (row_name, all) = (&row.name, events.len());
    progress.doing(format!("{} {row_name}: starting, and what it carries", scenario.name));
    let wanted =
        pass::Wanted { scenario, experiment, row, events, start: *start, cpus, seed: plan.pass_seed(pass) };
    let at = jiff::Zoned::now().strftime("%Y-%m-%dT%H:%M:%S%.3f%:z").to_string();
    log.append(&Entry::PassBegun { of: wanted.name(), at })?;
    let told = |number: usize, kind, how: &str| {
        progress.done(&format!("{} {row_name}, event {number} of {all} ({kind}): {how}", scenario.name));
        progress.doing(format!("{} {row_name}, event {} of {all}", scenario.name, (number + 1).min(all)));
    };
    let Some(ExperimentRecord { pass, events }) = pass::run(context, host, wanted, &told) else {
        return Ok(None);
    };
    for event in events {
        log.append(&Entry::Event(Box::new(event)))?;
    }
    log.append(&Entry::Pass(Box::new(pass.clone())))?;
    Ok(Some(pass))
}
