//! How far two empirical distributions lie apart, for "did requests leave as they were scheduled".
//!
//! The two-sample Kolmogorov distance is used as an effect size, between 0 (the same) and 1 (nothing in common). It is
//! no test here: at the sample sizes of a load run every difference is significant, and the question is whether it
//! matters.

use std::iter::Peekable;

use crate::histogram::Histogram;

/// The largest difference between the shares that two distributions have below any one value. Values that share a
/// cell of the histograms are not told apart, which hides at most what one cell holds. `None` when either is empty.
pub fn of_histograms(scheduled: &Histogram, actual: &Histogram) -> Option<f64> {
    let totals = (scheduled.len(), actual.len());
    largest_gap(scheduled.recorded().peekable(), actual.recorded().peekable(), totals)
}

/// The same for counts over the same cells in ascending order; where one is longer, the other has nothing there.
/// `None` when either holds no count.
pub fn of_counts(scheduled: &[u64], actual: &[u64]) -> Option<f64> {
    let numbered = |counts: &[u64]| (0_u64..).zip(counts.to_vec()).peekable();
    let totals = (scheduled.iter().sum(), actual.iter().sum());
    largest_gap(numbered(scheduled), numbered(actual), totals)
}

/// Walks both distributions by ascending value, each given as values and their counts.
fn largest_gap<A, B>(mut a: Peekable<A>, mut b: Peekable<B>, totals: (u64, u64)) -> Option<f64>
where
    A: Iterator<Item = (u64, u64)>,
    B: Iterator<Item = (u64, u64)>,
{
    if totals.0 == 0 || totals.1 == 0 {
        return None;
    }
    let (mut below_a, mut below_b, mut largest) = (0_u64, 0_u64, 0.0_f64);
    while let Some(value) = [a.peek(), b.peek()].into_iter().flatten().map(|&(value, _)| value).min() {
        while let Some((_, count)) = a.next_if(|&(at, _)| at == value) {
            below_a += count;
        }
        while let Some((_, count)) = b.next_if(|&(at, _)| at == value) {
            below_b += count;
        }
        let gap = below_a as f64 / totals.0 as f64 - below_b as f64 / totals.1 as f64;
        largest = largest.max(gap.abs());
    }
    Some(largest)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn recorded(values_us: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values_us.iter().for_each(|us| histogram.record_ns(us * 1_000));
        histogram
    }

    #[test]
    fn one_of_three_values_moved_past_the_others_is_a_distance_of_a_third() {
        let distance = of_histograms(&recorded(&[1, 2, 3]), &recorded(&[2, 3, 4])).expect("neither is empty");
        assert!((distance - 1.0 / 3.0).abs() < 1e-12);
    }

    #[test]
    fn distributions_with_nothing_in_common_are_one_apart() {
        assert_eq!(of_histograms(&recorded(&[10, 20]), &recorded(&[30])), Some(1.0));
        assert_eq!(of_counts(&[5], &[0, 0, 7]), Some(1.0));
    }

    #[test]
    fn an_empty_distribution_is_at_no_distance_from_anything() {
        assert_eq!(of_histograms(&Histogram::new(), &recorded(&[1])), None);
        assert_eq!(of_counts(&[0, 0], &[1]), None);
    }

    #[test]
    fn a_constant_schedule_sent_at_exponential_gaps_is_1_minus_1_over_e_away() {
        // At the mean gap the constant schedule jumps from 0 to 1, where the exponential stands at 1 - 1/e.
        let n = 10_000_u32;
        let (mut constant, mut exponential) = (Histogram::new(), Histogram::new());
        for i in 1..=n {
            constant.record_ns(1_000_000);
            exponential.record_ns((-(1.0 - (f64::from(i) - 0.5) / f64::from(n)).ln() * 1e6) as u64);
        }
        let distance = of_histograms(&constant, &exponential).expect("neither is empty");
        assert!((distance - (1.0 - (-1.0_f64).exp())).abs() < 0.001, "{distance}");
    }

    proptest! {
        #[test]
        fn the_distance_is_symmetric_within_0_and_1_and_0_to_itself(
            a in prop::collection::vec(1_u64..5_000, 1..40), b in prop::collection::vec(1_u64..5_000, 1..40),
        ) {
            let (a, b) = (recorded(&a), recorded(&b));
            let there = of_histograms(&a, &b).expect("neither is empty");
            prop_assert_eq!(Some(there), of_histograms(&b, &a));
            prop_assert!((0.0..=1.0).contains(&there));
            prop_assert_eq!(of_histograms(&a, &a), Some(0.0));
        }
    }
}
