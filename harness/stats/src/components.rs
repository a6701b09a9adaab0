//! How much of a figure's variance lies between starts and how much between windows, and what more of either would bring.
//!
//! The model is one-way random effects, unbalanced since windows are dropped: a log ratio is the true one, plus the
//! start's effect, plus the window's. Variances are estimated from mean squares (Searle, Casella and McCulloch, Variance
//! Components, section 3.6). How many rounds a start should have follows from both and from what each costs (Kalibera
//! and Jones, Rigorous Benchmarking in Reasonable Time, ISMM 2013, section 6).
//!
//! It speaks of means. The comparison takes medians over rounds, whose variance under normal noise is larger, by 1.19 for
//! four rounds and up to pi / 2 for many; under the noise that medians are there for it is smaller.

use serde::{Deserialize, Serialize};

/// Variance between starts, and between windows within a start.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Components {
    /// Starts that had a window.
    pub starts: usize,
    /// Windows over all starts.
    pub windows: usize,
    /// The variance of the starts' effects, in squared log ratios; 0 where the estimate is negative, as it often is when
    /// the true one is small.
    pub between_starts: f64,
    /// The variance of windows around their start's mean.
    pub within_starts: f64,
}

/// What a design costs, in any one unit of time.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Costs {
    /// Starting, checking and warming up.
    pub start: f64,
    /// One round: thaw, settling, window, freeze.
    pub round: f64,
}

impl Components {
    /// From the log ratios of windows, one group a start. `None` with fewer than two starts that have a window, or where
    /// no start has two: then the variances cannot be told from each other.
    pub fn of(starts: &[Vec<f64>]) -> Option<Self> {
        let groups: Vec<&Vec<f64>> = starts.iter().filter(|windows| !windows.is_empty()).collect();
        let (a, total) = (groups.len() as f64, groups.iter().map(|windows| windows.len()).sum::<usize>());
        if groups.len() < 2 || total == groups.len() {
            return None;
        }
        let n = total as f64;
        let mean_of = |windows: &[f64]| windows.iter().sum::<f64>() / windows.len() as f64;
        let mean = groups.iter().map(|windows| windows.iter().sum::<f64>()).sum::<f64>() / n;
        let (mut between, mut within) = (0.0, 0.0);
        for windows in &groups {
            let own = mean_of(windows);
            between += windows.len() as f64 * (own - mean).powi(2);
            within += windows.iter().map(|window| (window - own).powi(2)).sum::<f64>();
        }
        let mean_square_within = within / (n - a);
        let mean_square_between = between / (a - 1.0);
        let squares: f64 = groups.iter().map(|windows| (windows.len() as f64).powi(2)).sum();
        let windows_a_start = (n - squares / n) / (a - 1.0);
        Some(Self {
            starts: groups.len(),
            windows: total,
            between_starts: ((mean_square_between - mean_square_within) / windows_a_start).max(0.0),
            within_starts: mean_square_within,
        })
    }

    /// The standard deviation of the mean log ratio of so many starts of so many rounds:
    /// `sqrt(between / starts + within / (starts rounds))`. Infinite without any.
    pub fn stdev_of_mean(&self, starts: usize, rounds: usize) -> f64 {
        let starts = starts as f64;
        (self.between_starts / starts + self.within_starts / (starts * rounds as f64)).sqrt()
    }

    /// The number of rounds a start at which a given time gives the narrowest interval: Kalibera and Jones's
    /// `ceil(sqrt(c_start / c_round * within / between))`, at least 1. `None` where no variance between starts was found,
    /// so that one start with all the rounds would be best if that were true; and where a cost is not positive.
    pub fn best_rounds(&self, costs: Costs) -> Option<usize> {
        let priced = costs.start > 0.0 && costs.round > 0.0 && (costs.start / costs.round).is_finite();
        if !priced || self.between_starts <= 0.0 {
            return None;
        }
        let rounds = (costs.start / costs.round * self.within_starts / self.between_starts).sqrt();
        Some(rounds.ceil().max(1.0) as usize)
    }

    /// By what factor the interval would shrink if the run went from `now` to `then`, each (starts, rounds a start): 0.5
    /// halves it. Student's quantile, which shrinks with starts too, is left out. `None` where there is no spread.
    pub fn shrinks_to(&self, now: (usize, usize), then: (usize, usize)) -> Option<f64> {
        let share = self.stdev_of_mean(then.0, then.1) / self.stdev_of_mean(now.0, now.1);
        share.is_finite().then_some(share)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

    #[test]
    fn a_balanced_table_worked_by_hand() {
        // Groups (1, 3), (5, 7), (3, 5): means 2, 6, 4, all 4. Between: 2 (4 + 4 + 0) / 2 = 8; within: 6 / 3 = 2;
        // two windows a start: (8 - 2) / 2 = 3.
        let parts = Components::of(&[vec![1.0, 3.0], vec![5.0, 7.0], vec![3.0, 5.0]]).expect("three starts");
        assert_eq!((parts.starts, parts.windows), (3, 6));
        assert!((parts.between_starts - 3.0).abs() < 1e-12 && (parts.within_starts - 2.0).abs() < 1e-12);
        // 3 / 3 + 2 / 6.
        assert!((parts.stdev_of_mean(3, 2) - (4.0_f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn an_unbalanced_table_worked_by_hand() {
        // Groups (0), (2, 4), (6, 6, 6): means 0, 3, 6, all 24 / 6 = 4. Between: (16 + 2 + 12) / 2 = 15; within:
        // 2 / 3; n0 = (6 - 14 / 6) / 2 = 11 / 6; (15 - 2 / 3) / (11 / 6) = 86 / 11.
        let parts = Components::of(&[vec![0.0], vec![2.0, 4.0], vec![], vec![6.0; 3]]).expect("three starts");
        assert_eq!((parts.starts, parts.windows), (3, 6));
        assert!((parts.between_starts - 86.0 / 11.0).abs() < 1e-12, "{parts:?}");
        assert!((parts.within_starts - 2.0 / 3.0).abs() < 1e-12, "{parts:?}");
    }

    #[test]
    fn starts_that_agree_better_than_their_windows_have_no_variance_of_their_own() {
        let parts = Components::of(&[vec![1.0, -1.0], vec![-1.0, 1.0]]).expect("two starts");
        assert_eq!(parts.between_starts, 0.0);
        assert_eq!(parts.best_rounds(Costs { start: 1.0, round: 1.0 }), None);
    }

    #[test]
    fn the_best_number_of_rounds_is_kaliberas_and_jones() {
        let parts = Components { starts: 8, windows: 40, between_starts: 0.0001, within_starts: 0.0016 };
        // sqrt(4 x 16) = 8; sqrt(2 x 16) = 5.66.
        assert_eq!(parts.best_rounds(Costs { start: 4.0, round: 1.0 }), Some(8));
        assert_eq!(parts.best_rounds(Costs { start: 2.0, round: 1.0 }), Some(6));
        assert_eq!(parts.best_rounds(Costs { start: 0.001, round: 1.0 }), Some(1));
        assert_eq!(parts.best_rounds(Costs { start: 0.0, round: 1.0 }), None);
        assert_eq!(parts.best_rounds(Costs { start: 1.0, round: 0.0 }), None);
    }

    #[test]
    fn four_times_the_starts_halve_the_interval_and_more_rounds_reach_a_limit() {
        let parts = Components { starts: 8, windows: 32, between_starts: 1.0, within_starts: 4.0 };
        assert!(parts.shrinks_to((8, 4), (32, 4)).is_some_and(|share| (share - 0.5).abs() < 1e-12));
        let limit = (1.0_f64 / 2.0).sqrt();
        assert!(parts.shrinks_to((8, 4), (8, 1_000_000)).is_some_and(|share| (share - limit).abs() < 1e-3));
        let none = Components { between_starts: 0.0, within_starts: 0.0, ..parts };
        assert_eq!(none.shrinks_to((8, 4), (16, 4)), None);
    }

    #[test]
    fn too_little_has_no_components() {
        assert_eq!(Components::of(&[]), None);
        assert_eq!(Components::of(&[vec![1.0, 2.0], vec![]]), None);
        assert_eq!(Components::of(&[vec![1.0], vec![2.0], vec![3.0]]), None);
    }

    #[test]
    fn both_variances_are_found_again_in_unbalanced_data() {
        let mut lcg = Lcg::new(12);
        let runs = 300;
        let (mut between, mut within) = (0.0, 0.0);
        for _ in 0..runs {
            let start = |start: usize| {
                let effect = 0.03 * lcg.normal();
                (0..2 + start % 4).map(|_| effect + 0.04 * lcg.normal()).collect()
            };
            let parts = Components::of(&(0..10).map(start).collect::<Vec<_>>()).expect("ten starts");
            between += parts.between_starts / f64::from(runs);
            within += parts.within_starts / f64::from(runs);
        }
        // Relative standard errors of 3.5% and 1.6%.
        assert!((between / 0.0009 - 1.0).abs() < 0.12, "{between}");
        assert!((within / 0.0016 - 1.0).abs() < 0.06, "{within}");
    }

    proptest! {
        #[test]
        fn the_best_number_of_rounds_is_the_best_for_its_time(
            between in 1e-6_f64..1.0, within in 1e-6_f64..1.0, start in 0.1_f64..20.0, round in 0.1_f64..5.0,
        ) {
            let parts = Components { starts: 8, windows: 32, between_starts: between, within_starts: within };
            let best = parts.best_rounds(Costs { start, round }).expect("all positive");
            // Variance times cost, of one start: a budget buys starts in proportion to its inverse.
            let price = |rounds: usize| {
                (between + within / rounds as f64) * (start + round * rounds as f64)
            };
            let least = (1..best + 50).map(price).fold(f64::INFINITY, f64::min);
            // Rounded up from the continuous optimum, so that its neighbour below may be a little better.
            prop_assert!(price(best).min(price((best - 1).max(1))) <= least * (1.0 + 1e-9));
        }
    }
}
