//! Holm's step-down procedure: many tests, one chance of 5% that any of them claims too much.
//!
//! S. Holm, A Simple Sequentially Rejective Multiple Test Procedure, Scandinavian Journal of Statistics 6 (1979).
//! It holds whatever the dependence between the tests, and those of a comparison do depend: every row is in many pairs.

use serde::{Deserialize, Serialize};

/// What the procedure says of one test of the family.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// The smallest family-wise level at which this test would be rejected.
    pub adjusted_p: f64,
    /// Whether it is rejected at the family's level.
    pub rejected: bool,
    /// The level at which this very test was judged: `alpha / m` for the smallest p-value, `alpha / (m - 1)` for the
    /// next, and so on to the first that is kept, whose level is that of all that follow. A test is rejected exactly
    /// if its p-value is no larger, that is if its interval at this level leaves the null value out.
    pub alpha: f64,
}

/// Judges a family of p-values at family-wise level `alpha`; the answer is in the order given.
pub fn step_down(p_values: &[f64], alpha: f64) -> Vec<Step> {
    let family = p_values.len();
    let mut ascending: Vec<usize> = (0..family).collect();
    ascending.sort_by(|&a, &b| p_values[a].total_cmp(&p_values[b]));

    let mut steps = vec![Step { adjusted_p: 1.0, rejected: false, alpha }; family];
    let (mut adjusted_p, mut stopped_at) = (0.0_f64, None);
    for (done, &test) in ascending.iter().enumerate() {
        let left = (family - done) as f64;
        adjusted_p = adjusted_p.max((p_values[test] * left).min(1.0));
        let rejected = adjusted_p <= alpha;
        if !rejected {
            stopped_at.get_or_insert(alpha / left);
        }
        steps[test] = Step { adjusted_p, rejected, alpha: stopped_at.unwrap_or(alpha / left) };
    }
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn four_p_values_worked_by_hand() {
        // Ascending: 0.005 x 4 = 0.02, 0.01 x 3 = 0.03, 0.03 x 2 = 0.06, 0.04 x 1 = 0.04, raised to 0.06.
        let steps = step_down(&[0.01, 0.04, 0.03, 0.005], 0.05);
        for (step, by_hand) in steps.iter().zip([0.03, 0.06, 0.06, 0.02]) {
            assert!((step.adjusted_p - by_hand).abs() < 1e-15, "{step:?}");
        }
        assert_eq!(steps.iter().map(|step| step.rejected).collect::<Vec<_>>(), [true, false, false, true]);
        let levels: Vec<f64> = steps.iter().map(|step| step.alpha).collect();
        assert_eq!(levels, [0.05 / 3.0, 0.05 / 2.0, 0.05 / 2.0, 0.05 / 4.0]);
    }

    #[test]
    fn a_family_of_one_is_the_plain_test_and_none_is_none() {
        let steps = step_down(&[0.04], 0.05);
        assert_eq!(steps, [Step { adjusted_p: 0.04, rejected: true, alpha: 0.05 }]);
        assert!(step_down(&[], 0.05).is_empty());
    }

    proptest! {
        #[test]
        fn it_rejects_what_bonferroni_rejects_and_nothing_that_is_not_significant_alone(
            p_values in prop::collection::vec(0.0_f64..=1.0, 1..30),
        ) {
            let m = p_values.len() as f64;
            for (step, p) in step_down(&p_values, 0.05).iter().zip(&p_values) {
                prop_assert!(step.rejected || p * m > 0.05);
                prop_assert!(!step.rejected || *p <= 0.05);
                prop_assert!(step.adjusted_p >= *p && step.adjusted_p <= 1.0);
            }
        }

        #[test]
        fn the_level_stated_is_the_one_that_decides(p_values in prop::collection::vec(0.0_f64..0.1, 1..30)) {
            for (step, p) in step_down(&p_values, 0.05).iter().zip(&p_values) {
                prop_assert_eq!(step.rejected, *p <= step.alpha * (1.0 + 1e-12));
            }
        }

        #[test]
        fn the_order_of_the_tests_does_not_matter(mut p_values in prop::collection::vec(0.0_f64..0.1, 1..30)) {
            let there = step_down(&p_values, 0.05);
            p_values.reverse();
            let mut back = step_down(&p_values, 0.05);
            back.reverse();
            for (one, other) in there.iter().zip(&back) {
                prop_assert_eq!((one.adjusted_p, one.rejected), (other.adjusted_p, other.rejected));
            }
        }
    }
}
