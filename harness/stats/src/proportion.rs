//! A share of cases, and how surely it is known: exact intervals, which suppose nothing but that the cases are independent.
//!
//! Of no case among many there is a bound alone: nothing was seen, and what is rarer than the bound would mostly not have been.

use serde::{Deserialize, Serialize};
use statrs::function::beta::beta_reg;

/// The coverage of an interval, and the confidence in a bound.
pub const LEVEL: f64 = 0.95;

/// A share between the ends of its interval.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Proportion {
    /// Cases over all.
    pub share: f64,
    /// The lower end.
    pub low: f64,
    /// The upper end.
    pub high: f64,
}

/// The share of `cases` among `all`, with the interval of Clopper and Pearson (The Use of Confidence or Fiducial Limits Illustrated in
/// the Case of the Binomial, Biometrika 26, 1934) at [`LEVEL`]. Its ends are the shares of which so few, or so many, would be seen once in
/// forty: quantiles of beta distributions. `None` where there is nothing, or less than the cases.
pub fn exact(cases: u64, all: u64) -> Option<Proportion> {
    if all == 0 || cases > all {
        return None;
    }
    let tail = (1.0 - LEVEL) / 2.0;
    let others = all - cases;
    let low = if cases == 0 { 0.0 } else { quantile(cases as f64, (others + 1) as f64, tail) };
    let high = if others == 0 { 1.0 } else { quantile((cases + 1) as f64, others as f64, 1.0 - tail) };
    Some(Proportion { share: cases as f64 / all as f64, low, high })
}

/// The share of which not one case would be seen among `all` with probability 1 - [`LEVEL`], `1 - 0.05^(1/n)`: a share is below it at
/// that confidence where none was seen. Of many cases it is the rule of three, 3/n (Hanley and Lippman-Hand, JAMA 249, 1983). 1 of nothing.
pub fn below_where_none_was_seen(all: u64) -> f64 {
    if all == 0 {
        return 1.0;
    }
    -((1.0 - LEVEL).ln() / all as f64).exp_m1()
}

/// The quantile of a beta distribution, by halving the logarithm's range: shares may be as small as one in a million, and are as exact as
/// others then.
fn quantile(a: f64, b: f64, probability: f64) -> f64 {
    /// Of 64 bits, more than are told apart.
    const HALVINGS: usize = 100;
    /// No share is less that anybody has seen a case of.
    const LEAST: f64 = 1e-30;
    let (mut low, mut high) = (LEAST.ln(), 0.0_f64);
    for _ in 0..HALVINGS {
        let middle = f64::midpoint(low, high);
        match beta_reg(a, b, middle.exp()) < probability {
            true => low = middle,
            false => high = middle,
        }
    }
    high.exp()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn close(found: Proportion, low: f64, high: f64) {
        assert!((found.low - low).abs() < 1e-6 && (found.high - high).abs() < 1e-6, "{found:?}");
    }

    #[test]
    fn intervals_are_those_of_printed_tables() {
        // R: binom.test(k, n)$conf.int.
        close(exact(10, 100).unwrap(), 0.049_004_7, 0.176_222_6);
        close(exact(1, 20).unwrap(), 0.001_265_1, 0.248_732_8);
        close(exact(5, 5).unwrap(), 0.478_176_3, 1.0);
        close(exact(0, 50).unwrap(), 0.0, 0.071_121_7);
    }

    #[test]
    fn none_of_many_is_the_rule_of_three() {
        assert!((below_where_none_was_seen(1_000_000) * 1e6 / 3.0 - 1.0).abs() < 2e-3);
        // Of six, the share of which six are missed once in twenty.
        assert!(((1.0 - below_where_none_was_seen(6)).powi(6) - 0.05).abs() < 1e-12);
        assert!((below_where_none_was_seen(0) - 1.0).abs() < 1e-12);
    }

    #[test]
    fn nothing_is_said_of_nothing() {
        assert_eq!((exact(0, 0), exact(3, 2)), (None, None));
    }

    #[test]
    fn a_few_of_a_million_are_as_exact_as_a_few_of_a_hundred() {
        // Of Poisson's distribution, which it is then: 12 between 6.2006 and 20.9616 (Garwood, Biometrika 28, 1936).
        let found = exact(12, 1_000_000).unwrap();
        assert!(
            (found.low * 1e6 - 6.2006).abs() < 1e-3 && (found.high * 1e6 - 20.9616).abs() < 1e-3,
            "{found:?}"
        );
    }

    proptest! {
        #[test]
        fn beyond_either_end_so_many_are_seen_once_in_forty(all in 1_u64..200, part in 0.0_f64..=1.0) {
            let cases = (part * all as f64) as u64;
            let found = exact(cases, all).unwrap();
            prop_assert!(0.0 <= found.low && found.low <= found.share && found.share <= found.high && found.high <= 1.0);
            // Sums of the binomial's terms, one by one.
            let term = |k: u64, p: f64| {
                let ways: f64 = (0..k).map(|at| ((all - at) as f64 / (at + 1) as f64).ln()).sum();
                (ways + k as f64 * p.ln() + (all - k) as f64 * (1.0 - p).ln()).exp()
            };
            if cases > 0 {
                let as_many: f64 = (cases..=all).map(|k| term(k, found.low)).sum();
                prop_assert!((as_many - 0.025).abs() < 1e-6, "{}", as_many);
            }
            if cases < all {
                let as_few: f64 = (0..=cases).map(|k| term(k, found.high)).sum();
                prop_assert!((as_few - 0.025).abs() < 1e-6, "{}", as_few);
            }
        }
    }
}
