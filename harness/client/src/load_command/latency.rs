//! A distribution of times as the figures that people and scripts read.

use std::collections::BTreeMap;

use serde::Serialize;
use stats::{
    Censored, Histogram, PercentileInterval, Quantile, histogram::HIGHEST_NS, percentile_interval::Z_99,
};

/// The percentiles, by the names that they have in an export.
const PERCENTILES: [(&str, f64); 7] = [
    ("p50", 0.5),
    ("p75", 0.75),
    ("p90", 0.9),
    ("p95", 0.95),
    ("p99", 0.99),
    ("p99_9", 0.999),
    ("p99_99", 0.9999),
];

/// A distribution of times in microseconds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct LatencyUs {
    /// How many requests it holds, answered or not.
    pub count: u64,
    /// How many of them were never answered, and count as longer than the age at which they were given up.
    pub unanswered: u64,
    /// The mean; a lower bound where some were not answered.
    pub mean: f64,
    /// The shortest.
    pub min: f64,
    /// `p50` to `p99_99`, the p-th percentiles.
    #[serde(flatten)]
    pub percentiles: BTreeMap<&'static str, f64>,
    /// The longest.
    pub max: f64,
    /// The figures that are only known to be at least as long as stated.
    pub at_least: Vec<&'static str>,
    /// 99% order-statistic interval of each percentile. Empty for times that are no statement about the server.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub intervals_99: BTreeMap<&'static str, IntervalUs>,
}

/// A confidence interval in microseconds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct IntervalUs {
    /// Its lower end; `null` where there are too few requests for an interval.
    pub low: Option<f64>,
    /// Its upper end; `null` also where it lies among requests that were never answered.
    pub high: Option<f64>,
    /// Where there are too few requests: how many it takes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needs_requests: Option<u64>,
}

impl From<PercentileInterval> for IntervalUs {
    fn from(interval: PercentileInterval) -> Self {
        match interval {
            PercentileInterval::Between { low_ns, high_ns } => {
                Self { low: Some(us(low_ns)), high: Some(us(high_ns)), needs_requests: None }
            }
            PercentileInterval::AtLeast { low_ns } => Self { low: Some(us(low_ns)), ..Self::default() },
            PercentileInterval::CannotTell { needs } => Self { needs_requests: needs, ..Self::default() },
        }
    }
}

impl LatencyUs {
    /// `None` when nothing was recorded. Intervals are as wide as if so many requests (`inflation`) told as much as one
    /// independent one; without it there are none.
    pub fn of_censored(times: &Censored, inflation: Option<f64>) -> Option<Self> {
        let clamped = times.answered().clamped_above() + times.given_up().clamped_above() > 0;
        let is_bound = |quantile: Quantile| quantile.is_bound() || clamped && quantile.ns() >= HIGHEST_NS;
        let digest = times.digest()?;
        let mut at_least = Vec::new();
        let mut percentiles = BTreeMap::new();
        let mut intervals_99 = BTreeMap::new();
        for (name, q) in PERCENTILES {
            let value = times.quantile(q)?;
            if is_bound(value) {
                at_least.push(name);
            }
            percentiles.insert(name, us(value.ns()));
            if let Some(interval) = inflation.and_then(|by| PercentileInterval::new(times, q, Z_99, by)) {
                intervals_99.insert(name, interval.into());
            }
        }
        if is_bound(digest.max) {
            at_least.push("max");
        }
        if digest.censored > 0 || clamped {
            at_least.push("mean");
        }
        Some(Self {
            count: digest.count,
            unanswered: digest.censored,
            mean: digest.mean_ns / 1000.0,
            min: us(digest.min.ns()),
            percentiles,
            max: us(digest.max.ns()),
            at_least,
            intervals_99,
        })
    }

    /// The same of a distribution in which everything is known.
    pub fn of(times: &Histogram, inflation: Option<f64>) -> Option<Self> {
        Self::of_censored(&Censored::from_parts(times.clone(), Histogram::new()), inflation)
    }

    /// The percentiles in ascending order: name, value, whether that is a lower bound, and interval.
    pub fn rows(&self) -> impl Iterator<Item = (&'static str, f64, bool, IntervalUs)> + '_ {
        PERCENTILES.iter().map(|(name, _)| {
            let interval = self.intervals_99.get(name).copied().unwrap_or_default();
            (*name, self.percentiles[name], self.at_least.contains(name), interval)
        })
    }

    /// Whether there are enough requests for the percentile called `name` to be another figure than the longest.
    pub fn has(&self, name: &str) -> bool {
        PERCENTILES.iter().any(|(known, q)| *known == name && self.count as f64 * (1.0 - q) >= 1.0)
    }

    /// The percentile called `name`, such as `p99`.
    ///
    /// # Panics
    /// There is no such name.
    pub fn percentile(&self, name: &str) -> f64 {
        self.percentiles[name]
    }
}

fn us(ns: u64) -> f64 {
    ns as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unanswered_requests_make_bounds_of_what_they_may_have_moved() {
        let mut times = Censored::new();
        (1..=98).for_each(|us| times.record_ns(us * 1_000));
        (0..2).for_each(|_| times.give_up_ns(5_000_000));
        let figures = LatencyUs::of_censored(&times, Some(1.0)).unwrap();
        assert_eq!((figures.count, figures.unanswered), (100, 2));
        assert_eq!(figures.at_least, ["p99", "p99_9", "p99_99", "max", "mean"]);
        assert!((figures.percentile("p50") - 50.0).abs() < 0.1);
        assert!((figures.percentile("p99") - 5_000.0).abs() < 5.0);
        let json = serde_json::to_value(&figures).unwrap();
        assert!(json["p50"].is_f64() && json["intervals_99"]["p99"]["high"].is_null(), "{json}");
        assert!(json["intervals_99"]["p99"]["needs_requests"].as_u64().is_some_and(|n| n > 100), "{json}");
    }

    #[test]
    fn a_time_beyond_the_range_of_the_histogram_is_a_bound() {
        let mut times = Histogram::new();
        times.record_ns(90_000_000_000);
        assert!(LatencyUs::of(&times, None).unwrap().at_least.contains(&"max"));
        assert_eq!(LatencyUs::of(&Histogram::new(), None), None);
    }
}
