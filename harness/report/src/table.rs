//! The tables of a scenario: one of each stream's figures, and one of what the rows took for them.

use std::time::Duration;

use race::{
    plan::scenario::{Metric, Pacing, Placement, Scenario, Stream},
    records::window::{Measured, StreamRecord},
    registry::Tier,
};
use stats::{
    rounds::{Windows, log_ratios},
    summary::{MedianInterval, median_interval},
};
use terminal::numbers::thousands;

use crate::{conclusions::{analysis::Analysis, disturbance::kept_cell}, counts::{compared::{by_window, cpu_per_request, throughput}, entered::{Entered, Quantity, by_windows, merged}, kept::{Line, Which}, middle::{Middle, of_each_start, of_starts}, times::{MERGED_FROM, name_of}}, tables::{numbers::{Unit, three_digits}, support}};

/// One table.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Table {
    /// What it holds, and what must be known before reading it.
    pub caption: String,
    /// Headings of the columns, with their units.
    pub columns: Vec<String>,
    /// The rows' cells.
    pub rows: Vec<Vec<String>>,
}

/// What a closed loop's times are not.
const CLOSED_LOOP: &str = "in a closed loop: times are those of a client that waits for an answer before it asks again, and so \
     asks less while answers are slow";

/// What all tables of a scenario have in common.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tables<'a> {
    pub(crate) scenario: &'a Scenario,
    pub(crate) rows: &'a [Entered<'a>],
    pub(crate) analysis: &'a Analysis,
    /// Whether places are given.
    pub(crate) ranked: bool,
    /// How long the whole run measured.
    pub(crate) whole: Duration,
}

/// The unit in which all rows' times of a stream are read most easily.
pub(crate) fn unit_of(rows: &[Entered<'_>], analysis: &Analysis, stream: usize) -> Unit {
    let with_times = rows.iter().zip(&analysis.loads).filter(|(_, load)| !load.is_overloaded());
    let p99s = with_times.filter_map(|(row, _)| merged(row.streams[stream].tail(0.99)?));
    Unit::for_times_up_to(p99s.map(|p99| p99.median.ns() as f64 / 1000.0).fold(0.0, f64::max))
}

/// A column: its heading, and each row's cell.
type Column = (String, Vec<String>);

impl Tables<'_> {
    /// All of them.
    pub(crate) fn all(&self) -> Vec<Table> {
        let streams = (0..self.scenario.streams.len()).map(|stream| self.of_stream(stream));
        streams.chain([self.costs()]).collect()
    }

    fn column(&self, heading: impl Into<String>, cell: impl Fn(&Entered<'_>) -> String) -> Column {
        (heading.into(), self.rows.iter().map(cell).collect())
    }

    fn of_stream(&self, at: usize) -> Table {
        let stream = &self.scenario.streams[at];
        let is_closed = stream.pacing == Pacing::Closed;
        let is_ranked = stream.name == self.scenario.rank.stream;
        let unit = unit_of(self.rows, self.analysis, at);
        let mut columns = vec![
            self.column("row", |row| row.line.label()),
            self.column("tier", |row| row.line.row.tier.to_string()),
        ];
        if is_ranked && self.ranked {
            let place = |row| self.analysis.place_of(row).map_or_else(|| "-".to_owned(), ToString::to_string);
            columns.push(("place".to_owned(), (0..self.rows.len()).map(place).collect()));
        }
        let ranked = self.scenario.rank.by.percentile().filter(|_| is_ranked);
        if is_closed {
            columns.push(self.column("requests/s", |row| {
                cell(&of_each_start(&throughput(&row.line, &stream.name, Which::Gated)), thousands)
            }));
            if is_ranked && ranked.is_none() {
                columns.push(self.ungated("requests/s", unit));
            }
            columns.extend(self.of_the_ceiling(stream));
        }
        let percentiles: &[f64] = if is_closed { &[0.5, 0.99] } else { &[0.5, 0.9, 0.95, 0.99, 0.999] };
        let mut percentiles: Vec<f64> = percentiles.iter().copied().chain(ranked).collect();
        percentiles.sort_by(f64::total_cmp);
        percentiles.dedup();
        for q in percentiles {
            let of = if is_closed { " (closed loop)" } else { "" };
            let heading = format!("{}{of}, {}", name_of(q), unit.name());
            let cells = self.rows.iter().enumerate().map(|(row, _)| self.percentile(row, at, q, unit));
            columns.push((heading.clone(), cells.collect()));
            if ranked == Some(q) {
                columns.push(self.ungated(&heading, unit));
            }
        }
        if !is_closed {
            columns.push(self.column("achieved", |row| achieved(&row.line, &stream.name)));
        }
        let caption = match is_closed {
            true => format!("{}, {CLOSED_LOOP}.", stream.name),
            false => format!("{}, response times from the instant a request was due.", stream.name),
        };
        table(caption, columns)
    }

    fn percentile(&self, row: usize, stream: usize, q: f64, unit: Unit) -> String {
        let entered = &self.rows[row];
        let times = &entered.streams[stream];
        // What an overloaded row's answers take is how long it was loaded: no property of the row.
        if self.analysis.loads[row].is_overloaded() {
            let is_ranked = stream == entered.ranked_stream && self.scenario.rank.by.percentile() == Some(q);
            return if is_ranked { "overloaded" } else { "-" }.to_owned();
        }
        let (missing, middle) = match q < MERGED_FROM {
            true => (None, times.tail(q).and_then(by_windows)),
            false => (support::instead_of(times, q, self.whole), times.tail(q).and_then(merged)),
        };
        let shown = missing.or_else(|| middle.map(|middle| time_cell(&middle, unit)));
        shown.unwrap_or_else(|| "-".to_owned())
    }

    /// What rows are compared by, of all windows whatever others did to the machine.
    fn ungated(&self, heading: &str, unit: Unit) -> Column {
        let cell = |(row, entered): (usize, &Entered<'_>)| match entered.ungated {
            _ if self.analysis.loads[row].is_overloaded() => "-".to_owned(),
            Some(Quantity::Time(time)) => unit.show_quantile(time),
            Some(Quantity::Plain(value)) => thousands(value),
            None => "-".to_owned(),
        };
        (format!("ungated {heading}"), self.rows.iter().enumerate().map(cell).collect())
    }

    /// Rows' parts of the null server's throughput, within rounds, so that what a round did to both falls out; none where the scenario
    /// does not rank by throughput.
    fn of_the_ceiling(&self, stream: &Stream) -> Option<Column> {
        // A row that is for request alone is measured for its own sake.
        let is_ceiling =
            |row: &&Entered<'_>| row.line.row.tier == Tier::Calibration && !row.line.row.on_request;
        let is_asked =
            self.scenario.rank.by == Metric::Throughput && self.scenario.rank.stream == stream.name;
        let ceiling = self.rows.iter().find(is_ceiling).filter(|_| is_asked)?;
        let ceiling = throughput(&ceiling.line, &stream.name, Which::Gated);
        Some(self.column("of the ceiling", |row| {
            let starts = log_ratios(&throughput(&row.line, &stream.name, Which::Gated), &ceiling);
            let ratios = starts.into_iter().flatten().filter_map(|start| Some(start.log_ratio?.exp()));
            cell(&ratios.collect::<Vec<_>>(), |ratio| format!("{ratio:.2}"))
        }))
    }

    fn costs(&self) -> Table {
        let percent = |share: f64| format!("{:.0}%", 100.0 * share);
        let mut columns = vec![
            self.column("row", |row| row.line.label()),
            self.column("kept", |row| kept_cell(&row.line)),
            self.column("server CPU", |row| middle(&row.line, server_busy, percent)),
        ];
        if self.scenario.placement == Placement::Shared {
            let share = |measured: &Measured| measured.accounts.harness_share();
            columns.push(self.column("generator", |row| middle(&row.line, share, percent)));
        }
        columns.extend([
            self.column("CPU us/request", |row| {
                cell(&of_each_start(&cpu_per_request(&row.line)), three_digits)
            }),
            self.column("RSS, MiB", |row| middle(&row.line, resident_mib, three_digits)),
            self.column("errors", |row| {
                thousands(row.line.measured().map(Measured::errors).sum::<u64>() as f64)
            }),
        ]);
        let generator = match self.scenario.placement {
            Placement::Shared => "; generator: what it took of the same CPUs",
            Placement::Split => "",
        };
        let caption = format!("What that took. Kept: windows that count, of those planned{generator}.");
        table(caption, columns)
    }
}

fn table(caption: String, columns: Vec<Column>) -> Table {
    let (headings, columns): (Vec<String>, Vec<Vec<String>>) = columns.into_iter().unzip();
    let rows = columns.first().map_or(0, Vec::len);
    let row = |at: usize| columns.iter().map(|column| column[at].clone()).collect();
    Table { caption, columns: headings, rows: (0..rows).map(row).collect() }
}

/// The median over starts of a value of the windows, without its interval.
fn middle(line: &Line<'_>, value: impl Fn(&Measured) -> f64, show: impl Fn(f64) -> String) -> String {
    let windows: Vec<Windows> = by_window(line, Which::Gated, |measured| Some(value(measured)));
    of_starts(&windows).map_or_else(|| "-".to_owned(), show)
}

/// The part of the server's CPUs that the row had, over the whole stretch.
fn server_busy(measured: &Measured) -> f64 {
    let accounts = &measured.accounts;
    let whole_ns = accounts.stretch_ns as f64 * accounts.cpus.len() as f64;
    accounts.row.total_cpu_ns() as f64 / whole_ns.max(1.0)
}

/// Memory of the whole tree, MiB.
fn resident_mib(measured: &Measured) -> f64 {
    measured.accounts.row.memory.kib as f64 / 1024.0
}

/// Answers within the windows, whenever they were due, of what was due in them: what came later does not count.
fn achieved(line: &Line<'_>, stream: &str) -> String {
    let records = || line.measured().filter_map(|measured| measured.stream(stream));
    let sum = |of: fn(&StreamRecord) -> u64| records().map(of).sum::<u64>();
    match sum(|record| record.due) {
        0 => "-".to_owned(),
        due => {
            let part = sum(|record| record.answered_in_window) as f64 / due as f64;
            format!("{:.1}%", 100.0 * part.min(1.0))
        }
    }
}

/// `median [low, high]`.
fn cell(values: &[f64], show: impl Fn(f64) -> String) -> String {
    match median_interval(values) {
        None => "-".to_owned(),
        Some(_) if values.len() == 1 => show(values[0]),
        // The extremes of a few survivors are no interval at the level that the others have.
        Some(interval) if !interval.is_confident() => {
            format!("{} (of {})", show(interval.median), values.len())
        }
        Some(MedianInterval { median, low, high, .. }) => {
            format!("{} [{}, {}]", show(median), show(low), show(high))
        }
    }
}

/// The same of times.
fn time_cell(middle: &Middle, unit: Unit) -> String {
    let show = |quantile| unit.show_quantile(quantile);
    let median = show(middle.median);
    match middle.count {
        1 => median,
        count if !middle.is_confident => format!("{median} (of {count})"),
        _ => format!("{median} [{}, {}]", show(middle.low), show(middle.high)),
    }
}
