//! Whether a run was the same thing from its beginning to its end.
//!
//! A percentile over a window says nothing lasting when the queue, or a cache, was still growing in it. The window is
//! cut into slices, and the values of the slices are tested for a trend (Mann, Econometrica 13, 1945; Kendall, Rank
//! Correlation Methods) whose size is estimated without regard to outliers (Theil and Sen). A long run finds a trend
//! of any size, so that a trend is reported only if it is also large enough to matter.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use statrs::function::erf::erfc;

/// A trend is reported only where one as strong would come by chance with less than this probability.
pub const SIGNIFICANCE: f64 = 0.01;

/// With fewer slices the normal approximation to Kendall's S is no longer good (Mann gives 10 as the least).
pub const FEWEST_SLICES: usize = 10;

/// What the slices of a run say.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Stationarity {
    /// No trend, or none that matters.
    Stationary {
        /// The probability of a trend as strong in either direction where there is none.
        p: f64,
        /// The estimated change over the whole window, as a part of the median slice.
        relative_change: f64,
    },
    /// The run was still changing.
    Trend {
        /// The probability of a trend as strong in either direction where there is none.
        p: f64,
        /// The estimated change over the whole window, as a part of the median slice: 0.5 is half as much again.
        relative_change: f64,
    },
    /// Fewer than [`FEWEST_SLICES`] slices have a value, or their median is not positive, so that no change of it is
    /// small or large.
    CannotTell,
}

impl Stationarity {
    /// Whether the run was found to be changing.
    pub fn is_trend(&self) -> bool {
        matches!(self, Self::Trend { .. })
    }
}

/// Judges the values of slices of equal length in the order of time, such as [`crate::Serial::slice_means`]; a slice
/// without a value takes its time and is left out. It is a trend when its probability is below [`SIGNIFICANCE`] and its
/// relative change over the window is, in either direction, above `matters`.
///
/// The test supposes slices independent of each other: make them longer than what happens in the run.
pub fn judge(slices: &[Option<f64>], matters: f64) -> Stationarity {
    let values: Vec<(f64, f64)> = slices
        .iter()
        .enumerate()
        .filter_map(|(i, value)| value.filter(|v| v.is_finite()).map(|v| (i as f64, v)))
        .collect();
    if values.len() < FEWEST_SLICES {
        return Stationarity::CannotTell;
    }
    let level = median(values.iter().map(|&(_, value)| value).collect());
    if level <= 0.0 {
        return Stationarity::CannotTell;
    }
    let p = mann_kendall(&values);
    let relative_change = theil_sen(&values) * slices.len() as f64 / level;
    if !relative_change.is_finite() {
        return Stationarity::CannotTell;
    }
    if p < SIGNIFICANCE && relative_change.abs() > matters {
        Stationarity::Trend { p, relative_change }
    } else {
        Stationarity::Stationary { p, relative_change }
    }
}

/// All pairs of an earlier and a later point.
fn pairs(values: &[(f64, f64)]) -> impl Iterator<Item = ((f64, f64), (f64, f64))> + '_ {
    values.iter().enumerate().flat_map(|(i, &early)| values[i + 1..].iter().map(move |&late| (early, late)))
}

/// The two-sided probability of Kendall's S, by the normal approximation with continuity correction.
fn mann_kendall(values: &[(f64, f64)]) -> f64 {
    let s: i64 = pairs(values).map(|((_, early), (_, late))| sign(late, early)).sum();
    let variance = kendall_variance(values);
    if s == 0 || variance <= 0.0 {
        return 1.0;
    }
    let z = (s.abs() - 1) as f64 / variance.sqrt();
    erfc(z / std::f64::consts::SQRT_2).clamp(0.0, 1.0)
}

fn sign(a: f64, b: f64) -> i64 {
    i64::from(a > b) - i64::from(a < b)
}

/// The exact variance of S without a trend: `(n(n-1)(2n+5) - sum t(t-1)(2t+5)) / 18` over the groups of `t` equal values.
fn kendall_variance(values: &[(f64, f64)]) -> f64 {
    let term = |n: usize| n as f64 * (n as f64 - 1.0) * (2.0 * n as f64 + 5.0);
    let mut sorted: Vec<f64> = values.iter().map(|&(_, value)| value).collect();
    sorted.sort_by(f64::total_cmp);
    let ties: f64 = sorted.chunk_by(|a, b| a == b).map(|group| term(group.len())).sum();
    (term(values.len()) - ties) / 18.0
}

/// The median of the slopes between all pairs of points.
fn theil_sen(values: &[(f64, f64)]) -> f64 {
    median(pairs(values).map(|((at, early), (then, late))| (late - early) / (then - at)).collect())
}

/// The median of at least one value.
fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[(values.len() - 1) / 2].midpoint(values[values.len() / 2])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

    fn numbered(values: impl IntoIterator<Item = f64>) -> Vec<(f64, f64)> {
        values.into_iter().enumerate().map(|(i, value)| (i as f64, value)).collect()
    }

    fn all(values: impl IntoIterator<Item = f64>) -> Vec<Option<f64>> {
        values.into_iter().map(Some).collect()
    }

    #[test]
    fn the_variance_of_s_is_that_over_all_orders() {
        // By enumeration of all orders of five values, of which two are equal.
        for values in [[1.0, 2.0, 3.0, 4.0, 5.0], [1.0, 2.0, 2.0, 4.0, 5.0]] {
            let mut squares = Vec::new();
            permute(&mut values.to_vec(), 0, &mut |order| {
                let s: i64 = pairs(&numbered(order.iter().copied())).map(|((_, a), (_, b))| sign(b, a)).sum();
                squares.push((s * s) as f64);
            });
            let enumerated = squares.iter().sum::<f64>() / squares.len() as f64;
            assert!((kendall_variance(&numbered(values)) - enumerated).abs() < 1e-9);
        }
    }

    fn permute(values: &mut Vec<f64>, from: usize, visit: &mut impl FnMut(&[f64])) {
        if from == values.len() {
            return visit(values);
        }
        for i in from..values.len() {
            values.swap(from, i);
            permute(values, from + 1, visit);
            values.swap(from, i);
        }
    }

    #[test]
    fn a_straight_line_is_a_trend_of_exactly_its_slope() {
        // From 100 by 1 a slice: 20 slices change by 20 around a median of 109.5.
        let verdict = judge(&all((0..20).map(|i| 100.0 + f64::from(i))), 0.1);
        let Stationarity::Trend { p, relative_change } = verdict else { panic!("{verdict:?}") };
        // S = 190, variance 950: z = 189/sqrt(950) = 6.132.
        assert!((p / 8.68e-10 - 1.0).abs() < 0.01, "{p}");
        assert!((relative_change - 20.0 / 109.5).abs() < 1e-12);
    }

    #[test]
    fn a_trend_too_small_to_matter_is_stationary_and_says_how_small() {
        let verdict = judge(&all((0..50).map(|i| 1_000.0 + f64::from(i) * 0.1)), 0.05);
        let Stationarity::Stationary { p, relative_change } = verdict else { panic!("{verdict:?}") };
        assert!(p < 1e-10 && (relative_change - 5.0 / 1_002.45).abs() < 1e-9);
    }

    #[test]
    fn one_stall_is_no_trend() {
        let mut lcg = Lcg::new(4);
        let mut slices: Vec<f64> = (0..60).map(|_| 10.0 + lcg.uniform()).collect();
        slices[55] = 5_000.0;
        assert!(!judge(&all(slices), 0.05).is_trend());
    }

    #[test]
    fn slices_without_values_keep_their_time() {
        let line = |i: i32| 100.0 + f64::from(i);
        let sparse: Vec<Option<f64>> = (0..40).map(|i| (i % 3 != 1).then(|| line(i))).collect();
        let verdict = judge(&sparse, 0.1);
        let Stationarity::Trend { relative_change, .. } = verdict else { panic!("{verdict:?}") };
        assert!((relative_change - 40.0 / 119.5).abs() < 0.01, "{relative_change}");
    }

    #[test]
    fn steady_runs_are_called_a_trend_no_more_often_than_promised() {
        let mut lcg = Lcg::new(1);
        let runs = 2_000;
        let flagged =
            (0..runs).filter(|_| judge(&all((0..30).map(|_| 10.0 + lcg.normal())), 0.0).is_trend()).count();
        // Binomial(2,000, 0.01): 20 and a standard deviation of 4.4.
        assert!((4..=38).contains(&flagged), "{flagged}");
    }

    #[test]
    fn too_few_slices_or_no_level_cannot_tell() {
        assert_eq!(judge(&all((0..9).map(f64::from)), 0.0), Stationarity::CannotTell);
        assert_eq!(judge(&[None; 100], 0.0), Stationarity::CannotTell);
        assert_eq!(judge(&all([0.0; 20]), 0.0), Stationarity::CannotTell);
        assert_eq!(judge(&all([f64::NAN; 20]), 0.0), Stationarity::CannotTell);
        assert_eq!(judge(&all([5.0; 20]), 0.0), Stationarity::Stationary { p: 1.0, relative_change: 0.0 });
    }

    proptest! {
        #[test]
        fn a_verdict_never_holds_what_is_no_number(
            values in prop::collection::vec(prop::option::of(prop::num::f64::ANY), 0..40), matters in 0.0_f64..1.0,
        ) {
            match judge(&values, matters) {
                Stationarity::Stationary { p, relative_change } | Stationarity::Trend { p, relative_change } => {
                    prop_assert!((0.0..=1.0).contains(&p) && relative_change.is_finite());
                }
                Stationarity::CannotTell => {}
            }
        }

        #[test]
        fn time_reversed_a_trend_points_the_other_way(values in prop::collection::vec(1.0_f64..100.0, 12..40)) {
            let there = numbered(values.clone());
            let back = numbered(values.into_iter().rev());
            prop_assert_eq!(mann_kendall(&there), mann_kendall(&back));
            prop_assert!((theil_sen(&there) + theil_sen(&back)).abs() < 1e-9);
        }
    }
}
