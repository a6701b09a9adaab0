//! How much of a run was planned, and how much of it was finished: starts of all servers, and passes of experiments.

use race::{
    plan::scenario::Scenario,
    records::{experiment::ExperimentRecord, folder::Contents},
    registry::Row,
};

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

/// One pass of a row under an experiment.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PlannedPass<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) row: &'a Row,
    /// Which, from 0.
    pub(crate) start: usize,
    pub(crate) is_finished: bool,
}

impl Planned {
    pub(crate) fn of(contents: &Contents) -> Self {
        let plan = &contents.run.plan;
        let has_starts = plan.scenarios.iter().any(|scenario| scenario.experiment.is_none());
        let passes = passes(contents);
        Self {
            starts: if has_starts { plan.starts } else { 0 },
            starts_finished: contents.measurements.complete.len(),
            passes: passes.len(),
            passes_finished: passes.iter().filter(|pass| pass.is_finished).count(),
        }
    }
}

/// Every pass that the plan has.
pub(crate) fn passes(contents: &Contents) -> Vec<PlannedPass<'_>> {
    let plan = &contents.run.plan;
    let mut passes = Vec::new();
    for scenario in &plan.scenarios {
        let Some(experiment) = &scenario.experiment else { continue };
        let has_events = |row: &&Row| scenario.suits(row) && experiment.events_of(row).is_ok();
        for row in plan.rows.iter().filter(has_events) {
            passes.extend((0..experiment.starts as usize).map(|start| {
                let is_it = |record: &ExperimentRecord| {
                    let of = &record.pass.of;
                    (of.scenario.as_str(), of.row.as_str(), of.start) == (&scenario.name, &row.name, start)
                };
                let is_finished = contents.measurements.experiments.iter().any(is_it);
                PlannedPass { scenario, row, start, is_finished }
            }));
        }
    }
    passes
}
