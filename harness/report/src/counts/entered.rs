//! A row as a scenario's tables and its comparison take it: its windows, and what they come to.

use race::plan::scenario::{Scenario, Stream};
use stats::{Quantile, tail::RowTail};

use crate::counts::{
    compared::{Figure, ranked, ranked_windows},
    kept::{Line, Which},
    middle::{Middle, of_quantiles, of_starts},
    side_by_side::on_all_cpus,
    times::{self, MERGED_FROM, StreamTimes},
    value::Value,
};

/// A row's windows and response times.
#[derive(Debug)]
pub(crate) struct Entered<'a> {
    pub(crate) line: Line<'a>,
    /// Response times, by stream in the scenario's order.
    pub(crate) streams: Vec<StreamTimes>,
    /// The stream that rows are compared by, as an index.
    pub(crate) ranked_stream: usize,
    /// The percentile that rows are compared by as it was observed, the generator's lateness included.
    pub(crate) observed: Option<RowTail>,
    /// What rows are compared by, of the windows that count by themselves: a value in the figure's own unit.
    pub(crate) ungated: Option<Quantity>,
}

/// A figure's value.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Quantity {
    /// Of a time.
    Time(Quantile),
    /// Of anything else.
    Plain(f64),
}

impl<'a> Entered<'a> {
    /// Every line's, in their order.
    pub(crate) fn all(scenario: &Scenario, lines: Vec<Line<'a>>) -> Vec<Self> {
        on_all_cpus(lines, |line| Self::new(scenario, line))
    }

    /// Decodes the distributions of `line`, one start at a time.
    pub(crate) fn new(scenario: &Scenario, line: Line<'a>) -> Self {
        let of_stream = |stream: &Stream| StreamTimes::of(&line, &stream.name);
        let streams: Vec<StreamTimes> = scenario.streams.iter().map(of_stream).collect();
        let stream = &scenario.rank.stream;
        let percentile = scenario.rank.by.percentile();
        let observed = percentile.map(|q| times::observed(&line, stream, q));
        let ungated = match ranked(scenario) {
            Figure::Percentile(q) => {
                // Where the gate dropped nothing, it is what the gated one is, and not decoded again.
                let all_count = line
                    .starts
                    .iter()
                    .all(|start| start.windows(Which::Gated) == start.windows(Which::Ungated));
                let gated = || {
                    streams
                        .get(ranked_stream(scenario))
                        .and_then(|times: &StreamTimes| times.tail(q))
                        .and_then(merged)
                };
                let middle = if all_count { gated() } else { merged(&times::ungated(&line, stream, q)) };
                middle.map(|middle| Quantity::Time(middle.median))
            }
            _ => of_starts(&ranked_windows(scenario, &line, Which::Ungated)).map(Quantity::Plain),
        };
        Self { line, streams, ranked_stream: ranked_stream(scenario), observed, ungated }
    }

    /// The response times that rows are compared by.
    pub(crate) fn ranked_times(&self) -> &StreamTimes {
        &self.streams[self.ranked_stream]
    }
}

/// What rows are compared by, of a row's windows that count; times in microseconds. Whether there is enough behind a percentile to print it
/// is another matter.
pub(crate) fn ranked_value(scenario: &Scenario, row: &Entered<'_>) -> Option<Value> {
    match ranked(scenario) {
        Figure::Percentile(q) => percentile_value(row.ranked_times(), q),
        _ => Value::of_windows(&ranked_windows(scenario, &row.line, Which::Gated)),
    }
}

/// A percentile over all starts: of a start that of all its windows together, or from few percent on their median.
pub(crate) fn percentile_value(times: &StreamTimes, q: f64) -> Option<Value> {
    let tail = times.tail(q)?;
    let middle = if q < MERGED_FROM { by_windows(tail) } else { merged(tail) };
    middle.map(Value::from)
}

/// The stream that rows are compared by, as an index.
pub(crate) fn ranked_stream(scenario: &Scenario) -> usize {
    scenario.streams.iter().position(|stream| stream.name == scenario.rank.stream).unwrap_or(0)
}

/// The median over starts of their merged percentile.
pub(crate) fn merged(tail: &RowTail) -> Option<Middle> {
    let starts: Vec<Quantile> = tail.starts.iter().filter_map(|start| start.merged).collect();
    of_quantiles(&starts)
}

/// The median over starts of the median over their windows' percentiles.
pub(crate) fn by_windows(tail: &RowTail) -> Option<Middle> {
    let of_start = |windows: &Vec<Option<Quantile>>| {
        let kept: Vec<Quantile> = windows.iter().flatten().copied().collect();
        of_quantiles(&kept).map(|middle| middle.median)
    };
    let starts: Vec<Quantile> = tail.starts.iter().filter_map(|start| of_start(&start.windows)).collect();
    of_quantiles(&starts)
}
