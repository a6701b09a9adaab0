//! A scenario in one figure a row: the one by which it compares them.

use race::{
    plan::scenario::{Metric, Scenario},
    records::record::Measured,
};
use stats::summary::median_interval;

use super::figures::three_digits;
use terminal::numbers::thousands;

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
    /// The median over its valid trials; `-` where there is none.
    pub figure: String,
    /// Its place, where the scenario gives places and the row has one.
    pub place: Option<String>,
}

/// The figure by which the scenario compares rows.
pub(super) fn ranked_figure(scenario: &Scenario, measured: &Measured) -> Option<f64> {
    let stream = measured.stream(&scenario.rank.stream)?;
    Some(match scenario.rank.by {
        Metric::Throughput => stream.achieved_per_second,
        Metric::P99 => stream.p99()?.ns() as f64 / 1000.0,
    })
}

/// The same response time with the generator's own lateness in it.
pub(super) fn observed_figure(scenario: &Scenario, measured: &Measured) -> Option<f64> {
    let stream = measured.stream(&scenario.rank.stream)?;
    Some(stream.observed.as_ref()?.p99.ns() as f64 / 1000.0)
}

/// What the figures of `scenario` are.
pub(super) fn heading(scenario: &Scenario) -> String {
    let of = if scenario.streams.len() > 1 { format!("{} ", scenario.rank.stream) } else { String::new() };
    match scenario.rank.by {
        Metric::Throughput => format!("{of}requests/s"),
        Metric::P99 => format!("{of}p99, ms"),
    }
}

/// The median figure of a row's valid trials. A time that is only known to be longer is said to be so.
pub(super) fn figure(scenario: &Scenario, valid: &[&Measured]) -> String {
    let figures: Vec<f64> = valid.iter().filter_map(|measured| ranked_figure(scenario, measured)).collect();
    let Some(interval) = median_interval(&figures) else { return "-".to_owned() };
    let is_bound = |measured: &&Measured| {
        let p99 = measured.stream(&scenario.rank.stream).and_then(|stream| stream.p99());
        p99.is_some_and(|p99| p99.is_bound())
    };
    match scenario.rank.by {
        Metric::Throughput => thousands(interval.median),
        Metric::P99 => {
            let bound = if valid.iter().any(is_bound) { "> " } else { "" };
            format!("{bound}{}", three_digits(interval.median / 1000.0))
        }
    }
}
