//! What all pictures of a scenario are made from.

use race::registry::Tier;
use stats::places::Place;

use crate::{
    conclusions::field::Field,
    counts::{entered::Entered, kept::Line, side_by_side::on_all_cpus, times::name_of},
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
    pub(super) field: &'a Field<'a>,
    /// The rows in the order of tables: tier by tier, the best first.
    pub(super) order: Vec<usize>,
    /// Response times by row; of the second server of a row, which no picture shows, nothing.
    pub(super) times: Vec<RowTimes>,
    /// The percentile that windows are shown by: the one that rows are compared by, or the median in a closed loop.
    pub(super) percentile: f64,
}

impl<'a> All<'a> {
    pub(super) fn new(field: &'a Field<'a>) -> Self {
        let rank = &field.scenario.rank;
        let percentile = rank.by.percentile().unwrap_or(0.5);
        let times = on_all_cpus(field.rows.iter().collect(), |row: &Entered<'_>| match row.line.twin {
            true => RowTimes::default(),
            false => RowTimes::of(&row.line, &rank.stream, percentile),
        });
        let mut order = field.by_figure();
        order.sort_by_key(|&row| field.rows[row].line.row.tier);
        Self { field, order, times, percentile }
    }

    pub(super) fn line(&self, row: usize) -> &'a Line<'a> {
        &self.field.rows[row].line
    }

    pub(super) fn is_overloaded(&self, row: usize) -> bool {
        self.field.analysis.loads[row].is_overloaded()
    }

    pub(super) fn label(&self, row: usize) -> &str {
        &self.field.analysis.labels[row]
    }

    /// The rows of which anything was measured.
    pub(super) fn measured(&self) -> impl Iterator<Item = usize> {
        let has_any = |row: usize| self.times[row].starts.iter().any(|start| !start.windows.is_empty());
        self.order.iter().copied().filter(move |&row| has_any(row))
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

    /// A row's place, where the scenario gives places and it has one.
    pub(super) fn place(&self, row: usize) -> Option<String> {
        let place = self.field.analysis.place_of(row).filter(|_| self.field.is_ranked)?;
        (*place != Place::Unplaced).then(|| place.to_string())
    }

    /// What must be known of a row whose windows are shown whatever they are.
    pub(super) fn note(&self, row: usize) -> Option<String> {
        match self.line(row).failed {
            Some(_) => Some("failed: nothing of it counts".to_owned()),
            None => self.field.analysis.loads[row].note(),
        }
    }

    /// ` of simple`, where there is anything that it must be told apart from.
    pub(super) fn of_stream(&self) -> String {
        match self.field.scenario.streams.len() {
            0 | 1 => String::new(),
            _ => format!(" of {}", self.field.scenario.rank.stream),
        }
    }

    pub(super) fn percentile_name(&self) -> String {
        name_of(self.percentile)
    }

    /// What `of` says of each row, one tier after another.
    pub(super) fn by_tier<T>(&self, of: impl Fn(usize) -> Option<T>) -> Vec<Group<T>> {
        let of_tier = |tier: Tier| {
            let rows = self.order.iter().filter(|&&row| self.line(row).row.tier == tier);
            Group { heading: tier.to_string(), rows: rows.filter_map(|&row| of(row)).collect() }
        };
        Tier::ALL.into_iter().map(of_tier).filter(|group| !group.rows.is_empty()).collect()
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
