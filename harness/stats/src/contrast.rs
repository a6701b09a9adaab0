//! One pair of rows over all starts: mean and spread of their log ratios, and what Student's t makes of them.
//!
//! It judges one pair and does not know that there are others: a claim goes through [`crate::decide`].

use serde::Serialize;

use crate::power::{POWER, detectable_log};
use crate::ratio::{Interval, NO_SPREAD, ratio_of};
use crate::rounds::{Bound, StartRatio};
use crate::student::StudentT;
use crate::summary::mean_and_stdev;

/// The log ratios of two rows, first over second, reduced to what a comparison needs.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Contrast {
    /// In how many starts the two have a ratio: n, at least 2.
    pub starts: usize,
    /// The mean of the log ratios.
    pub mean_log: f64,
    /// Their sample standard deviation s.
    pub stdev_log: f64,
    /// Whether the mean is known or bounded.
    pub bound: Bound,
}

impl Contrast {
    /// Over the starts that have a ratio; `None` with fewer than two, which show no spread.
    pub fn of(starts: &[StartRatio]) -> Option<Self> {
        let known = starts.iter().filter_map(|start| Some((start.log_ratio?, start.bound)));
        let (logs, bounds): (Vec<f64>, Vec<Bound>) = known.unzip();
        let (mean_log, stdev) = mean_and_stdev(&logs);
        let below = bounds.iter().any(|bound| matches!(bound, Bound::AtMost | Bound::Open));
        let above = bounds.iter().any(|bound| matches!(bound, Bound::AtLeast | Bound::Open));
        let bound = match (above, below) {
            (false, false) => Bound::Exact,
            (true, false) => Bound::AtLeast,
            (false, true) => Bound::AtMost,
            (true, true) => Bound::Open,
        };
        Some(Self { starts: logs.len(), mean_log, stdev_log: stdev?, bound })
    }

    /// The geometric mean of the ratios.
    pub fn ratio(&self) -> f64 {
        ratio_of(self.mean_log)
    }

    /// `s / sqrt(n)`.
    pub fn standard_error(&self) -> f64 {
        self.stdev_log / (self.starts as f64).sqrt()
    }

    /// The p-value of the hypothesis that the true ratio is 1: two-sided, Student's t with n - 1 degrees of freedom.
    ///
    /// Where all ratios are the same number there is no t. Had each been as likely turned over, all n on one side had
    /// probability `2^(1 - n)`, which is the p-value then; and it is 1 where that ratio is 1.
    pub fn p_value(&self) -> f64 {
        if self.has_spread() {
            self.student().two_sided_p(self.mean_log / self.standard_error())
        } else if self.mean_log.abs() <= NO_SPREAD {
            1.0
        } else {
            0.5_f64.powf(self.starts as f64 - 1.0)
        }
    }

    /// Student's interval for the ratio, which misses it with probability `alpha` when the log ratios of starts are
    /// independent and normal. It leaves 1 out exactly if the p-value is below `alpha`. `None` where the ratios have no
    /// spread to judge by.
    pub fn interval(&self, alpha: f64) -> Option<Interval> {
        let half_width = self.half_width_log(alpha)?;
        let (low, high) = (ratio_of(self.mean_log - half_width), ratio_of(self.mean_log + half_width));
        Some(Interval { low, high, alpha })
    }

    /// Half the width of that interval, as a log ratio. It does not depend on the mean.
    pub fn half_width_log(&self, alpha: f64) -> Option<f64> {
        self.has_spread().then(|| self.student().critical(alpha) * self.standard_error())
    }

    /// The smallest true ratio above 1 (or, inverted, below it) that a comparison with this spread and this number of
    /// starts finds with probability [`POWER`] at level `alpha`. See [`crate::power`]. A comparison that finds
    /// nothing says no more than that the ratio is probably smaller than this.
    pub fn detectable(&self, alpha: f64) -> Option<f64> {
        detectable_log(self.stdev_log, self.starts, alpha, POWER).map(ratio_of)
    }

    /// Whether the data allow the claim that the first row's value is the larger (or, `false`, the smaller) one: a row
    /// of which only lower bounds are known may be called larger and never smaller.
    pub fn allows_larger(&self, first: bool) -> bool {
        match self.bound {
            Bound::Exact => true,
            Bound::AtLeast => first,
            Bound::AtMost => !first,
            Bound::Open => false,
        }
    }

    fn has_spread(&self) -> bool {
        self.stdev_log > NO_SPREAD
    }

    fn student(&self) -> StudentT {
        StudentT::new(self.starts - 1).expect("a contrast has two starts")
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

    /// Starts with these log ratios, each of one round.
    pub(crate) fn starts(logs: &[f64]) -> Vec<StartRatio> {
        let start = |&log| StartRatio { log_ratio: Some(log), pairs: 1, rounds: 1, bound: Bound::Exact };
        logs.iter().map(start).collect()
    }

    fn contrast(logs: &[f64]) -> Contrast {
        Contrast::of(&starts(logs)).expect("two starts")
    }

    #[test]
    fn students_own_sleep_data_give_his_interval_and_p() {
        // Student 1908: extra hours of sleep under two drugs, ten patients; every textbook prints t = 4.0621 with 9
        // degrees of freedom, p = 0.002833 and the 95% interval 0.7001142 to 2.4598858. Here hours are logarithms.
        let contrast = contrast(&[1.2, 2.4, 1.3, 1.3, 0.0, 1.0, 1.8, 0.8, 4.6, 1.4]);
        let interval = contrast.interval(0.05).expect("there is spread");
        assert!((contrast.p_value() - 0.002833).abs() < 1e-6);
        assert!((contrast.mean_log - 1.58).abs() < 1e-12);
        assert!((interval.low.ln() - 0.7001142).abs() < 1e-6, "{interval:?}");
        assert!((interval.high.ln() - 2.4598858).abs() < 1e-6, "{interval:?}");
    }

    #[test]
    fn starts_without_a_ratio_are_left_out_and_one_is_too_few() {
        let mut with_gaps = starts(&[0.1, 0.2, 0.3]);
        with_gaps[1].log_ratio = None;
        assert_eq!(Contrast::of(&with_gaps), Some(contrast(&[0.1, 0.3])));
        with_gaps[0].log_ratio = None;
        assert_eq!(Contrast::of(&with_gaps), None);
        assert_eq!(Contrast::of(&[]), None);
    }

    #[test]
    fn ratios_that_never_vary_are_judged_by_their_sign_alone() {
        assert!((contrast(&[0.7; 6]).p_value() - 1.0 / 32.0).abs() < 1e-15);
        assert_eq!(contrast(&[0.0; 6]).p_value(), 1.0);
        assert_eq!(contrast(&[0.7; 6]).interval(0.05), None);
    }

    #[test]
    fn a_bound_in_one_start_allows_claims_in_one_direction() {
        let with = |bound: Bound| {
            let mut starts = starts(&[0.1, 0.2, 0.3]);
            starts[1].bound = bound;
            Contrast::of(&starts).expect("three starts")
        };
        let allowed = |bound| (with(bound).allows_larger(true), with(bound).allows_larger(false));
        assert_eq!(allowed(Bound::Exact), (true, true));
        assert_eq!(allowed(Bound::AtLeast), (true, false));
        assert_eq!(allowed(Bound::AtMost), (false, true));
        assert_eq!(allowed(Bound::Open), (false, false));
        let mut both = starts(&[0.1, 0.2]);
        (both[0].bound, both[1].bound) = (Bound::AtMost, Bound::AtLeast);
        assert_eq!(Contrast::of(&both).map(|contrast| contrast.bound), Some(Bound::Open));
    }

    #[test]
    fn no_interval_ends_at_infinity() {
        for logs in [[-690.0, 690.0], [700.0, 710.0]] {
            let interval = contrast(&logs).interval(1e-4).expect("there is spread");
            assert!(interval.low >= 0.0 && interval.high.is_finite(), "{interval:?}");
        }
    }

    #[test]
    fn intervals_at_95_percent_miss_the_truth_once_in_twenty() {
        let mut lcg = Lcg::new(8);
        let missed = (0..2_000)
            .filter(|_| {
                let logs: Vec<f64> = (0..6).map(|_| 0.3 + 0.1 * lcg.normal()).collect();
                !contrast(&logs).interval(0.05).expect("there is spread").contains(0.3_f64.exp())
            })
            .count();
        // 100 expected, with a standard deviation of 9.7.
        assert!((70..=130).contains(&missed), "{missed} of 2000");
    }

    #[test]
    fn the_detectable_ratio_is_that_of_its_spread() {
        let contrast = contrast(&[-0.01, 0.01, -0.01, 0.01, -0.01, 0.01]);
        let log = detectable_log(contrast.stdev_log, 6, 0.05, POWER).expect("six starts");
        assert_eq!(contrast.detectable(0.05), Some(log.exp()));
        assert_eq!(contrast.detectable(0.0), None);
    }

    proptest! {
        #[test]
        fn turning_all_ratios_over_turns_the_answer_over(logs in prop::collection::vec(-1.0_f64..1.0, 2..12)) {
            let there = contrast(&logs);
            let back = contrast(&logs.iter().map(|log| -log).collect::<Vec<_>>());
            prop_assert!((there.ratio() * back.ratio() - 1.0).abs() < 1e-9);
            prop_assert!((there.p_value() - back.p_value()).abs() < 1e-9);
            prop_assert!((0.0..=1.0).contains(&there.p_value()));
        }

        #[test]
        fn an_interval_leaves_1_out_exactly_when_p_is_below_its_alpha(
            logs in prop::collection::vec(-0.2_f64..0.6, 2..12), alpha in 0.001_f64..0.5,
        ) {
            let contrast = contrast(&logs);
            prop_assume!((contrast.p_value() / alpha - 1.0).abs() > 1e-6);
            if let Some(interval) = contrast.interval(alpha) {
                prop_assert_eq!(interval.contains(1.0), contrast.p_value() > alpha);
            }
        }
    }
}
