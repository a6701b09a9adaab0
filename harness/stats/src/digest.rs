//! The few figures of a distribution that go into a record.
//!
//! A digest is for reading: digests cannot be merged, and percentiles of several windows are never averaged.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};

use crate::censored::{Censored, Quantile};
use crate::histogram::Histogram;

/// A latency distribution in a dozen figures. Nanoseconds throughout.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Digest {
    /// How many were recorded, answered or not.
    pub count: u64,
    /// How many were never answered and count as "more than their age".
    pub censored: u64,
    /// How many lay outside the histogram's range and were moved to its nearer end.
    pub clamped: u64,
    /// The mean, with unanswered requests at the age at which they were given up: a lower bound when there are any.
    pub mean_ns: f64,
    /// The shortest.
    pub min: Quantile,
    /// The median.
    pub p50: Quantile,
    /// 90% took at most this.
    pub p90: Quantile,
    /// 95% took at most this.
    pub p95: Quantile,
    /// 99% took at most this.
    pub p99: Quantile,
    /// 99.9% took at most this.
    pub p999: Quantile,
    /// The longest.
    pub max: Quantile,
}

impl Censored {
    /// The figures of this distribution. `None` when empty.
    pub fn digest(&self) -> Option<Digest> {
        let (answered, given_up) = (self.answered(), self.given_up());
        let weighted = |part: &Histogram| part.mean_ns().map_or(0.0, |mean| mean * part.len() as f64);
        let mean_ns = (weighted(answered) + weighted(given_up)) / self.len() as f64;
        Some(Digest {
            count: self.len(),
            censored: self.censored(),
            clamped: answered.clamped() + given_up.clamped(),
            mean_ns,
            min: self.quantile(0.0)?,
            p50: self.quantile(0.5)?,
            p90: self.quantile(0.9)?,
            p95: self.quantile(0.95)?,
            p99: self.quantile(0.99)?,
            p999: self.quantile(0.999)?,
            max: self.quantile(1.0)?,
        })
    }
}

impl Histogram {
    /// The figures of this distribution, all of them exact. `None` when empty.
    pub fn digest(&self) -> Option<Digest> {
        let at = |q| self.quantile_ns(q).map(Quantile::Exactly);
        Some(Digest {
            count: self.len(),
            censored: 0,
            clamped: self.clamped(),
            mean_ns: self.mean_ns()?,
            min: at(0.0)?,
            p50: at(0.5)?,
            p90: at(0.9)?,
            p95: at(0.95)?,
            p99: at(0.99)?,
            p999: at(0.999)?,
            max: at(1.0)?,
        })
    }
}

/// As its [`Digest`], or null when empty: records are read by people, and the cells would be most of their bytes.
impl Serialize for Histogram {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.digest().serialize(serializer)
    }
}

/// As its [`Digest`], or null when empty.
impl Serialize for Censored {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.digest().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_distribution_is_null_in_a_record() {
        assert_eq!(serde_json::to_string(&Histogram::new()).expect("it serialises"), "null");
        assert_eq!(serde_json::to_string(&Censored::new()).expect("it serialises"), "null");
    }

    #[test]
    fn a_digest_survives_its_record_and_names_bounds_as_such() {
        let mut all = Censored::new();
        (1..=98).for_each(|us| all.record_ns(us * 1_000));
        (0..2).for_each(|_| all.give_up_ns(1_000_000_000));
        let json = serde_json::to_string(&all).expect("it serialises");
        assert!(json.contains(r#""p99":{"at_least_ns":"#), "{json}");
        assert!(json.contains(r#""p50":{"exactly_ns":5"#), "{json}");
        let back: Digest = serde_json::from_str(&json).expect("it is a digest");
        assert_eq!(Some(back), all.digest());
    }

    #[test]
    fn a_distribution_without_censoring_has_the_digest_of_its_histogram() {
        let mut all = Censored::new();
        (1..=1_000).for_each(|us| all.record_ns(us * 1_000));
        let (censored, plain) =
            (all.digest().expect("not empty"), all.answered().digest().expect("not empty"));
        assert!((censored.mean_ns / plain.mean_ns - 1.0).abs() < 1e-12);
        assert_eq!(Digest { mean_ns: plain.mean_ns, ..censored }, plain);
    }
}
