//! How much of a run was planned, and how much of it was finished: starts of all servers, and passes of experiments.

use race::{plan::run_plan::Pass, records::folder::Contents};

/// Starts and passes, planned and finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Planned {
    /// Starts of all servers; none where every scenario is an experiment, which has no start with others.
    pub(crate) starts: u32,
    pub(crate) starts_finished: usize,
    /// Passes: of each row under each experiment that has an event for it.
    pub(crate) passes: usize,
    pub(crate) passes_finished: usize,
}

impl Planned {
    pub(crate) fn of(contents: &Contents) -> Self {
        let plan = &contents.run.plan;
        let has_starts = plan.compared().next().is_some();
        let passes = plan.passes().len();
        Self {
            starts: if has_starts { plan.starts } else { 0 },
            starts_finished: contents.measurements.complete.len(),
            passes,
            passes_finished: passes - missing(contents).len(),
        }
    }
}

/// The passes that were planned and not finished.
pub(crate) fn missing(contents: &Contents) -> Vec<Pass<'_>> {
    let mut passes = contents.run.plan.passes();
    passes.retain(|pass| {
        let names = contents.measurements.experiments.iter().map(|record| &record.pass.of);
        !names.clone().any(|name| pass.is(&name.scenario, &name.row, name.start))
    });
    passes
}
