//! What two rows' trials say about the ratio of one to the other.
//!
//! Rows are compared within blocks: what makes one block slower than another, a neighbour or the temperature, strikes
//! both and cancels in their ratio. Ratios are averaged as logarithms, so that it does not matter which row is divided
//! by which. It judges one pair and refuses to know that there are others: a claim goes through
//! [`crate::holm`] first.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ratio::ratio_of;
use crate::student::StudentT;
use crate::summary::mean_and_stdev;

pub use crate::ratio::Interval;
pub(crate) use crate::ratio::{NO_SPREAD, has_logarithm};

/// The ratio of one row to another over the blocks that have both.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Estimate {
    /// In how many blocks both rows have a value.
    pub blocks: usize,
    /// The geometric mean of the ratios within blocks, first row over second.
    pub ratio: f64,
    /// The p-value of the hypothesis that the true ratio is 1, of this pair alone.
    pub p_value: f64,
    /// Where the p-value comes from.
    pub test: Test,
    /// Mean and standard error of the log ratios.
    #[serde(skip)]
    log: LogRatio,
}

/// How a p-value was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Test {
    /// Student's t on the log ratios, two-sided, with one degree of freedom less than there are blocks.
    StudentT,
    /// All ratios are the same number, so that their spread cannot be estimated and there is no t and no interval. Had
    /// each block's ratio been as likely turned over, all n on one side had probability `2^(1 - n)`: that is the
    /// p-value, and 1 where the ratio is 1.
    SignFlip,
}

/// Why two rows have no ratio.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NoEstimate {
    /// Fewer than two blocks have both rows.
    TooFewCommonBlocks {
        /// How many have both.
        common: usize,
    },
    /// A value is zero, negative or not finite and has no logarithm.
    NotPositive {
        /// The block, counted from 0.
        block: usize,
    },
}

impl fmt::Display for NoEstimate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewCommonBlocks { common } => {
                write!(f, "{common} blocks have both rows, and two are needed")
            }
            Self::NotPositive { block } => {
                write!(f, "a value in block {block} is not positive and has no ratio")
            }
        }
    }
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
struct LogRatio {
    mean: f64,
    standard_error: f64,
}

/// Compares two rows, each with its value in every block, `None` where the trial is missing.
///
/// # Errors
/// When the rows have fewer than two blocks in common, or one of their common values has no logarithm.
pub fn estimate(first: &[Option<f64>], second: &[Option<f64>]) -> Result<Estimate, NoEstimate> {
    let mut logs = Vec::new();
    for (block, values) in first.iter().zip(second).enumerate() {
        if let (&Some(first), &Some(second)) = values {
            if !(has_logarithm(first) && has_logarithm(second)) {
                return Err(NoEstimate::NotPositive { block });
            }
            logs.push(first.ln() - second.ln());
        }
    }
    let blocks = logs.len();
    let (mean, stdev) = mean_and_stdev(&logs);
    let (Some(stdev), Some(t)) = (stdev, StudentT::new(blocks.saturating_sub(1))) else {
        return Err(NoEstimate::TooFewCommonBlocks { common: blocks });
    };
    let standard_error = stdev / (blocks as f64).sqrt();
    let (test, p_value) = if stdev > NO_SPREAD {
        (Test::StudentT, t.two_sided_p(mean / standard_error))
    } else if mean.abs() <= NO_SPREAD {
        (Test::SignFlip, 1.0)
    } else {
        (Test::SignFlip, 0.5_f64.powf(blocks as f64 - 1.0))
    };
    Ok(Estimate { blocks, ratio: ratio_of(mean), p_value, test, log: LogRatio { mean, standard_error } })
}

impl Estimate {
    /// Student's t interval for the ratio: a method that misses the true ratio with probability `alpha`, when the log
    /// ratios of the blocks are independent and normal. `None` where the ratios have no spread to judge by.
    pub fn interval(&self, alpha: f64) -> Option<Interval> {
        let t = StudentT::new(self.blocks - 1).filter(|_| self.test == Test::StudentT)?;
        let half_width = t.critical(alpha) * self.log.standard_error;
        Some(Interval {
            low: ratio_of(self.log.mean - half_width),
            high: ratio_of(self.log.mean + half_width),
            alpha,
        })
    }

    /// How far the ratio is from 1 in either direction, as the logarithm of a ratio of 1 or more.
    pub(crate) fn distance_log(&self) -> f64 {
        self.log.mean.abs()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

    fn all(values: &[f64]) -> Vec<Option<f64>> {
        values.iter().copied().map(Some).collect()
    }

    #[test]
    fn students_own_sleep_data_give_his_interval_and_p() {
        // Student 1908: extra hours of sleep under two drugs, ten patients; every textbook prints t = 4.0621 with 9
        // degrees of freedom, p = 0.002833 and the 95% interval 0.7001142 to 2.4598858. Here hours are logarithms.
        let drug_1 = [0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0];
        let drug_2 = [1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4];
        let estimate =
            estimate(&all(&drug_2.map(f64::exp)), &all(&drug_1.map(f64::exp))).expect("ten common blocks");
        let interval = estimate.interval(0.05).expect("there is spread");
        assert!((estimate.p_value - 0.002833).abs() < 1e-6, "{}", estimate.p_value);
        assert!((estimate.ratio.ln() - 1.58).abs() < 1e-12);
        assert!((interval.low.ln() - 0.7001142).abs() < 1e-6, "{interval:?}");
        assert!((interval.high.ln() - 2.4598858).abs() < 1e-6, "{interval:?}");
    }

    #[test]
    fn what_slows_a_whole_block_cancels() {
        let (first, second) = ([100.0, 102.0, 99.0], [50.0, 50.5, 49.8]);
        let slow = |values: [f64; 3]| all(&[values[0], values[1] * 0.3, values[2]]);
        let (calm, disturbed) =
            (estimate(&all(&first), &all(&second)), estimate(&slow(first), &slow(second)));
        let (calm, disturbed) = (calm.expect("three blocks"), disturbed.expect("three blocks"));
        assert!((calm.p_value - disturbed.p_value).abs() < 1e-9);
        assert!((calm.ratio - disturbed.ratio).abs() < 1e-12);
    }

    #[test]
    fn only_blocks_that_have_both_rows_count() {
        let first = [Some(2.0), None, Some(4.0), Some(2.0)];
        let second = [Some(1.0), Some(9.0), Some(1.0), None];
        let estimate = estimate(&first, &second).expect("two common blocks");
        assert_eq!(estimate.blocks, 2);
        assert!((estimate.ratio - 8.0_f64.sqrt()).abs() < 1e-12);
    }

    #[test]
    fn one_common_block_is_too_few_however_long_the_rows() {
        let answer = estimate(&[Some(1.0), None, Some(1.0)], &[Some(1.0), Some(1.0), None]);
        assert_eq!(answer, Err(NoEstimate::TooFewCommonBlocks { common: 1 }));
        assert_eq!(estimate(&[], &[]), Err(NoEstimate::TooFewCommonBlocks { common: 0 }));
    }

    #[test]
    fn a_value_without_a_logarithm_is_named_by_its_block() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let answer = estimate(&all(&[1.0, value, 1.0]), &all(&[1.0, 1.0, 1.0]));
            assert_eq!(answer, Err(NoEstimate::NotPositive { block: 1 }));
        }
    }

    #[test]
    fn identical_rows_are_certainly_not_different() {
        let row = all(&[3.0, 4.0, 5.0]);
        let estimate = estimate(&row, &row).expect("three blocks");
        assert_eq!((estimate.test, estimate.p_value, estimate.ratio), (Test::SignFlip, 1.0, 1.0));
        assert_eq!(estimate.interval(0.05), None);
    }

    #[test]
    fn a_ratio_that_never_varies_is_judged_by_its_sign_alone() {
        let first = all(&[2.2, 4.4, 6.6, 8.8, 3.3, 1.1]);
        let second = all(&[1.1, 2.2, 3.3, 4.4, 1.65, 0.55]);
        let estimate = estimate(&first, &second).expect("six blocks");
        assert_eq!(estimate.test, Test::SignFlip);
        assert!((estimate.p_value - 1.0 / 32.0).abs() < 1e-15);
        assert!((estimate.ratio - 2.0).abs() < 1e-9);
    }

    #[test]
    fn no_interval_ends_at_infinity() {
        let estimate = estimate(&all(&[1e-300, 1.0]), &all(&[1.0, 1e300])).expect("two blocks");
        let wild = super::estimate(&all(&[1e-300, 1e300]), &all(&[1e300, 1e-300])).expect("two blocks");
        for interval in [estimate.interval(1e-4), wild.interval(1e-4)].into_iter().flatten() {
            assert!(interval.low >= 0.0 && interval.high.is_finite(), "{interval:?}");
        }
    }

    #[test]
    fn intervals_at_95_percent_miss_the_truth_once_in_twenty() {
        let mut lcg = Lcg::new(8);
        let mut missed = 0;
        for _ in 0..2_000 {
            let first: Vec<f64> = (0..6).map(|_| (0.1 * lcg.normal()).exp() * 1.3).collect();
            let second: Vec<f64> = (0..6).map(|_| (0.1 * lcg.normal()).exp()).collect();
            let estimate = estimate(&all(&first), &all(&second)).expect("six blocks");
            missed += u32::from(estimate.interval(0.05).is_some_and(|interval| !interval.contains(1.3)));
        }
        // 100 expected, with a standard deviation of 9.7.
        assert!((70..=130).contains(&missed), "{missed} of 2000");
    }

    proptest! {
        #[test]
        fn swapping_the_rows_turns_the_ratio_over_and_nothing_else(
            values in prop::collection::vec((0.1_f64..1e6, 0.1_f64..1e6), 2..12),
        ) {
            let (first, second): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            let there = estimate(&all(&first), &all(&second)).expect("two blocks or more");
            let back = estimate(&all(&second), &all(&first)).expect("two blocks or more");
            prop_assert!((there.ratio * back.ratio - 1.0).abs() < 1e-9);
            prop_assert!((there.p_value - back.p_value).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&there.p_value));
        }

        #[test]
        fn an_interval_leaves_1_out_exactly_when_p_is_below_its_alpha(
            values in prop::collection::vec((1.0_f64..2.0, 1.2_f64..2.4), 2..12), alpha in 0.001_f64..0.5,
        ) {
            let (first, second): (Vec<f64>, Vec<f64>) = values.into_iter().unzip();
            let estimate = estimate(&all(&first), &all(&second)).expect("two blocks or more");
            prop_assume!((estimate.p_value / alpha - 1.0).abs() > 1e-6);
            let interval = estimate.interval(alpha).expect("there is spread");
            prop_assert_eq!(interval.contains(1.0), estimate.p_value > alpha);
        }
    }
}
