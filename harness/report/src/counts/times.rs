//! The response times of one row: percentiles of its windows and of its starts, and whether there is enough behind them.
//!
//! A distribution is some hundred kilobytes, so that no more than those of one start are decoded at a time.

use std::time::Duration;

use race::records::window::{Measured, StreamRecord};
use stats::{
    Censored, Quantile, Sparse,
    exceedances::{Clusters, Support},
    tail::RowTail,
};

use crate::counts::kept::{Line, Which, Window};

/// The percentiles that are known of every stream.
pub(crate) const PERCENTILES: [f64; 5] = [0.5, 0.9, 0.95, 0.99, 0.999];

/// From this percentile on a window sees too few requests: those of a start are merged (METHODOLOGY.md, "Comparing"). Below, a start is
/// the median of its windows.
pub(crate) const MERGED_FROM: f64 = 0.9;

/// How a percentile is called: `p99.9`.
pub(crate) fn name_of(q: f64) -> String {
    // Without the digits that binary fractions leave.
    let percent = (q * 1e5).round() / 1e3;
    format!("p{percent}")
}

/// How programs call it, in microseconds: `p99_9_us`.
pub(crate) fn key_of(q: f64) -> String {
    format!("{}_us", name_of(q).replace('.', "_"))
}

/// The response times of one stream of one row.
#[derive(Debug)]
pub(crate) struct StreamTimes {
    /// One for each of [`PERCENTILES`].
    tails: Vec<RowTail>,
    /// How many independent moments are behind each.
    clusters: Vec<Clusters>,
}

impl StreamTimes {
    /// Those of the windows that count.
    pub(crate) fn of(line: &Line<'_>, stream: &str) -> Self {
        let tails =
            RowTail::of_each(&PERCENTILES, decoded(line, stream, Which::Gated, StreamRecord::response_times));
        let clusters = tails.iter().map(|tail| clusters(line, stream, tail.merged)).collect();
        Self { tails, clusters }
    }

    /// The percentile `q`, which is one of [`PERCENTILES`].
    pub(crate) fn tail(&self, q: f64) -> Option<&RowTail> {
        self.tails.iter().find(|tail| tail.q == q)
    }

    /// Whether it may be printed. What it needs is time in windows here.
    pub(crate) fn support(&self, q: f64) -> Support {
        let at = self.tails.iter().position(|tail| tail.q == q);
        at.map_or(Support::Nothing, |at| self.clusters[at].support())
    }

    /// The time in windows that it rests on.
    pub(crate) fn measured(&self) -> Duration {
        self.clusters.first().map_or(Duration::ZERO, |clusters| clusters.measured)
    }
}

/// The percentile `q` of the windows that count, and nothing else of them.
pub(crate) fn response(line: &Line<'_>, stream: &str, q: f64) -> RowTail {
    RowTail::of_each(&[q], decoded(line, stream, Which::Gated, StreamRecord::response_times)).remove(0)
}

/// The percentile `q` as an observer at the socket would have it.
pub(crate) fn observed(line: &Line<'_>, stream: &str, q: f64) -> RowTail {
    RowTail::of_each(&[q], decoded(line, stream, Which::Gated, StreamRecord::observed_times)).remove(0)
}

/// The percentile `q` of all windows that count by themselves, whatever happened to the machine.
pub(crate) fn ungated(line: &Line<'_>, stream: &str, q: f64) -> RowTail {
    let windows = decoded(line, stream, Which::Ungated, StreamRecord::response_times);
    RowTail::of_each(&[q], windows).remove(0)
}

/// Start by start, as they are asked for.
fn decoded<'a>(
    line: &'a Line<'_>,
    stream: &'a str,
    which: Which,
    of: fn(&StreamRecord) -> Censored<Sparse>,
) -> impl Iterator<Item = Vec<Option<Censored<Sparse>>>> + 'a {
    line.starts.iter().map(move |start| {
        let times = |window: &Option<Window<'_>>| window.and_then(|it| it.measured.stream(stream)).map(of);
        start.windows(which).iter().map(times).collect()
    })
}

/// Independent moments in which requests took longer than `percentile`, over all windows that count.
fn clusters(line: &Line<'_>, stream: &str, percentile: Option<Quantile>) -> Clusters {
    let Some(percentile) = percentile else { return Clusters::default() };
    line.measured().map(|measured| of_window(measured, stream, percentile)).sum()
}

fn of_window(measured: &Measured, stream: &str, percentile: Quantile) -> Clusters {
    let window = Duration::from_secs_f64(measured.window_s);
    let Some(stream) = measured.stream(stream) else { return Clusters::default() };
    // Rounded down to microseconds, so that one that is longer by less does not count.
    let exceeds = |&max_us: &u64| u64::from(max_us.saturating_mul(1000) > percentile.ns());
    let exceeding: Vec<u64> = stream.slices.max_us.iter().map(exceeds).collect();
    let answered = Clusters::of_slices(&exceeding, Duration::from_nanos(stream.slices.width_ns), window);
    // What was never answered is in no slice, and was long: it is one moment at least.
    Clusters { count: answered.count.max(u64::from(stream.censored > 0)), ..answered }
}
