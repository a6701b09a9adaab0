//! One figure of every row as the comparison takes it: by window, or merged over each start.

use race::{
    plan::scenario::{Metric, Scenario},
    records::window::Measured,
};
use stats::{
    rounds::{Between, StartRatio, Windows, every_pair, log_ratios, usable_starts},
    tail::{RowTail, every_tail_pair, merged_log_ratios},
};

use crate::counts::{
    kept::{Line, Start, Which},
    times::{MERGED_FROM, StreamTimes, name_of},
};

/// A figure that rows can be compared by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Figure {
    /// Right answers of a stream per second of the window.
    Throughput,
    /// CPU time of the row's tree per right answer, of all streams.
    CpuPerRequest,
    /// What the row's tree held in memory, of all streams.
    Memory,
    /// What the row's tree takes of memory for each open connection on which nothing happens.
    IdleMemory,
    /// A percentile of a stream's response time.
    Percentile(f64),
}

impl Figure {
    /// How tables and sentences call it.
    pub fn name(self) -> String {
        match self {
            Self::Throughput => "throughput".to_owned(),
            Self::CpuPerRequest => "CPU a request".to_owned(),
            Self::Memory => "memory".to_owned(),
            Self::IdleMemory => "memory of an idle connection".to_owned(),
            Self::Percentile(q) => name_of(q),
        }
    }
}

/// A figure of some rows.
#[derive(Clone, Debug)]
pub(crate) enum Compared {
    /// Each row's value in every window: compared within rounds.
    Windows(Vec<Vec<Windows>>),
    /// Each row's merged windows of every start.
    Merged(Vec<RowTail>),
}

/// The figure that the scenario compares its rows by.
pub(crate) fn ranked(scenario: &Scenario) -> Figure {
    match scenario.rank.by {
        Metric::Throughput => Figure::Throughput,
        Metric::IdleMemory => Figure::IdleMemory,
        by @ (Metric::P95 | Metric::P99) => Figure::Percentile(by.percentile().unwrap_or(0.5)),
    }
}

/// A value of every window of a row.
pub(crate) fn by_window(
    line: &Line<'_>,
    which: Which,
    value: impl Fn(&Measured) -> Option<f64>,
) -> Vec<Windows> {
    let of_start = |start: &Start<'_>| {
        let windows = start.windows(which).iter();
        windows.map(|window| window.and_then(|window| value(window.measured))).collect()
    };
    line.starts.iter().map(of_start).collect()
}

/// Right answers per second of each window, of the stream called `stream`.
pub(crate) fn throughput(line: &Line<'_>, stream: &str, which: Which) -> Vec<Windows> {
    by_window(line, which, |measured| Some(measured.answered_per_second(measured.stream(stream)?)))
}

/// Memory of the row's tree for each open connection on which nothing happens, in each window, bytes.
pub(crate) fn idle_bytes(line: &Line<'_>, which: Which) -> Vec<Windows> {
    by_window(line, which, |measured| measured.idle?.bytes_each())
}

/// The figure that rows are compared by in each window, where it is no percentile.
pub(crate) fn ranked_windows(scenario: &Scenario, line: &Line<'_>, which: Which) -> Vec<Windows> {
    match ranked(scenario) {
        Figure::IdleMemory => idle_bytes(line, which),
        _ => throughput(line, &scenario.rank.stream, which),
    }
}

/// CPU time of the row's tree per right answer in each window, microseconds.
pub(crate) fn cpu_per_request(line: &Line<'_>) -> Vec<Windows> {
    by_window(line, Which::Gated, |measured| Some(measured.cpu_per_request_us()))
}

/// Memory of the row's tree at the end of each window, MiB.
pub(crate) fn resident_mib(line: &Line<'_>) -> Vec<Windows> {
    by_window(line, Which::Gated, |measured| Some(measured.accounts.row.memory.kib as f64 / 1024.0))
}

/// Each window's own percentile, nanoseconds.
pub(crate) fn own_percentiles(tail: &RowTail) -> Vec<Windows> {
    let own = |window: &Option<stats::Quantile>| window.map(|quantile| quantile.ns() as f64);
    tail.starts.iter().map(|start| start.windows.iter().map(own).collect()).collect()
}

impl Compared {
    /// `figure` of the stream called `stream`, of rows with these windows and response times.
    pub(crate) fn of<'a>(
        figure: Figure,
        stream: &str,
        rows: impl IntoIterator<Item = (&'a Line<'a>, &'a StreamTimes)>,
    ) -> Self {
        let rows = rows.into_iter();
        match figure {
            Figure::Throughput => {
                Self::Windows(rows.map(|(line, _)| throughput(line, stream, Which::Gated)).collect())
            }
            Figure::CpuPerRequest => Self::Windows(rows.map(|(line, _)| cpu_per_request(line)).collect()),
            Figure::Memory => Self::Windows(rows.map(|(line, _)| resident_mib(line)).collect()),
            Figure::IdleMemory => {
                Self::Windows(rows.map(|(line, _)| idle_bytes(line, Which::Gated)).collect())
            }
            Figure::Percentile(q) => {
                let tails = rows.filter_map(|(_, times)| times.tail(q).cloned());
                match q < MERGED_FROM {
                    true => Self::Windows(tails.map(|tail| own_percentiles(&tail)).collect()),
                    false => Self::Merged(tails.collect()),
                }
            }
        }
    }

    /// Every two of the rows `entered`, once.
    pub(crate) fn every_pair(&self, entered: &[usize]) -> Vec<Between> {
        match self {
            Self::Windows(rows) => every_pair(rows, entered),
            Self::Merged(rows) => every_tail_pair(rows, entered),
        }
    }

    /// In how many starts at least half of a row's windows count.
    pub(crate) fn usable_starts(&self, row: usize) -> usize {
        match self {
            Self::Windows(rows) => usable_starts(&rows[row]),
            Self::Merged(rows) => rows[row].usable_starts(),
        }
    }

    /// The log ratios of two rows by start; `None` where a value has none.
    pub(crate) fn by_start(&self, first: usize, second: usize) -> Option<Vec<StartRatio>> {
        match self {
            Self::Windows(rows) => log_ratios(&rows[first], &rows[second]).ok(),
            Self::Merged(rows) => Some(merged_log_ratios(&rows[first], &rows[second])),
        }
    }

    /// The log ratios of two rows in each window, by start: of a merged percentile those of the windows' own.
    pub(crate) fn within_starts(&self, first: usize, second: usize) -> Vec<Vec<f64>> {
        let windows = |row: usize| match self {
            Self::Windows(rows) => rows[row].clone(),
            Self::Merged(rows) => own_percentiles(&rows[row]),
        };
        let of_start = |(first, second): (Windows, Windows)| {
            let log =
                |(a, b): (Option<f64>, Option<f64>)| Some(a?.ln() - b?.ln()).filter(|log| log.is_finite());
            first.into_iter().zip(second).filter_map(log).collect()
        };
        windows(first).into_iter().zip(windows(second)).map(of_start).collect()
    }
}
