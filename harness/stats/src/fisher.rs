//! Whether windows were dropped from some rows more often than from others.
//!
//! The gate does not know a row's results, but the machine may: a row that wakes the kernel's housekeeping would lose more
//! windows than its neighbours. Each row is tested against all others together by Fisher's exact test, and Holm's procedure
//! holds the chance of a false alarm over all rows. One test of the whole table would say that shares differ, and not
//! whose; with r rows this names them, and is exact for the small counts of one run.

use std::iter::Sum;

use serde::{Deserialize, Serialize};
use statrs::function::factorial::ln_binomial;

use crate::holm;

/// The level at which kept shares are announced to differ.
pub const ALPHA: f64 = 0.01;

/// One row's windows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Kept {
    /// Kept by the gate.
    pub kept: u64,
    /// Dropped by it.
    pub dropped: u64,
}

impl Sum for Kept {
    fn sum<I: Iterator<Item = Self>>(rows: I) -> Self {
        let none = Self { kept: 0, dropped: 0 };
        rows.fold(none, |all, row| Self { kept: all.kept + row.kept, dropped: all.dropped + row.dropped })
    }
}

/// What is said of one row's share of kept windows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Share {
    /// Kept over all; `None` where there was no window.
    pub share: Option<f64>,
    /// The p-value of the hypothesis that it is that of the other rows, adjusted by Holm's procedure.
    pub adjusted_p: f64,
    /// Whether it differs, at [`ALPHA`].
    pub differs: bool,
}

/// The two-sided p-value of Fisher's exact test that `a` and `b` are kept with the same probability: the sum, over all tables
/// with the same margins, of the probabilities that are no larger than that of this one (Fisher, Statistical Methods
/// for Research Workers, section 21.02). 1 where a row or a column is empty.
pub fn two_sided_p(a: Kept, b: Kept) -> f64 {
    let (in_a, in_b) = (a.kept + a.dropped, b.kept + b.dropped);
    let kept = a.kept + b.kept;
    let ln_tables = ln_binomial(in_a + in_b, kept);
    let ln_probability = |of_a: u64| ln_binomial(in_a, of_a) + ln_binomial(in_b, kept - of_a) - ln_tables;
    // Tables that are equally probable must not be parted by the rounding of logarithms of factorials.
    let limit = ln_probability(a.kept) + 1e-7;
    let possible = kept.saturating_sub(in_b)..=kept.min(in_a);
    let as_extreme = possible.map(ln_probability).filter(|&ln| ln <= limit);
    as_extreme.map(f64::exp).sum::<f64>().min(1.0)
}

/// Compares each row's share with that of all others together, in the order of the rows.
pub fn shares(rows: &[Kept]) -> Vec<Share> {
    let Kept { kept, dropped } = rows.iter().copied().sum();
    let rest = |row: &Kept| Kept { kept: kept - row.kept, dropped: dropped - row.dropped };
    let p_values: Vec<f64> = rows.iter().map(|row| two_sided_p(*row, rest(row))).collect();
    let judged = rows.iter().zip(holm::step_down(&p_values, ALPHA));
    judged
        .map(|(row, step)| {
            let all = row.kept + row.dropped;
            let share = (all > 0).then(|| row.kept as f64 / all as f64);
            Share { share, adjusted_p: step.adjusted_p, differs: step.rejected }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kept(kept: u64, dropped: u64) -> Kept {
        Kept { kept, dropped }
    }

    #[test]
    fn the_lady_tasting_tea() {
        // Fisher, The Design of Experiments: eight cups, three of four right: (16 + 1) / 70 on either side.
        assert!((two_sided_p(kept(3, 1), kept(1, 3)) - 34.0 / 70.0).abs() < 1e-12);
        assert!((two_sided_p(kept(4, 0), kept(0, 4)) - 2.0 / 70.0).abs() < 1e-12);
    }

    #[test]
    fn the_convicts_twins() {
        // Statistical Methods for Research Workers, section 21.02: of 13 monozygotic twins of convicts 10 were convicted,
        // of 17 dizygotic ones 2. One-sided 0.0004652; R's fisher.test gives 0.0005367 for both sides.
        assert!((two_sided_p(kept(10, 3), kept(2, 15)) - 0.000_536_7).abs() < 1e-7);
    }

    #[test]
    fn an_unequal_table_has_unequal_tails() {
        // R: fisher.test(matrix(c(1, 11, 9, 3), 2)) is the textbook table of dieting, p = 0.002759.
        assert!((two_sided_p(kept(1, 9), kept(11, 3)) - 0.002_759_456).abs() < 1e-8);
    }

    #[test]
    fn empty_margins_say_nothing() {
        for (a, b) in [(kept(0, 0), kept(3, 4)), (kept(5, 0), kept(9, 0)), (kept(0, 2), kept(0, 7))] {
            assert!((two_sided_p(a, b) - 1.0).abs() < 1e-12);
        }
        assert!(shares(&[]).is_empty());
        assert_eq!(shares(&[kept(0, 0)]), [Share { share: None, adjusted_p: 1.0, differs: false }]);
    }

    #[test]
    fn the_row_that_lost_its_windows_is_named_and_the_others_are_not() {
        // results/2026-11-21-vm-2, mixed: 16 of 17 trials lost, 9 of 12, none of 6, and rows like the last.
        let rows = [kept(1, 16), kept(3, 9), kept(6, 0), kept(6, 0), kept(6, 0), kept(6, 0), kept(6, 1)];
        let differs: Vec<bool> = shares(&rows).iter().map(|share| share.differs).collect();
        assert_eq!(differs, [true, false, false, false, false, false, false]);
        assert!(shares(&[kept(24, 8); 6]).iter().all(|share| !share.differs && share.share == Some(0.75)));
    }

    proptest! {
        #[test]
        fn it_is_the_sum_over_tables_counted_one_by_one(a in (0_u64..9, 0_u64..9), b in (0_u64..9, 0_u64..9)) {
            let (a, b) = (kept(a.0, a.1), kept(b.0, b.1));
            let choose = |n: u64, k: u64| (0..k).fold(1_u128, |ways, i| ways * u128::from(n - i) / u128::from(i + 1));
            let (in_a, in_b, all) = (a.kept + a.dropped, b.kept + b.dropped, a.kept + b.kept);
            let ways = |k: u64| if k > all || all - k > in_b { 0 } else { choose(in_a, k) * choose(in_b, all - k) };
            let extreme: u128 = (0..=in_a).map(ways).filter(|&way| way <= ways(a.kept)).sum();
            let exact = extreme as f64 / choose(in_a + in_b, all) as f64;
            prop_assert!((two_sided_p(a, b) - exact).abs() < 1e-9);
        }

        #[test]
        fn it_does_not_matter_which_is_named_first_or_called_kept(a in (0_u64..60, 0_u64..60), b in (0_u64..60, 0_u64..60)) {
            let there = two_sided_p(kept(a.0, a.1), kept(b.0, b.1));
            prop_assert!((there - two_sided_p(kept(b.0, b.1), kept(a.0, a.1))).abs() < 1e-9);
            prop_assert!((there - two_sided_p(kept(a.1, a.0), kept(b.1, b.0))).abs() < 1e-9);
        }
    }
}
