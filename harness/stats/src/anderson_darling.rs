//! Whether a sample was drawn from a distribution that is known in full: the test of Anderson and Darling.
//!
//! A generator tests with it the schedule that it drew, before anything of the machine has touched it. Real departures
//! are not tested so: with enough of them every test rejects, and what matters is how far off they are (see
//! [`crate::distance`]). It weighs the tails more than Kolmogorov's test does, where a bad source of random numbers
//! and a wrongly inverted distribution show first.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The statistic of a sample, and how surprising it is.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct AndersonDarling {
    /// How many values were tested.
    pub n: u64,
    /// Anderson and Darling's A squared; 2.492 is exceeded by 5% of the samples of the right distribution, 3.857 by 1%.
    pub a_squared: f64,
    /// The probability that a sample of the right distribution has an A squared at least as large. It is exact for a
    /// single value, within 0.02 for two to seven and within 0.001 for more; what is below 0.00001, or below 0.001 over
    /// the number of values, says no more than that it is.
    pub p_value: f64,
}

/// Tests values in any order, each given as the probability `F(x)` that the distribution puts at or below it.
///
/// `A^2 = -n - 1/n sum (2i - 1) (ln u_i + ln(1 - u_(n+1-i)))` over the ascending `u` (Anderson and Darling, A test of
/// goodness of fit, 1954). Nothing may have been estimated from the sample ("case 0"). A probability of 0 or 1 is moved
/// to the nearest number within: a value that cannot be is evidence, not an error. `None` when there are no values, or
/// one is no number.
pub fn of_probabilities(probabilities: &[f64]) -> Option<AndersonDarling> {
    let logarithms = probabilities.iter().map(|&u| {
        let u = u.clamp(f64::MIN_POSITIVE, 1.0 - f64::EPSILON / 2.0);
        (u.ln(), (-u).ln_1p())
    });
    of_logarithms(logarithms.collect())
}

/// Tests gaps in any order against the exponential distribution with the mean that was intended, in the same unit.
///
/// For a rate that changes, give the gaps in unit-rate time, which is the expected number of arrivals in each gap, and
/// a mean of 1: those of any Poisson process are exponential there (the time-rescaling theorem; Brown et al., Neural
/// Computation 14, 2002).
///
/// `resolution` is the step of the clock in which gaps were measured, 0 if they were not rounded. A gap below half a
/// step counts as half a step: rounded to zero it would be impossible under the distribution, which it is not.
///
/// `None` when there are no gaps, one is no number, the mean is not positive, or the resolution is not finite.
pub fn of_exponential_gaps(gaps: &[f64], mean: f64, resolution: f64) -> Option<AndersonDarling> {
    if !(mean.is_finite() && mean > 0.0 && resolution.is_finite()) {
        return None;
    }
    // The logarithm of 1 - F is the gap itself: no digit of a long gap is lost on the way.
    let logarithms = gaps.iter().map(|&gap| {
        let gap = if gap.is_nan() { gap } else { gap.max(resolution / 2.0) };
        let x = (gap / mean).clamp(f64::MIN_POSITIVE, f64::MAX.sqrt());
        ((-(-x).exp_m1()).ln(), -x)
    });
    of_logarithms(logarithms.collect())
}

/// From `(ln u, ln(1 - u))` of each value.
fn of_logarithms(mut logarithms: Vec<(f64, f64)>) -> Option<AndersonDarling> {
    if logarithms.is_empty() || logarithms.iter().any(|(below, above)| below.is_nan() || above.is_nan()) {
        return None;
    }
    // Both are needed for the order: near either end one of them is the same for all.
    logarithms.sort_by(|a, b| a.0.total_cmp(&b.0).then(b.1.total_cmp(&a.1)));
    let n = logarithms.len() as f64;
    let sum: f64 = logarithms
        .iter()
        .zip(logarithms.iter().rev())
        .enumerate()
        .map(|(i, (&(below, _), &(_, above)))| (2.0 * i as f64 + 1.0) / n * (below + above))
        .sum();
    // A sample as even as can be comes so near to its least value that rounding may pass it.
    let a_squared = (-n - sum).max(0.0);
    let p_value = (1.0 - distribution(n, a_squared)).clamp(0.0, 1.0);
    Some(AndersonDarling { n: logarithms.len() as u64, a_squared, p_value })
}

/// The probability that A squared of `n` values is below `z` (Marsaglia and Marsaglia, Evaluating the Anderson-Darling
/// distribution, Journal of Statistical Software 9(2), 2004).
fn distribution(n: f64, z: f64) -> f64 {
    if z <= 0.0 {
        return 0.0;
    }
    if n == 1.0 {
        // A squared is then -1 - ln(u (1 - u)), and below z between the two solutions of that for u.
        return (1.0 - 4.0 * (-1.0 - z).exp()).max(0.0).sqrt();
    }
    let limit = limiting_distribution(z);
    (limit + correction(n, limit)).clamp(0.0, 1.0)
}

/// The value at `x` of the polynomial with these coefficients, the constant first.
fn polynomial(coefficients: &[f64], x: f64) -> f64 {
    coefficients.iter().rev().fold(0.0, |value, &coefficient| value * x + coefficient)
}

/// The distribution for infinitely many values: `adinf` of the paper.
fn limiting_distribution(z: f64) -> f64 {
    if z < 2.0 {
        const NEAR: [f64; 6] = [2.00012, 0.247105, -0.0649821, 0.0347962, -0.011672, 0.00168691];
        (-1.2337141 / z).exp() / z.sqrt() * polynomial(&NEAR, z)
    } else {
        const FAR: [f64; 6] = [1.0776, -2.30695, 0.43424, -0.082433, 0.008056, -0.0003146];
        // Beyond this the probability is 1 to all digits, and the polynomial would lead nowhere.
        if z > 50.0 { 1.0 } else { (-polynomial(&FAR, z).exp()).exp() }
    }
}

/// What is to be added to the limiting probability `x` for `n` values: `errfix` of the paper.
fn correction(n: f64, x: f64) -> f64 {
    let left = 0.01265 + 0.1757 / n;
    if x < left {
        let t = x / left;
        t.sqrt() * (1.0 - t) * (49.0 * t - 102.0) * (0.0037 / (n * n) + 0.00078 / n + 0.00006) / n
    } else if x < 0.8 {
        const MIDDLE: [f64; 6] = [-0.00022633, 6.54034, -14.6538, 14.458, -8.259, 1.91864];
        polynomial(&MIDDLE, (x - left) / (0.8 - left)) * (0.04213 + 0.01365 / n) / n
    } else {
        const RIGHT: [f64; 6] = [-130.2137, 745.2337, -1705.091, 1950.646, -1116.360, 255.7844];
        polynomial(&RIGHT, x) / n
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

    #[test]
    fn tail_probabilities_are_those_of_the_inverted_characteristic_function() {
        // By Imhof's formula (Biometrika 48, 1961) for the sum of chi-squared_1 / (j (j + 1)), 400 terms.
        for (z, tail) in [
            (0.5, 0.746814),
            (1.0, 0.357267),
            (1.248, 0.249950),
            (1.610, 0.152258),
            (1.933, 0.099995),
            (2.492, 0.050022),
            (3.857, 0.010241),
        ] {
            let approximate = 1.0 - limiting_distribution(z);
            assert!((approximate - tail).abs() < 3e-5, "{z}: {approximate}");
        }
    }

    #[test]
    fn the_far_tail_follows_its_asymptote() {
        // A squared is the sum of chi-squared_1 / (j (j + 1)): the tail tends to sqrt(3 / (pi z)) exp(-z).
        for z in [4.0_f64, 6.0, 8.0] {
            let asymptote = (3.0 / (std::f64::consts::PI * z)).sqrt() * (-z).exp();
            let tail = 1.0 - limiting_distribution(z);
            assert!((tail / asymptote - 1.0).abs() < 0.05, "{z}: {tail} against {asymptote}");
        }
    }

    #[test]
    fn the_distribution_of_a_single_value_is_its_own() {
        // A value as far out as u or 1 - u = 0.01 has a probability of 0.02.
        for u in [0.01, 0.99] {
            let p = of_probabilities(&[u]).expect("a value").p_value;
            assert!((p - 0.02).abs() < 1e-12, "{p}");
        }
        assert!(of_probabilities(&[0.5]).expect("a value").p_value > 0.999_999);
    }

    #[test]
    fn the_distribution_of_eight_values_is_the_simulated_one() {
        let (mut lcg, runs) = (Lcg::new(5), 20_000);
        let draw = |_| {
            let sample: Vec<f64> = (0..8).map(|_| lcg.uniform()).collect();
            of_probabilities(&sample).expect("values").a_squared
        };
        let mut simulated: Vec<f64> = (0..runs).map(draw).collect();
        simulated.sort_by(f64::total_cmp);
        for (i, &z) in simulated.iter().enumerate().step_by(100) {
            // Four standard errors of a simulated probability near one half are 0.014.
            let share = (i as f64 + 0.5) / f64::from(runs);
            assert!((distribution(8.0, z) - share).abs() < 0.014, "{z}: {share}");
        }
    }

    #[test]
    fn the_statistic_of_few_values_is_the_formula_by_hand() {
        let one = of_probabilities(&[0.5]).expect("a value");
        assert!((one.a_squared - (-1.0 + 4.0_f64.ln())).abs() < 1e-12);
        let two = of_probabilities(&[0.8, 0.3]).expect("values");
        let by_hand = -2.0 - 0.5 * ((0.3_f64 * 0.2).ln() + 3.0 * (0.8_f64 * 0.7).ln());
        assert!((two.a_squared - by_hand).abs() < 1e-12, "{two:?}");
    }

    #[test]
    fn samples_of_the_right_distribution_reject_as_often_as_they_should() {
        let mut lcg = Lcg::new(7);
        let runs = 2_000;
        let rejected = (0..runs)
            .filter(|_| {
                let sample: Vec<f64> = (0..64).map(|_| lcg.uniform()).collect();
                of_probabilities(&sample).expect("values").p_value < 0.05
            })
            .count();
        // Binomial(2,000, 0.05): 100 and a standard deviation of 9.7.
        assert!((60..=140).contains(&rejected), "{rejected}");
    }

    #[test]
    fn exponential_gaps_pass_and_gaps_with_another_mean_or_shape_do_not() {
        let mut lcg = Lcg::new(11);
        let drawn: Vec<f64> = (0..10_000).map(|_| -lcg.uniform().ln() * 3.0).collect();
        assert!(of_exponential_gaps(&drawn, 3.0, 0.0).expect("gaps").p_value > 0.01);
        assert!(of_exponential_gaps(&drawn, 3.3, 0.0).expect("gaps").p_value < 1e-5);
        let even: Vec<f64> = (0..10_000).map(|_| 6.0 * lcg.uniform()).collect();
        assert!(of_exponential_gaps(&even, 3.0, 0.0).expect("gaps").p_value < 1e-5);
    }

    #[test]
    fn the_test_of_gaps_is_the_test_of_their_probabilities() {
        let gaps = [0.1_f64, 2.5, 0.7, 1.1, 4.0];
        let probabilities = gaps.map(|gap| 1.0 - (-gap / 1.7).exp());
        let (a, b) = (of_exponential_gaps(&gaps, 1.7, 0.0), of_probabilities(&probabilities));
        assert!((a.expect("gaps").a_squared - b.expect("values").a_squared).abs() < 1e-9);
    }

    #[test]
    fn gaps_that_a_clock_rounded_to_zero_are_not_held_against_the_schedule() {
        let mut lcg = Lcg::new(3);
        // A mean of a thousand steps of the clock: some 65 gaps of 65,536 read zero.
        let rounded: Vec<f64> = (0..65_536).map(|_| (-lcg.uniform().ln() * 1_000.0).floor()).collect();
        assert!(rounded.iter().filter(|gap| **gap == 0.0).count() > 20);
        assert!(of_exponential_gaps(&rounded, 1_000.0, 1.0).expect("gaps").p_value > 0.01);
        assert!(of_exponential_gaps(&rounded, 1_000.0, 0.0).expect("gaps").p_value < 0.01);
    }

    #[test]
    fn impossible_values_are_evidence_and_no_values_are_none() {
        let never = of_probabilities(&[0.0, 0.0, 1.0, 1.0, 1.0]).expect("values");
        assert!(never.a_squared > 100.0 && never.p_value < 1e-3, "{never:?}");
        let stuck = of_exponential_gaps(&[0.0; 100], 1.0, 0.0).expect("gaps");
        assert!(stuck.a_squared.is_finite() && stuck.p_value < 1e-5, "{stuck:?}");
        assert_eq!(of_probabilities(&[]), None);
        assert_eq!(of_probabilities(&[0.5, f64::NAN]), None);
        assert_eq!(of_exponential_gaps(&[1.0, f64::NAN], 1.0, 0.0), None);
        assert_eq!(of_exponential_gaps(&[1.0], 0.0, 0.0), None);
        assert_eq!(of_exponential_gaps(&[1.0], 1.0, f64::NAN), None);
    }

    proptest! {
        #[test]
        fn every_sample_has_a_finite_statistic_and_a_probability(
            values in prop::collection::vec(prop::num::f64::ANY.prop_filter("a number", |x| !x.is_nan()), 1..50),
        ) {
            for tested in [of_probabilities(&values), of_exponential_gaps(&values, 1.0, 0.0)] {
                let tested = tested.expect("numbers");
                prop_assert!(tested.a_squared.is_finite() && tested.a_squared >= 0.0, "{tested:?}");
                prop_assert!((0.0..=1.0).contains(&tested.p_value), "{tested:?}");
            }
        }

        #[test]
        fn the_order_of_the_values_does_not_matter(mut values in prop::collection::vec(0.0_f64..1.0, 1..50)) {
            let there = of_probabilities(&values);
            values.reverse();
            prop_assert_eq!(there, of_probabilities(&values));
        }

        #[test]
        fn a_larger_statistic_is_no_less_surprising(n in 5_u32..100_000, z in 0.05_f64..60.0, step in 0.01_f64..5.0) {
            let (near, far) = (distribution(f64::from(n), z), distribution(f64::from(n), z + step));
            prop_assert!(far >= near - 1e-5, "{near} then {far}");
        }
    }
}
