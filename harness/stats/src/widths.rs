//! Stopping a run when its intervals are narrow enough, whatever they say.
//!
//! To stop when a difference is found is to find differences that are not there. To stop when intervals are narrow looks at
//! spreads alone, which under normal noise are independent of the means. It is not free either: a run then stops rather where
//! a spread came out too small. With looks after each of 6 to 10 starts, at the worst target, a level of 5% becomes 6.4%
//! for two rows (7.4% with looks up to 20), 5.0% for three (5.2%), 4.9% for six (4.6%) and 4.7% for twelve: a run of many rows
//! waits for its widest pair, and that is one whose spread came out too large. Figures are simulated, 12,000 to 400,000
//! runs each. So a run of few rows that *may* stop early is judged at half the level, whether it stops or not.

use serde::Serialize;

use crate::decide::{Decisions, FAMILY_ALPHA};
use crate::ratio::ratio_of;

/// Pairs from which on the whole level is kept: those of six rows.
pub const MANY_PAIRS: usize = 15;

/// The family level of a run of so many pairs that may stop early, fixed before its first window.
pub fn alpha_when_stopping(pairs: usize) -> f64 {
    if pairs < MANY_PAIRS { FAMILY_ALPHA / 2.0 } else { FAMILY_ALPHA }
}

/// How wide the intervals of a family are.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Widths {
    /// The half width that was asked for, as a ratio: 1.02 for plus or minus 2%.
    pub target: f64,
    /// The widest half width among pairs that have one; `None` where none has.
    pub widest: Option<f64>,
    /// Pairs that are not narrow enough, as indices into the decisions' pairs: those without an interval, or outside the
    /// family, among them.
    pub open: Vec<usize>,
}

impl Widths {
    /// Measures the simultaneous intervals of a family. Means do not enter: [`crate::contrast::Contrast::half_width_log`].
    ///
    /// A pair whose ratios have no spread at all is narrow.
    pub fn of(decisions: &Decisions, target: f64) -> Self {
        let alpha = decisions.alpha / decisions.pairs.len().max(1) as f64;
        let half_width = |at: usize| {
            let pair = &decisions.pairs[at];
            pair.step?;
            pair.contrast.map(|contrast| ratio_of(contrast.half_width_log(alpha).unwrap_or(0.0)))
        };
        let all: Vec<Option<f64>> = (0..decisions.pairs.len()).map(half_width).collect();
        let is_open = |width: &Option<f64>| !width.is_some_and(|width| width <= target);
        Self {
            target,
            widest: all.iter().copied().flatten().max_by(f64::total_cmp),
            open: (0..all.len()).filter(|&at| is_open(&all[at])).collect(),
        }
    }

    /// Whether the run may stop.
    pub fn are_narrow_enough(&self) -> bool {
        self.open.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contrast::tests::starts;
    use crate::decide::decide;
    use crate::lcg::Lcg;
    use crate::rounds::Between;

    fn between(second: usize, logs: &[f64]) -> Between {
        Between { first: 0, second, starts: Ok(starts(logs)) }
    }

    #[test]
    fn a_run_goes_on_until_every_pair_is_narrow() {
        let (narrow, wide) = ([0.01, -0.01, 0.01, -0.01, 0.01, -0.01], [0.1, -0.1, 0.1, -0.1, 0.1, -0.1]);
        let of = |pairs: &[Between], target| Widths::of(&decide(pairs, alpha_when_stopping(1)), target);
        assert!(of(&[between(1, &narrow)], 1.05).are_narrow_enough());
        let both = of(&[between(1, &narrow), between(2, &wide)], 1.05);
        assert_eq!((both.are_narrow_enough(), both.open.clone()), (false, vec![1]));
        assert!(both.widest.is_some_and(|widest| widest > 1.1));
        assert!(of(&[between(1, &narrow), between(2, &wide)], 1.5).are_narrow_enough());
        // Five starts are never enough, and no spread always is.
        assert_eq!(of(&[between(1, &narrow[..5])], 9.0).open, [0]);
        assert!(of(&[between(1, &[0.0; 6])], 1.0).are_narrow_enough());
    }

    /// A two-row race of equals with a look after each start from the sixth: whether it ends with a difference.
    fn errs(lcg: &mut Lcg, alpha: f64, target: f64) -> bool {
        let mut logs: Vec<f64> = (0..6).map(|_| 0.02 * lcg.normal()).collect();
        loop {
            let decisions = decide(&[between(1, &logs)], alpha);
            if logs.len() == 12 || Widths::of(&decisions, target).are_narrow_enough() {
                return !decisions.claims(crate::rank::Direction::LowerIsBetter).is_empty();
            }
            logs.push(0.02 * lcg.normal());
        }
    }

    #[test]
    fn stopping_on_widths_at_half_the_level_keeps_the_level_and_at_the_whole_does_not() {
        let races = 4_000;
        let found = |alpha: f64, target: f64| {
            let mut lcg = Lcg::new(31);
            (0..races).filter(|_| errs(&mut lcg, alpha, target)).count()
        };
        // 200 is the level, with a standard deviation of 14; the targets stop runs at some 9 starts on average.
        assert!(found(alpha_when_stopping(1), 1.016) <= 200);
        assert!(found(FAMILY_ALPHA, 1.014) > 228);
    }

    #[test]
    fn a_run_of_six_rows_waits_for_its_widest_pair_and_keeps_the_whole_level() {
        let (races, rows, pairs) = (1_500, 6, 15);
        assert_eq!(alpha_when_stopping(pairs), FAMILY_ALPHA);
        let mut lcg = Lcg::new(32);
        let mut draw = || -> Vec<f64> { (0..rows).map(|_| 0.02 * lcg.normal()).collect() };
        let errs = |draw: &mut dyn FnMut() -> Vec<f64>| {
            let mut values: Vec<Vec<f64>> = (0..6).map(|_| draw()).collect();
            loop {
                let logs = |a: usize, b: usize| values.iter().map(|row| row[a] - row[b]).collect::<Vec<_>>();
                let of =
                    |(first, second)| Between { first, second, starts: Ok(starts(&logs(first, second))) };
                let every = (0..rows).flat_map(|a| (a + 1..rows).map(move |b| (a, b)));
                let decisions = decide(&every.map(of).collect::<Vec<_>>(), alpha_when_stopping(pairs));
                if values.len() == 10 || Widths::of(&decisions, 1.08).are_narrow_enough() {
                    return !decisions.claims(crate::rank::Direction::LowerIsBetter).is_empty();
                }
                values.push(draw());
            }
        };
        let wrong = (0..races).filter(|_| errs(&mut draw)).count();
        // 75 is the level, with a standard deviation of 8.4.
        assert!(wrong <= 92, "{wrong}");
    }

    proptest! {
        #[test]
        fn an_effect_of_any_size_changes_no_width(
            logs in prop::collection::vec(-0.1_f64..0.1, 6..12), effect in -3.0_f64..3.0,
        ) {
            let moved: Vec<f64> = logs.iter().map(|log| log + effect).collect();
            let width = |logs: &[f64]| Widths::of(&decide(&[between(1, logs)], 0.05), 1.1).widest.expect("one pair");
            prop_assert!((width(&logs) / width(&moved) - 1.0).abs() < 1e-6);
        }
    }
}
