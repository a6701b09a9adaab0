//! What all pictures of a scenario are made from.

use race::plan::{run_plan::STARTS_FOR_PLACES, scenario::Scenario};
use stats::places::Place;

use crate::{
    conclusions::analysis::Analysis,
    counts::{entered::Entered, times::name_of},
    model::plot::{Columns, Drawn, Group},
};

use super::times::RowTimes;

/// A picture without its name.
pub(super) struct Sketch {
    pub(super) title: String,
    pub(super) description: String,
    pub(super) drawn: Drawn,
}

/// What all pictures of a scenario are made from.
pub(super) struct All<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) rows: &'a [Entered<'a>],
    pub(super) analysis: &'a Analysis,
    /// By row.
    pub(super) times: Vec<RowTimes>,
    /// The percentile that windows are shown by: the one that rows are compared by, or the median in a closed loop.
    pub(super) percentile: f64,
}

impl<'a> All<'a> {
    pub(super) fn new(scenario: &'a Scenario, rows: &'a [Entered<'a>], analysis: &'a Analysis) -> Self {
        let percentile = scenario.rank.by.percentile().unwrap_or(0.5);
        // One row after another, and of it one start: distributions are large.
        let times = rows.iter().map(|row| RowTimes::of(&row.line, &scenario.rank.stream, percentile));
        Self { scenario, rows, analysis, times: times.collect(), percentile }
    }

    pub(super) fn is_overloaded(&self, row: usize) -> bool {
        self.analysis.loads[row].is_overloaded()
    }

    pub(super) fn label(&self, row: usize) -> &str {
        &self.analysis.labels[row]
    }

    /// The rows of which anything was measured.
    pub(super) fn measured(&self) -> impl Iterator<Item = usize> {
        (0..self.rows.len()).filter(|&row| self.times[row].starts.iter().any(|start| !start.windows.is_empty()))
    }

    /// How many windows each start has of the row that has most.
    pub(super) fn columns(&self) -> Vec<Columns> {
        let starts = self.times.iter().map(|row| row.starts.len()).max().unwrap_or(0);
        let of_start = |at: usize| {
            let of_rows = || self.times.iter().filter_map(|row| row.starts.get(at));
            Columns {
                start: of_rows().next().map_or(at, |start| start.number) + 1,
                windows: of_rows().map(|start| start.windows.len()).max().unwrap_or(0),
            }
        };
        (0..starts).map(of_start).collect()
    }

    /// A row's place, where the scenario gives places at all: with as many starts and CPUs as that takes.
    pub(super) fn place(&self, row: usize) -> Option<String> {
        let windows = || self.rows.iter().flat_map(|row| &row.line.starts).flat_map(|start| &start.measured);
        let cpus = windows().next()?.cpus.server.len();
        let starts = self.rows.iter().map(|row| row.line.starts.len()).max().unwrap_or(0);
        let has_places = cpus >= self.scenario.min_server_cpus && starts >= STARTS_FOR_PLACES as usize;
        let place = self.analysis.place_of(row).filter(|_| has_places)?;
        (*place != Place::Unplaced).then(|| place.to_string())
    }

    /// What must be known of a row whose windows are shown whatever they are.
    pub(super) fn note(&self, row: usize) -> Option<String> {
        match self.rows[row].line.failed {
            Some(_) => Some("failed: nothing of it counts".to_owned()),
            None => self.analysis.loads[row].note(),
        }
    }

    /// `simple`, where there is anything that it must be told apart from.
    pub(super) fn of_stream(&self) -> String {
        match self.scenario.streams.len() {
            0 | 1 => String::new(),
            _ => format!(" of {}", self.scenario.rank.stream),
        }
    }

    pub(super) fn percentile_name(&self) -> String {
        name_of(self.percentile)
    }

    /// Rows under the names of their tiers, in which they stand already.
    pub(super) fn by_tier<T>(&self, items: impl IntoIterator<Item = (usize, T)>) -> Vec<Group<T>> {
        let mut groups: Vec<Group<T>> = Vec::new();
        for (row, item) in items {
            let heading = self.rows[row].line.row.tier.to_string();
            match groups.last_mut().filter(|group| group.heading == heading) {
                Some(group) => group.rows.push(item),
                None => groups.push(Group { heading, rows: vec![item] }),
            }
        }
        groups
    }
}

/// The least and the greatest of what is a number.
pub(super) fn range(values: impl IntoIterator<Item = f64>) -> Option<[f64; 2]> {
    let numbers = values.into_iter().filter(|value| value.is_finite());
    numbers.fold(None, |range, value| {
        let [low, high] = range.unwrap_or([value, value]);
        Some([low.min(value), high.max(value)])
    })
}
