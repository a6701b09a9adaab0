//! The passes of each row that count, with their events by kind.

use std::time::Duration;

use race::{
    plan::{
        experiment::{EventKind, Experiment},
        scenario::Scenario,
    },
    records::{
        experiment::{EventRecord, ExperimentRecord, PassName, PassRecord},
        folder::Contents,
        window::{Measured, Verdict},
    },
    registry::Row,
};

/// A row under an experiment.
#[derive(Clone, Debug)]
pub(crate) struct OfRow<'a> {
    pub(crate) row: &'a Row,
    /// What was to happen to it, in order; or why nothing was.
    pub(crate) asked: Result<Vec<EventKind>, String>,
    /// The passes that count.
    pub(crate) passes: Vec<Pass<'a>>,
    /// Why others do not, each with its number.
    pub(crate) void: Vec<(usize, String)>,
    /// How many were planned.
    pub(crate) planned: u32,
    /// How long an event was waited for.
    pub(crate) deadline: Duration,
    /// Those that were begun and not finished.
    pub(crate) cut_off: usize,
}

/// A pass that counts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Pass<'a> {
    pub(crate) record: &'a PassRecord,
    pub(crate) measured: &'a Measured,
    pub(crate) events: &'a [EventRecord],
}

/// The rows of `scenario` in the order of tables: one tier after another.
pub(crate) fn of<'a>(scenario: &Scenario, experiment: &Experiment, contents: &'a Contents) -> Vec<OfRow<'a>> {
    let mut rows: Vec<&Row> = contents.run.plan.rows.iter().filter(|row| scenario.suits(row)).collect();
    rows.sort_by_key(|row| row.tier);
    rows.into_iter().map(|row| OfRow::of(scenario, experiment, row, contents)).collect()
}

impl<'a> OfRow<'a> {
    fn of(scenario: &Scenario, experiment: &Experiment, row: &'a Row, contents: &'a Contents) -> Self {
        let is_of = |name: &PassName| name.scenario == scenario.name && name.row == row.name;
        let measurements = &contents.measurements;
        let own = measurements.experiments.iter().filter(|record| is_of(&record.pass.of));
        let (mut passes, mut void) = (Vec::new(), Vec::new());
        for record in own {
            match Pass::of(record) {
                Ok(pass) => passes.push(pass),
                Err(why) => void.push((record.pass.of.start, why)),
            }
        }
        Self {
            row,
            asked: experiment.events_of(row),
            passes,
            void,
            planned: experiment.starts,
            deadline: experiment.deadline,
            cut_off: measurements.cut_off.iter().filter(|name| is_of(name)).count(),
        }
    }

    /// The kinds of event that it was to meet, each once, in their order.
    pub(crate) fn kinds(&self) -> Vec<EventKind> {
        let mut kinds: Vec<EventKind> = Vec::new();
        for kind in self.asked.iter().flatten() {
            if !kinds.contains(kind) {
                kinds.push(*kind);
            }
        }
        kinds
    }

    /// Its events of a kind, in the order of time.
    pub(crate) fn events(&self, kind: EventKind) -> impl Iterator<Item = &'a EventRecord> {
        self.passes.iter().flat_map(|pass| pass.events).filter(move |event| event.kind == kind)
    }

    /// How many of a kind were to happen.
    pub(crate) fn planned_events(&self, kind: EventKind) -> usize {
        let of_pass = self.asked.iter().flatten().filter(|&&asked| asked == kind).count();
        of_pass * self.planned as usize
    }
}

impl<'a> Pass<'a> {
    fn of(record: &'a ExperimentRecord) -> Result<Self, String> {
        let ExperimentRecord { pass, events } = record;
        match (&pass.verdict, &pass.measured) {
            (Verdict::Valid { .. }, Some(measured)) => Ok(Self { record: pass, measured, events }),
            (Verdict::Valid { .. }, None) => Err(pass
                .cut_short
                .clone()
                .unwrap_or_else(|| "the server failed before anything was measured".to_owned())),
            (Verdict::Invalid { reasons }, _) => Err(reasons.join("; ")),
            (Verdict::Failed { reason }, _) => Err(format!("the row has no score: {reason}")),
        }
    }

    /// Requests that were due in it.
    pub(crate) fn due(&self) -> u64 {
        self.measured.streams.iter().map(|stream| stream.due).sum()
    }

    /// Those that were not answered rightly, whatever became of them.
    pub(crate) fn failed(&self) -> u64 {
        self.measured.streams.iter().map(|stream| stream.due.saturating_sub(stream.right)).sum()
    }
}
