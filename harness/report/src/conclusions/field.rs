//! What all tables of a scenario are made from, and the order of their lines.

use std::time::Duration;

use race::{plan::scenario::Scenario, records::folder::Contents, registry::Tier};

use crate::{
    conclusions::analysis::{Analysis, direction},
    counts::entered::{Entered, merged, ranked_value},
    model::{Cell, Group},
    numbers::Unit,
};

/// The rows of a scenario, and what is known of them.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Field<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) contents: &'a Contents,
    pub(crate) rows: &'a [Entered<'a>],
    pub(crate) analysis: &'a Analysis,
    /// Whether places are given.
    pub(crate) is_ranked: bool,
}

impl Field<'_> {
    /// How long the whole run measured.
    pub(crate) fn whole(&self) -> Duration {
        Duration::try_from_secs_f64(self.contents.run.time.starts_s).unwrap_or_default()
    }

    /// The unit in which all rows' times of a stream are read most easily.
    pub(crate) fn unit_of(&self, stream: usize) -> Unit {
        let with_times = self.rows.iter().zip(&self.analysis.loads).filter(|(_, load)| !load.is_overloaded());
        let p99s = with_times.filter_map(|(row, _)| merged(row.streams[stream].tail(0.99)?));
        Unit::for_times_up_to(p99s.map(|p99| p99.median.ns() as f64 / 1000.0).fold(0.0, f64::max))
    }

    /// The unit of the figure that rows are compared by.
    pub(crate) fn ranked_unit(&self) -> Unit {
        match self.scenario.rank.by.percentile() {
            None => Unit::Plain,
            Some(_) => {
                let carried = (0..self.rows.len()).filter(|&row| !self.analysis.loads[row].is_overloaded());
                let values = carried.filter_map(|row| ranked_value(self.scenario, &self.rows[row]));
                Unit::for_times_up_to(values.map(|value| value.median.value).fold(0.0, f64::max))
            }
        }
    }

    /// The rows as a table shows them, the best first; overloaded ones and those without a figure are last. The second server of the
    /// row that is compared with itself is not among them.
    pub(crate) fn by_figure(&self) -> Vec<usize> {
        let better_first = match direction(self.scenario) {
            stats::Direction::HigherIsBetter => -1.0,
            stats::Direction::LowerIsBetter => 1.0,
        };
        let key = |row: usize| {
            let value = ranked_value(self.scenario, &self.rows[row]);
            let figure = value.map_or(f64::INFINITY, |value| better_first * value.median.value);
            (self.analysis.loads[row].is_overloaded(), figure)
        };
        let mut rows: Vec<usize> = (0..self.rows.len()).filter(|&row| !self.rows[row].line.twin).collect();
        rows.sort_by(|&a, &b| {
            let ((a_over, a), (b_over, b)) = (key(a), key(b));
            a_over.cmp(&b_over).then(a.total_cmp(&b))
        });
        rows
    }

    /// Lines for `order`, one tier after another.
    pub(crate) fn groups(&self, order: &[usize], line: impl Fn(usize) -> Vec<Cell>) -> Vec<Group> {
        let of_tier = |tier: Tier| Group {
            heading: Some(tier.to_string()),
            rows: order
                .iter()
                .filter(|&&row| self.rows[row].line.row.tier == tier)
                .map(|&row| line(row))
                .collect(),
        };
        Tier::ALL.into_iter().map(of_tier).filter(|group| !group.rows.is_empty()).collect()
    }
}
