//! One row's starts in a few figures, with an interval that supposes no distribution.
//!
//! It looks at one row alone. Whether two rows differ is not read from two such intervals, which include the
//! differences between blocks that a comparison in pairs takes out: that is [`crate::decide`].

use serde::{Deserialize, Serialize};
use statrs::distribution::{Binomial, DiscreteCDF};

/// The coverage at which an interval for a median aims.
pub const LEVEL: f64 = 0.95;

/// The figures of one row's usable starts, in the unit of its values.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Summary {
    /// How many values there are.
    pub count: usize,
    /// The median and its interval.
    pub median: MedianInterval,
    /// The arithmetic mean.
    pub mean: f64,
    /// The sample standard deviation (divided by n - 1). `None` for a single value.
    pub stdev: Option<f64>,
    /// Standard deviation over mean. `None` for a single value, or where the mean is not positive.
    pub coefficient_of_variation: Option<f64>,
}

/// A median between two of the values it is the median of.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct MedianInterval {
    /// The middle value, or the mean of the two middle values.
    pub median: f64,
    /// The lower end, one of the values.
    pub low: f64,
    /// The upper end, one of the values.
    pub high: f64,
    /// The probability, decided by the number of values alone, with which such an interval contains the true median
    /// of a continuous distribution (and at least that of any other). Six values reach 0.96875 between their extremes;
    /// fewer cannot reach [`LEVEL`], and this says what they do reach: 0 for a single value.
    pub coverage: f64,
}

impl MedianInterval {
    /// Whether the interval has the coverage of [`LEVEL`], so that it may be called a confidence interval.
    pub fn is_confident(&self) -> bool {
        self.coverage >= LEVEL
    }
}

/// Summarises values in any order. `None` when there are none, or one is not finite.
pub fn summarise(values: &[f64]) -> Option<Summary> {
    let median = median_interval(values)?;
    let (mean, stdev) = mean_and_stdev(values);
    let coefficient_of_variation = stdev.filter(|_| mean > 0.0).map(|stdev| stdev / mean);
    Some(Summary { count: values.len(), median, mean, stdev, coefficient_of_variation })
}

/// The median of values in any order, between the k-th smallest and the k-th largest of them, for the largest k that
/// still covers the true median with probability [`LEVEL`] or more, and k = 1 if none does. The number of values
/// below the true median is binomial(n, 1/2), so the coverage is exactly `1 - 2 P(X < k)` (David and Nagaraja, Order
/// Statistics, section 7.1). `None` when there are no values, or one is not finite.
pub fn median_interval(values: &[f64]) -> Option<MedianInterval> {
    if values.is_empty() || values.iter().any(|value| !value.is_finite()) {
        return None;
    }
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let n = sorted.len();
    let (k, coverage) = rank_and_coverage(n as u64)?;
    let middle = (sorted[(n - 1) / 2], sorted[n / 2]);
    Some(MedianInterval {
        median: middle.0.midpoint(middle.1),
        low: sorted[k - 1],
        high: sorted[n - k],
        coverage,
    })
}

/// The rank k of [`median_interval`], and the coverage that it reaches.
fn rank_and_coverage(n: u64) -> Option<(usize, f64)> {
    let below = Binomial::new(0.5, n).ok()?;
    let coverage = |k: u64| (1.0 - 2.0 * below.cdf(k - 1)).max(0.0);
    let k = (1..=n.div_ceil(2)).take_while(|&k| coverage(k) >= LEVEL).last().unwrap_or(1);
    Some((k as usize, coverage(k)))
}

/// The mean, and the standard deviation where there are two values or more.
pub(crate) fn mean_and_stdev(values: &[f64]) -> (f64, Option<f64>) {
    let n = values.len() as f64;
    let mean = values.iter().sum::<f64>() / n;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (mean, (values.len() > 1).then(|| (squares / (n - 1.0)).sqrt()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn six_values_cover_their_median_between_their_extremes_at_31_of_32() {
        let interval = median_interval(&[4.0, 1.0, 6.0, 2.0, 5.0, 3.0]).expect("they are finite");
        assert_eq!((interval.low, interval.median, interval.high), (1.0, 3.5, 6.0));
        assert!((interval.coverage - 0.96875).abs() < 1e-12);
        assert!(interval.is_confident());
    }

    #[test]
    fn five_values_say_that_they_reach_only_15_of_16() {
        let interval = median_interval(&[5.0, 1.0, 2.0, 3.0, 4.0]).expect("they are finite");
        assert_eq!((interval.low, interval.high), (1.0, 5.0));
        assert!((interval.coverage - 0.9375).abs() < 1e-12);
        assert!(!interval.is_confident());
    }

    #[test]
    fn a_single_value_covers_nothing() {
        let summary = summarise(&[7.0]).expect("it is finite");
        assert_eq!((summary.median.low, summary.median.high), (7.0, 7.0));
        assert_eq!(summary.stdev, None);
        assert!(summary.median.coverage < 1e-12);
    }

    #[test]
    fn ranks_and_coverage_are_those_of_the_printed_table() {
        // Le Boudec, Performance Evaluation of Computer and Communication Systems, appendix A.
        for (n, k, coverage) in [(6, 1, 0.969), (8, 1, 0.992), (9, 2, 0.961), (12, 3, 0.961), (20, 6, 0.959)]
        {
            let (rank, reached) = rank_and_coverage(n).expect("a valid n");
            assert_eq!(rank, k, "n = {n}");
            assert!((reached - coverage).abs() < 6e-4, "n = {n}: {reached}");
        }
    }

    #[test]
    fn mean_and_deviation_are_the_textbooks() {
        let summary = summarise(&[2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0]).expect("they are finite");
        let stdev = (32.0_f64 / 7.0).sqrt();
        assert_eq!((summary.count, summary.mean, summary.median.median), (8, 5.0, 4.5));
        assert!(summary.stdev.is_some_and(|measured| (measured - stdev).abs() < 1e-12));
        assert!(summary.coefficient_of_variation.is_some_and(|cv| (cv - stdev / 5.0).abs() < 1e-12));
    }

    #[test]
    fn nothing_is_said_about_no_values_or_values_that_are_none() {
        assert_eq!(summarise(&[]), None);
        assert_eq!(summarise(&[1.0, f64::NAN]), None);
        assert_eq!(summarise(&[f64::INFINITY]), None);
        assert_eq!(summarise(&[-1.0, 1.0]).and_then(|zero_mean| zero_mean.coefficient_of_variation), None);
    }

    proptest! {
        #[test]
        fn coverage_is_the_exact_binomial_sum(n in 1_u64..60) {
            let (k, coverage) = rank_and_coverage(n).expect("a valid n");
            // Pascal's row n, whose sum is 2^n: every count below 60 is exact in an f64's 53 bits or nearly so.
            let mut row = vec![1.0_f64];
            for _ in 0..n {
                let next = std::iter::once(1.0).chain(row.windows(2).map(|two| two[0] + two[1]));
                row = next.chain(std::iter::once(1.0)).collect();
            }
            let outside: f64 = 2.0 * row[..k].iter().sum::<f64>() / 2.0_f64.powi(n as i32);
            prop_assert!((coverage - (1.0 - outside)).abs() < 1e-12);
            prop_assert!(coverage >= LEVEL || k == 1);
        }

        #[test]
        fn the_median_lies_within_its_interval_in_any_order(mut values in prop::collection::vec(-1e9_f64..1e9, 1..40)) {
            let interval = median_interval(&values).expect("they are finite");
            prop_assert!(interval.low <= interval.median && interval.median <= interval.high);
            values.reverse();
            prop_assert_eq!(median_interval(&values), Some(interval));
        }
    }
}
