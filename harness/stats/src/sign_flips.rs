//! Known answers from a recorded run of a row against itself: every way in which it could have come out.
//!
//! Which of two servers of one row is called the first is arbitrary, in every start anew. So each of the 2^n ways to
//! swap them was as likely as the one recorded, and the share of them in which the comparison finds a difference is exactly
//! how often it errs on noise of this kind, normal or not (Fisher, The Design of Experiments, section 21). It holds the
//! comparison to its word without a new measurement.

use serde::Serialize;

use crate::ratio::{NO_SPREAD, ratio_of};
use crate::student::StudentT;

/// The most starts that are gone through: of the 2^22 ways half are mirror images of the others, and two million sums take
/// 16 MiB.
pub const MOST_STARTS: usize = 22;

/// What the comparison finds in all sign flips of one run.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct SignFlips {
    /// How many starts were flipped: n.
    pub starts: usize,
    /// How many ways there are: `2^n`.
    pub flips: u64,
    /// In how many of them Student's t finds a difference at the level asked.
    pub found: u64,
    /// In how many of them the ratio is at least as far from 1 as in the run itself.
    pub as_extreme: u64,
    /// The ratio that is exceeded, in either direction, in at most one of twenty flips: the exact counterpart of
    /// [`crate::itself::AgainstItself::once_in_twenty`].
    pub once_in_twenty: f64,
}

impl SignFlips {
    /// Goes through all flips of the log ratios of a run, one a start, and judges each at level `alpha`.
    ///
    /// The sum of squares is the same for all flips, so that t grows with the absolute mean and a decision is a
    /// threshold for it. `None` with fewer than two starts, more than [`MOST_STARTS`], a log that is not finite, or where
    /// all are 0.
    pub fn of(logs: &[f64], alpha: f64) -> Option<Self> {
        let n = logs.len();
        let student = StudentT::new(n.checked_sub(1)?)?;
        let squares: f64 = logs.iter().map(|log| log * log).sum();
        if n > MOST_STARTS || !squares.is_finite() || squares <= NO_SPREAD * NO_SPREAD {
            return None;
        }
        // t^2 = (n - 1) S^2 / (n Q - S^2), so that |t| > c where S^2 > c^2 n Q / (n - 1 + c^2).
        let critical = student.critical(alpha).powi(2);
        let df = (n - 1) as f64;
        let share = if critical.is_finite() { critical / (df + critical) } else { 1.0 };
        let threshold = (share * n as f64 * squares).sqrt();
        // Rounding of sums must not part flips that are equally extreme.
        let slack = 1e-12 * (n as f64 * squares).sqrt();
        let recorded = logs.iter().sum::<f64>().abs();

        let sums = sums_with_the_first_sign_kept(logs);
        let count = |over: f64| 2 * sums.iter().filter(|&&sum| sum > over).count() as u64;
        Some(Self {
            starts: n,
            flips: 1 << n,
            found: count(threshold + slack),
            as_extreme: count(recorded - slack),
            once_in_twenty: ratio_of(upper_twentieth(sums) / n as f64),
        })
    }

    /// The share of flips in which a difference is found: what `alpha` promises.
    pub fn share_found(&self) -> f64 {
        self.found as f64 / self.flips as f64
    }

    /// The exact p-value of the run itself.
    pub fn p_value(&self) -> f64 {
        self.as_extreme as f64 / self.flips as f64
    }
}

/// The absolute sums of all flips that keep the first sign; the others are their mirror images.
fn sums_with_the_first_sign_kept(logs: &[f64]) -> Vec<f64> {
    let mut sums = vec![logs[0]];
    sums.reserve_exact((1 << (logs.len() - 1)) - 1);
    for log in &logs[1..] {
        for i in 0..sums.len() {
            let sum = sums[i];
            sums[i] = sum + log;
            sums.push(sum - log);
        }
    }
    sums.iter_mut().for_each(|sum| *sum = sum.abs());
    sums
}

/// The smallest of the values that at most one in twenty exceeds.
fn upper_twentieth(mut values: Vec<f64>) -> f64 {
    let at = values.len() - 1 - values.len() / 20;
    *values.select_nth_unstable_by(at, f64::total_cmp).1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contrast::{Contrast, tests::starts};
    use crate::lcg::Lcg;

    #[test]
    fn equal_ratios_follow_the_binomial_distribution() {
        // Six ratios of one size: |S| = 6 in 2 of 64 flips and 4 in 12. Student's t is infinite for 6; for 4 it is
        // sqrt(5) x 4 / sqrt(36 - 16) = 2, below the 2.571 of five degrees of freedom.
        let flips = SignFlips::of(&[0.1; 6], 0.05).expect("six starts");
        assert_eq!((flips.flips, flips.found, flips.as_extreme), (64, 2, 2));
        assert!((flips.p_value() - 1.0 / 32.0).abs() < 1e-15);
        // 2 of 64 exceed 4/6 of the ratio, and 14 would exceed anything less.
        assert!((flips.once_in_twenty.ln() - 0.1 * 4.0 / 6.0).abs() < 1e-12, "{flips:?}");
    }

    #[test]
    fn fishers_own_fifteen_pairs_of_plants_give_his_count() {
        // Darwin's maize, differences in eighths of an inch; The Design of Experiments, section 21: in 863 of 32,768 ways
        // the sum is 314 or more, so that 1,726 are as extreme, p = 0.05267.
        let eighths =
            [49.0, -67.0, 8.0, 16.0, 6.0, 23.0, 28.0, 41.0, 14.0, 29.0, 56.0, 24.0, 75.0, 60.0, -48.0];
        let flips = SignFlips::of(&eighths.map(|d| d / 100.0), 0.05).expect("fifteen starts");
        assert_eq!(flips.flips, 32_768);
        assert_eq!(flips.as_extreme, 1_726);
        assert!((flips.share_found() - 0.05).abs() < 0.005, "{flips:?}");
    }

    #[test]
    fn a_comparison_of_normal_ratios_errs_as_often_as_it_says() {
        let mut lcg = Lcg::new(2);
        let runs = 40;
        let share = |lcg: &mut Lcg| {
            let logs: Vec<f64> = (0..10).map(|_| lcg.normal()).collect();
            SignFlips::of(&logs, 0.05).expect("ten starts").share_found()
        };
        let mean = (0..runs).map(|_| share(&mut lcg)).sum::<f64>() / f64::from(runs);
        assert!((mean - 0.05).abs() < 0.004, "{mean}");
    }

    #[test]
    fn what_cannot_be_flipped_has_no_answer() {
        assert_eq!(SignFlips::of(&[], 0.05), None);
        assert_eq!(SignFlips::of(&[0.1], 0.05), None);
        assert_eq!(SignFlips::of(&[0.0; 5], 0.05), None);
        assert_eq!(SignFlips::of(&[0.1, f64::NAN], 0.05), None);
        assert_eq!(SignFlips::of(&[0.1; MOST_STARTS + 1], 0.05), None);
    }

    proptest! {
        #[test]
        fn it_counts_what_the_comparison_finds_in_each_flip_by_itself(
            logs in prop::collection::vec(-1.0_f64..1.0, 2..9),
        ) {
            prop_assume!(logs.iter().any(|log| log.abs() > 1e-3));
            let flipped = |flip: usize| -> Vec<f64> {
                logs.iter().enumerate().map(|(i, log)| if flip >> i & 1 == 1 { -log } else { *log }).collect()
            };
            let p = |flip: usize| Contrast::of(&starts(&flipped(flip))).expect("two starts").p_value();
            let all = SignFlips::of(&logs, 0.05).expect("some starts");
            let found = (0..1 << logs.len()).filter(|&flip| p(flip) < 0.05).count();
            prop_assert_eq!(all.found as usize, found);
            let extreme = (0..1_usize << logs.len())
                .filter(|&flip| flipped(flip).iter().sum::<f64>().abs() >= logs.iter().sum::<f64>().abs() - 1e-9)
                .count();
            prop_assert_eq!(all.as_extreme as usize, extreme);
        }

        #[test]
        fn the_flips_of_a_flip_are_the_same(logs in prop::collection::vec(0.01_f64..1.0, 2..10), sign in any::<u16>()) {
            let flipped: Vec<f64> = logs
                .iter()
                .enumerate()
                .map(|(i, log)| if sign >> i & 1 == 1 { -log } else { *log })
                .collect();
            let (one, other) = (SignFlips::of(&logs, 0.05), SignFlips::of(&flipped, 0.05));
            let (one, other) = (one.expect("starts"), other.expect("starts"));
            prop_assert_eq!((one.found, one.flips), (other.found, other.flips));
            prop_assert!((one.once_in_twenty / other.once_in_twenty - 1.0).abs() < 1e-9);
        }
    }
}
