//! A scenario in one figure a row: the one by which it compares them.

use race::plan::scenario::{Metric, Scenario};
use stats::{Quantile, exceedances::Support};
use terminal::numbers::thousands;

use crate::{conclusions::analysis::Analysis, counts::{compared::{Figure, ranked, throughput}, entered::{Entered, merged}, kept::Which, middle::of_starts}, tables::numbers::Unit};

/// A scenario's column of a small table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headlines {
    /// What the figures are, with their unit.
    pub of: String,
    /// One for each row that the scenario suits.
    pub rows: Vec<Headline>,
}

/// A row's figure under one scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Headline {
    /// The row.
    pub row: String,
    /// The median over its starts; `-` where there is none, or too little behind it.
    pub figure: String,
    /// Its place, where the scenario gives places and the row has one.
    pub place: Option<String>,
}

/// How the figure by which the scenario compares rows is called.
pub(crate) fn figure_of(scenario: &Scenario) -> String {
    let of = if scenario.streams.len() > 1 { format!("{} ", scenario.rank.stream) } else { String::new() };
    match scenario.rank.by {
        Metric::Throughput => format!("{of}requests/s"),
        Metric::P95 => format!("{of}p95"),
        Metric::P99 => format!("{of}p99"),
    }
}

/// A scenario's column: the median over each row's starts, without the second server of the row that is compared with itself.
pub(crate) fn of(
    scenario: &Scenario,
    rows: &[Entered<'_>],
    analysis: &Analysis,
    has_places: bool,
) -> Headlines {
    let times =
        rows.iter().filter_map(|row| ranked_time(scenario, row)).map(|time| time.ns() as f64 / 1000.0);
    let unit = Unit::for_times_up_to(times.fold(0.0, f64::max));
    let heading = match scenario.rank.by {
        Metric::Throughput => figure_of(scenario),
        Metric::P95 | Metric::P99 => format!("{}, {}", figure_of(scenario), unit.name()),
    };
    let figure = |row: &Entered<'_>| match ranked(scenario) {
        Figure::Percentile(_) => ranked_time(scenario, row).map(|time| unit.show_quantile(time)),
        _ => of_starts(&throughput(&row.line, &scenario.rank.stream, Which::Gated)).map(thousands),
    };
    let headline = |(index, row): (usize, &Entered<'_>)| Headline {
        row: row.line.row.name.clone(),
        // What an overloaded row's answers take is how long it was loaded.
        figure: match analysis.loads[index].is_overloaded() {
            true => "overloaded".to_owned(),
            false => figure(row).unwrap_or_else(|| "-".to_owned()),
        },
        place: analysis.place_of(index).filter(|_| has_places).map(ToString::to_string),
    };
    let once = rows.iter().enumerate().filter(|(_, row)| !row.line.twin);
    Headlines { of: heading, rows: once.map(headline).collect() }
}

/// The percentile by which rows are compared, where there is enough behind it.
fn ranked_time(scenario: &Scenario, row: &Entered<'_>) -> Option<Quantile> {
    let Figure::Percentile(q) = ranked(scenario) else { return None };
    let times = row.ranked_times();
    let middle = times.tail(q).and_then(merged).filter(|_| times.support(q) == Support::Enough)?;
    Some(middle.median)
}
