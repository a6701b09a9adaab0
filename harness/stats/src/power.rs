//! What a comparison can find, before and after it is made.
//!
//! A test of n starts rejects when `|mean| > t s / sqrt(n)`, and s is itself estimated, so the chance that it finds a true
//! difference is that of the noncentral t distribution. The textbook's sum of two quantiles, `(t_Holm + t_0.9) s / sqrt(n)`,
//! is its approximation for s known: it keeps its 90% for one comparison, but of fifteen with eight starts it finds
//! only 85 of 100. What is stated here is exact.

use statrs::function::{erf::erfc, gamma::ln_gamma};

use crate::student::StudentT;

/// The chance of being found with which a detectable difference is stated.
pub const POWER: f64 = 0.9;

/// The probability that the absolute value of a noncentral t exceeds `critical`: the power of a two-sided test when the
/// true difference is `noncentrality` standard errors. 0 without degrees of freedom.
///
/// With W the ratio of estimated to true spread, which is distributed as `sqrt(chi^2 / df)`, it is the mean over W of
/// `Phi(delta - c W) + Phi(-delta - c W)` (Johnson, Kotz and Balakrishnan, Continuous Univariate Distributions 2,
/// chapter 31), here by Simpson's rule.
pub fn power(degrees_of_freedom: usize, critical: f64, noncentrality: f64) -> f64 {
    if degrees_of_freedom == 0 {
        return 0.0;
    }
    let df = degrees_of_freedom as f64;
    let log_constant = std::f64::consts::LN_2 + df / 2.0 * (df / 2.0).ln() - ln_gamma(df / 2.0);
    let density = |w: f64| {
        let log_power = if degrees_of_freedom == 1 { 0.0 } else { (df - 1.0) * w.ln() };
        (log_constant + log_power - df * w * w / 2.0).exp()
    };
    let at = |w: f64| {
        density(w) * (normal_cdf(noncentrality - critical * w) + normal_cdf(-noncentrality - critical * w))
    };
    // W has a mean of about 1 and a deviation of 1 / sqrt(2 df): nothing is left beyond eight of them.
    let deviations = 8.0 / (2.0 * df).sqrt();
    let (low, high) = ((1.0 - deviations).max(0.0), 1.0 + deviations);
    // As W grows by 1 / critical, the integrand falls from one level to another: eight steps for that. And no fewer than
    // two hundred for the density.
    let steps = 2 * (4.0 * (high - low) * critical.min(1e4)).max(100.0).ceil() as usize;
    let step = (high - low) / steps as f64;
    let weight = |i: usize| match i {
        i if i == 0 || i == steps => 1.0,
        i if i % 2 == 1 => 4.0,
        _ => 2.0,
    };
    let sum: f64 = (0..=steps).map(|i| weight(i) * at(low + i as f64 * step)).sum();
    (sum * step / 3.0).clamp(0.0, 1.0)
}

/// The true log ratio that a two-sided test at level `alpha` finds with probability `power`, when log ratios of
/// starts have the standard deviation `stdev`. `alpha` is the level of one comparison: `0.05 / m` for the hardest of m
/// under Holm's procedure. `None` with fewer than two starts, or where alpha or power are not between 0 and 1.
pub fn detectable_log(stdev: f64, starts: usize, alpha: f64, power: f64) -> Option<f64> {
    let df = starts.checked_sub(1)?;
    let t = StudentT::new(df)?;
    if !(alpha > 0.0 && alpha < power && power < 1.0) {
        return None;
    }
    let critical = t.critical(alpha);
    // The sum of two quantiles is at most a third too small, and never twice too large.
    let (mut low, mut high) = (0.0, 2.0 * (critical + t.critical(2.0 * (1.0 - power)).max(1.0)));
    while self::power(df, critical, high) < power {
        high *= 2.0;
    }
    while high - low > 1e-6 * high {
        let middle = f64::midpoint(low, high);
        if self::power(df, critical, middle) < power {
            low = middle;
        } else {
            high = middle;
        }
    }
    Some(high * stdev / (starts as f64).sqrt())
}

/// The fewest starts in which a true log ratio of `log` is found with probability `power`, where log ratios of starts have the
/// standard deviation `stdev`; `alpha` as in [`detectable_log`]. `None` where a million would not do.
pub fn starts_for(stdev: f64, log: f64, alpha: f64, power: f64) -> Option<usize> {
    const MOST: usize = 1_000_000;
    // What is no difference is never found, however little starts differ.
    let finds = |starts| {
        log != 0.0 && detectable_log(stdev, starts, alpha, power).is_some_and(|found| found <= log.abs())
    };
    let mut enough = 2;
    while !finds(enough) {
        enough *= 2;
        if enough > MOST {
            return None;
        }
    }
    // Detectable differences shrink with every start.
    let (mut few, mut enough) = (enough / 2, enough);
    while enough - few > 1 {
        let middle = usize::midpoint(few, enough);
        if finds(middle) { enough = middle } else { few = middle }
    }
    Some(enough)
}

/// The approximation `(t_alpha + t_power) s / sqrt(n)` of [`detectable_log`], by which designs are often planned.
pub fn sum_of_quantiles_log(stdev: f64, starts: usize, alpha: f64, power: f64) -> Option<f64> {
    let t = StudentT::new(starts.checked_sub(1)?)?;
    let quantiles = t.critical(alpha) + t.critical(2.0 * (1.0 - power));
    Some(quantiles * stdev / (starts as f64).sqrt())
}

fn normal_cdf(x: f64) -> f64 {
    0.5 * erfc(-x / std::f64::consts::SQRT_2)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

    fn critical(df: usize, alpha: f64) -> f64 {
        StudentT::new(df).expect("df is positive").critical(alpha)
    }

    #[test]
    fn without_a_difference_the_power_is_the_level() {
        for df in [1, 2, 5, 7, 9, 30, 200] {
            for alpha in [0.05, 0.05 / 15.0] {
                let found = power(df, critical(df, alpha), 0.0);
                assert!((found / alpha - 1.0).abs() < 1e-4, "df {df}, alpha {alpha}: {found}");
            }
        }
    }

    #[test]
    fn many_degrees_of_freedom_have_the_power_of_the_normal_test() {
        // Phi(1.96 + 1.2816 - 1.96) = 0.9.
        let found = power(100_000, 1.959_964, 1.959_964 + 1.281_552);
        assert!((found - 0.9).abs() < 1e-4, "{found}");
    }

    #[test]
    fn sample_sizes_are_those_of_the_printed_tables() {
        // Cohen, Statistical Power Analysis, table 2.4.1, one-sample, two-sided 5%: d = 1 needs 11 (power 0.85) to 13
        // (0.90); d = 0.5 needs 44 for 0.9.
        for (starts, effect, low, high) in
            [(13, 1.0, 0.9, 0.92), (44, 0.5, 0.895, 0.905), (12, 1.0, 0.86, 0.9)]
        {
            let df = starts - 1;
            let found = power(df, critical(df, 0.05), effect * (starts as f64).sqrt());
            assert!((low..high).contains(&found), "{starts} starts: {found}");
        }
    }

    #[test]
    fn the_sum_of_quantiles_keeps_its_word_for_one_comparison_and_not_for_fifteen() {
        let found_at_the_sum = |starts: usize, comparisons: f64| {
            let alpha = 0.05 / comparisons;
            let log = sum_of_quantiles_log(1.0, starts, alpha, POWER).expect("starts");
            power(starts - 1, critical(starts - 1, alpha), log * (starts as f64).sqrt())
        };
        assert!((found_at_the_sum(8, 1.0) - 0.898).abs() < 1e-3);
        assert!((found_at_the_sum(8, 15.0) - 0.849).abs() < 1e-3);
        assert!((found_at_the_sum(6, 21.0) - 0.810).abs() < 1e-3);
    }

    #[test]
    fn the_power_is_that_of_simulated_tests() {
        let mut lcg = Lcg::new(3);
        let (starts, alpha) = (6, 0.01);
        let delta = detectable_log(1.0, starts, alpha, 0.7).expect("starts");
        let threshold = critical(starts - 1, alpha);
        let found = (0..4_000)
            .filter(|_| {
                let values: Vec<f64> = (0..starts).map(|_| delta + lcg.normal()).collect();
                let (mean, stdev) = crate::summary::mean_and_stdev(&values);
                mean.abs() > threshold * stdev.expect("six values") / (starts as f64).sqrt()
            })
            .count();
        // 2,800 expected, with a standard deviation of 29.
        assert!((2_690..2_910).contains(&found), "{found}");
    }

    #[test]
    fn the_fewest_starts_for_a_difference_are_those_that_find_it_and_no_fewer() {
        for (stdev, log) in [(1.0, 1.0), (0.1, -0.02), (0.3, 0.29), (1e-3, 5.0)] {
            let starts = starts_for(stdev, log, 0.05 / 15.0, POWER).expect("it can be found");
            let found =
                |starts| detectable_log(stdev, starts, 0.05 / 15.0, POWER).expect("two starts") <= log.abs();
            assert!(found(starts) && (starts == 2 || !found(starts - 1)), "{stdev}, {log}: {starts}");
        }
        assert_eq!(starts_for(1.0, 1e-9, 0.05, POWER), None);
        assert_eq!([0.0, 1.0].map(|stdev| starts_for(stdev, 0.0, 0.05, POWER)), [None; 2]);
    }

    #[test]
    fn nothing_is_detectable_by_one_start_or_at_no_level() {
        assert_eq!(detectable_log(1.0, 1, 0.05, 0.9), None);
        assert_eq!(detectable_log(1.0, 0, 0.05, 0.9), None);
        assert_eq!(detectable_log(1.0, 8, 0.0, 0.9), None);
        assert_eq!(detectable_log(1.0, 8, 0.05, 1.0), None);
        assert_eq!(sum_of_quantiles_log(1.0, 1, 0.05, 0.9), None);
        assert!(power(0, 2.0, 1.0).abs() < 1e-300);
    }

    proptest! {
        #[test]
        fn a_detectable_difference_is_found_as_often_as_stated_and_shrinks_with_starts(
            starts in 2_usize..40, comparisons in 1_u32..60, stated in 0.5_f64..0.99,
        ) {
            let alpha = 0.05 / f64::from(comparisons);
            let log = detectable_log(1.0, starts, alpha, stated).expect("two starts");
            let found = power(starts - 1, critical(starts - 1, alpha), log * (starts as f64).sqrt());
            prop_assert!((found - stated).abs() < 1e-4, "{} instead of {}", found, stated);
            let more = detectable_log(1.0, starts + 1, alpha, stated).expect("three starts");
            prop_assert!(more < log);
        }
    }
}
