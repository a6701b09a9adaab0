//! The rows of a scenario at each step of its ladder.

use std::time::Duration;

use race::{
    plan::{ladder::Ladder, objective::Objective, scenario::Scenario},
    records::{folder::Contents, window::WindowRecord},
    registry::Tier,
};

use crate::{
    counts::{carried::RowLoad, entered::Entered, kept::Line},
    model::{Cell, Group},
    numbers::Unit,
};

/// A ladder as it was climbed.
#[derive(Debug)]
pub(crate) struct Climbed<'a> {
    pub(super) scenario: &'a Scenario,
    /// What is wanted, where anything is.
    pub(super) objective: Option<&'a Objective>,
    /// The stream whose times are looked at, as an index and by its name.
    pub(super) stream: usize,
    pub(super) stream_name: &'a str,
    /// The percentile that is looked at.
    pub(super) q: f64,
    /// The steps at which anything was measured, by ascending rate.
    pub(super) steps: Vec<AtStep<'a>>,
    /// How long the whole run measured.
    pub(super) whole: Duration,
}

/// All rows at one step.
#[derive(Debug)]
pub(super) struct AtStep<'a> {
    /// What was offered of the stream, requests a second.
    pub(super) per_second: f64,
    /// Whether it is the scenario's own load.
    pub(super) is_own: bool,
    /// Whether it is the lowest of the ladder, and whether the highest.
    pub(super) is_end: [bool; 2],
    /// The rows, in the same order at every step.
    pub(super) rows: Vec<Entered<'a>>,
    /// Whether each carried the load, of all streams.
    pub(super) loads: Vec<RowLoad>,
}

impl<'a> Climbed<'a> {
    /// Of the lines of all rounds; `None` where there is neither a ladder nor an objective, or nothing was measured.
    pub(crate) fn of(scenario: &'a Scenario, contents: &Contents, lines: &[Line<'a>]) -> Option<Self> {
        let objective = scenario.objective.as_ref();
        if scenario.ladder.is_none() && objective.is_none() {
            return None;
        }
        let stream_name = scenario.objective_stream().unwrap_or(&scenario.rank.stream);
        let stream = scenario.streams.iter().position(|stream| stream.name == stream_name)?;
        let count = scenario.ladder.as_ref().map_or(1, Ladder::steps);
        let own = scenario.ladder.as_ref().map_or(Some(0), Ladder::own_step);
        let at_step = |step: usize| {
            let lines: Vec<Line<'a>> = lines.iter().map(|line| line.at_step(scenario, step)).collect();
            let mut windows = lines.iter().flat_map(|line| &line.starts).flat_map(|start| &start.measured);
            let offered =
                |window: &&WindowRecord| window.measured.as_ref()?.stream(stream_name)?.offered_per_second;
            let per_second = windows.find_map(offered)?;
            let rows = Entered::all(scenario, lines);
            let loads = rows.iter().map(|row| RowLoad::of(scenario, &row.line)).collect();
            Some(AtStep {
                per_second,
                is_own: own == Some(step),
                is_end: [step == 0, step + 1 == count],
                rows,
                loads,
            })
        };
        let steps: Vec<AtStep<'a>> = (0..count).filter_map(at_step).collect();
        let q = objective.map(|objective| objective.q).or_else(|| scenario.rank.by.percentile())?;
        let whole = Duration::try_from_secs_f64(contents.run.time.starts_s).unwrap_or_default();
        (!steps.is_empty()).then_some(Self { scenario, objective, stream, stream_name, q, steps, whole })
    }

    /// Whether there are rates beside each other.
    pub(super) fn is_ladder(&self) -> bool {
        self.scenario.ladder.is_some()
    }

    /// The scenario's own load, where it was offered.
    pub(super) fn own(&self) -> Option<&AtStep<'a>> {
        self.steps.iter().find(|step| step.is_own)
    }

    /// The rows as they are shown: not the second server of one that is compared with itself.
    pub(super) fn rows(&self) -> impl Iterator<Item = usize> {
        let rows = self.steps.first().map_or(&[][..], |step| &step.rows);
        (0..rows.len()).filter(|&row| !rows[row].line.twin)
    }

    pub(super) fn label(&self, row: usize) -> &'a str {
        &self.steps[0].rows[row].line.row.name
    }

    pub(super) fn tier(&self, row: usize) -> Tier {
        self.steps[0].rows[row].line.row.tier
    }

    /// Lines for `order`, one tier after another.
    pub(super) fn groups(&self, order: &[usize], lines: impl Fn(usize) -> Vec<Vec<Cell>>) -> Vec<Group> {
        let of_tier = |tier: Tier| Group {
            heading: Some(tier.to_string()),
            rows: order.iter().filter(|&&row| self.tier(row) == tier).flat_map(|&row| lines(row)).collect(),
        };
        Tier::ALL.into_iter().map(of_tier).filter(|group| !group.rows.is_empty()).collect()
    }

    /// The unit in which the percentile `q` is read most easily, at the highest rates that were carried.
    pub(super) fn unit(&self, q: f64) -> Unit {
        let carried = self.steps.iter().flat_map(|step| step.rows.iter().zip(&step.loads));
        let times = carried.filter(|(_, load)| !load.is_overloaded()).filter_map(|(row, _)| {
            Some(crate::counts::entered::percentile_value(&row.streams[self.stream], q)?.median.value)
        });
        Unit::for_times_up_to(times.fold(0.0, f64::max))
    }
}
