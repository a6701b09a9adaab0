//! What is reported of a period or of the whole run: plain values under the original's names.

use stats::Histogram;

/// A whole run.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    /// All of it.
    pub aggregate: Report,
    /// The periods in which something happened, in order.
    pub intermediate: Vec<Report>,
    /// It was ended early by a person.
    pub interrupted: bool,
}

/// What happened in a period, or in all.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// Names and counts, in the order in which they first occur in a user's life.
    pub counters: Vec<(String, u64)>,
    /// Names and events per second, rounded to whole numbers.
    pub rates: Vec<(String, u64)>,
    /// Names and distributions.
    pub summaries: Vec<(String, Summary)>,
    /// When something was first and last counted, in milliseconds since 1970.
    pub counted_ms: Option<(i64, i64)>,
    /// When a time was first and last recorded, in milliseconds since 1970.
    pub timed_ms: Option<(i64, i64)>,
    /// When the period began, in milliseconds since 1970: a multiple of ten seconds. Of the whole run, its last one.
    pub period_ms: i64,
}

impl Report {
    /// How often `name` was counted; `None` when it never occurred.
    pub fn counter(&self, name: &str) -> Option<u64> {
        find(&self.counters, name).copied()
    }

    /// The rate called `name`, in events per second.
    pub fn rate(&self, name: &str) -> Option<u64> {
        find(&self.rates, name).copied()
    }

    /// The distribution called `name`.
    pub fn summary(&self, name: &str) -> Option<&Summary> {
        find(&self.summaries, name)
    }

    /// When anything was first and last noted, in milliseconds since 1970.
    pub fn noted_ms(&self) -> Option<(i64, i64)> {
        match (self.counted_ms, self.timed_ms) {
            (Some(a), Some(b)) => Some((a.0.min(b.0), a.1.max(b.1))),
            (a, b) => a.or(b),
        }
    }

    /// How many answers had a status that is `wanted`.
    pub fn answers_with(&self, wanted: impl Fn(u16) -> bool) -> u64 {
        let status = |name: &str| name.strip_prefix("http.codes.")?.parse::<u16>().ok();
        self.counters.iter().filter(|(name, _)| status(name).is_some_and(&wanted)).map(|(_, n)| n).sum()
    }
}

fn find<'a, T>(named: &'a [(String, T)], name: &str) -> Option<&'a T> {
    named.iter().find(|(own, _)| own == name).map(|(_, value)| value)
}

/// Times as they are recorded: percentiles to 0.1%, the rest exactly.
#[derive(Clone, Debug, Default)]
pub(super) struct Times {
    histogram: Histogram,
    range_ns: Option<(u64, u64)>,
    sum_ns: u128,
}

impl Times {
    pub(super) fn record_ns(&mut self, ns: u64) {
        self.histogram.record_ns(ns);
        self.sum_ns += u128::from(ns);
        let (min, max) = self.range_ns.get_or_insert((ns, ns));
        *min = (*min).min(ns);
        *max = (*max).max(ns);
    }
}

/// A distribution in figures, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Summary {
    /// The shortest.
    pub min: f64,
    /// The longest.
    pub max: f64,
    /// How many there are.
    pub count: u64,
    /// Their mean.
    pub mean: f64,
    /// The median.
    pub p50: f64,
    /// The 75th percentile.
    pub p75: f64,
    /// The 90th percentile.
    pub p90: f64,
    /// The 95th percentile.
    pub p95: f64,
    /// The 99th percentile.
    pub p99: f64,
    /// The 99.9th percentile.
    pub p999: f64,
}

impl Summary {
    /// Of recorded times; `None` when there is none.
    pub(super) fn of_times(times: &Times) -> Option<Self> {
        let (min_ns, max_ns) = times.range_ns?;
        let n = times.histogram.len();
        // The end of a histogram's cell may lie beyond the longest time in it.
        let quantile = |per_mille: u64| {
            Some(times.histogram.quantile_ns(per_mille as f64 / 1000.0)?.clamp(min_ns, max_ns))
        };
        Self::of(n, times.sum_ns as f64 / n as f64, min_ns, max_ns, quantile)
    }

    /// Of every single value, in nanoseconds; `None` when there is none. A percentile is the value of rank
    /// `ceil(q n)`.
    pub fn of_values(values_ns: &[u64]) -> Option<Self> {
        let mut sorted = values_ns.to_vec();
        sorted.sort_unstable();
        let n = sorted.len() as u64;
        let sum: u128 = sorted.iter().map(|&ns| u128::from(ns)).sum();
        let quantile = |per_mille: u64| {
            let rank = (per_mille * n).div_ceil(1000).max(1);
            sorted.get(usize::try_from(rank - 1).ok()?).copied()
        };
        Self::of(n, sum as f64 / n as f64, *sorted.first()?, *sorted.last()?, quantile)
    }

    fn of(
        count: u64,
        mean_ns: f64,
        min_ns: u64,
        max_ns: u64,
        quantile: impl Fn(u64) -> Option<u64>,
    ) -> Option<Self> {
        let at = |per_mille| quantile(per_mille).map(|ns| milliseconds(ns as f64));
        Some(Self {
            min: milliseconds(min_ns as f64),
            max: milliseconds(max_ns as f64),
            count,
            mean: milliseconds(mean_ns),
            p50: at(500)?,
            p75: at(750)?,
            p90: at(900)?,
            p95: at(950)?,
            p99: at(990)?,
            p999: at(999)?,
        })
    }
}

/// To one decimal, as the original rounds, from 10 ms upwards; to three below: a tenth of a millisecond says nothing of
/// a server that answers in half of one.
fn milliseconds(ns: f64) -> f64 {
    let ms = ns / 1e6;
    let parts = if ms < 10.0 { 1000.0 } else { 10.0 };
    (ms * parts).round() / parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_a_thousand_values_the_percentiles_are_known() {
        // 1 ms to 1000 ms: percentile p is 10 p ms, the mean 500.5 ms.
        let values: Vec<u64> = (1..=1000).rev().map(|ms| ms * 1_000_000).collect();
        let exact = Summary::of_values(&values).unwrap();
        let expected = Summary {
            min: 1.0,
            max: 1000.0,
            count: 1000,
            mean: 500.5,
            p50: 500.0,
            p75: 750.0,
            p90: 900.0,
            p95: 950.0,
            p99: 990.0,
            p999: 999.0,
        };
        assert_eq!(exact, expected);
        let mut times = Times::default();
        values.iter().for_each(|&ns| times.record_ns(ns));
        let close = Summary::of_times(&times).unwrap();
        assert_eq!((close.count, close.min, close.max, close.mean), (1000, 1.0, 1000.0, 500.5));
        for (close, exact) in [(close.p50, 500.0), (close.p99, 990.0), (close.p999, 999.0)] {
            assert!((close / exact - 1.0).abs() <= 0.001, "{close} is not {exact}");
        }
    }

    #[test]
    fn nothing_has_no_distribution() {
        assert_eq!(Summary::of_values(&[]), None);
        assert_eq!(Summary::of_times(&Times::default()), None);
    }

    #[test]
    fn a_single_value_is_every_percentile() {
        let mut times = Times::default();
        times.record_ns(1_234_567_890);
        let summary = Summary::of_times(&times).unwrap();
        assert_eq!((summary.min, summary.p50, summary.p999, summary.max), (1234.6, 1234.6, 1234.6, 1234.6));
        let summary = Summary::of_values(&[70_000_000_000]).unwrap();
        assert_eq!(
            (summary.min, summary.p50, summary.p999, summary.max),
            (70_000.0, 70_000.0, 70_000.0, 70_000.0)
        );
    }

    #[test]
    fn short_times_keep_microseconds_and_long_ones_a_tenth() {
        assert_eq!(
            [milliseconds(52_649.0), milliseconds(9_999_400.0), milliseconds(56_872_000.0)],
            [0.053, 9.999, 56.9]
        );
    }

    #[test]
    fn answers_are_found_by_status_and_304_is_no_redirect() {
        let counters = [
            ("http.codes.301", 2),
            ("http.codes.302", 3),
            ("http.codes.304", 9),
            ("http.codes.200", 7),
            ("http.responses", 12),
        ];
        let report =
            Report { counters: counters.map(|(name, n)| (name.to_owned(), n)).into(), ..Report::default() };
        assert_eq!((report.answers_with(load::is_redirect), report.answers_with(|s| s / 100 == 4)), (5, 0));
    }
}
