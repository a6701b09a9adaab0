//! From the windows of two rows to one log ratio a start.
//!
//! Rows are compared within a round, where windows lie seconds apart: what slows the machine for longer than that strikes
//! both and cancels. The median over a start's rounds is one value, because the start is what is repeated: windows of one
//! start share its memory layout and its connections, and taken for replicates they understate the error up to three
//! times. This file knows neither which values are good nor what was measured.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::ratio::has_logarithm;

/// One row's windows of one start, in the order of its rounds: a value in any unit, or `None` where no window was kept.
/// Its length is the number of rounds planned.
pub type Windows = Vec<Option<f64>>;

/// What one start says about two rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartRatio {
    /// The logarithm of the first row's value over the second's; `None` where fewer than half of the rounds have both.
    pub log_ratio: Option<f64>,
    /// In how many rounds both rows kept their window.
    pub pairs: usize,
    /// How many rounds were planned.
    pub rounds: usize,
    /// Whether the ratio is known or bounded.
    pub bound: Bound,
}

/// How far a ratio is known, where a percentile can lie among requests that were never answered.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Bound {
    /// As far as the data go.
    #[default]
    Exact,
    /// The first row's value is a lower bound, and so is the ratio.
    AtLeast,
    /// The second row's value is a lower bound, so that the ratio is an upper one.
    AtMost,
    /// Both are, and the ratio may be anything.
    Open,
}

/// A value that is zero, negative or not finite and has no ratio to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotPositive {
    /// The start, counted from 0.
    pub start: usize,
    /// The round, counted from 0.
    pub round: usize,
}

impl fmt::Display for NotPositive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "a value in round {} of start {} is not positive and has no ratio", self.round, self.start)
    }
}

/// Two rows and their ratio in every start.
#[derive(Clone, Debug, PartialEq)]
pub struct Between {
    /// The index of the row whose value is the numerator.
    pub first: usize,
    /// The index of the other.
    pub second: usize,
    /// Their ratios, by start; or the value that has none, which leaves the pair unjudged.
    pub starts: Result<Vec<StartRatio>, NotPositive>,
}

/// The log ratio of two rows in every start: the median over rounds of the log ratios within a round.
///
/// # Errors
/// When a value of a round that both rows kept has no logarithm.
pub fn log_ratios(first: &[Windows], second: &[Windows]) -> Result<Vec<StartRatio>, NotPositive> {
    let none = Windows::new();
    let of_start = |start: usize| {
        let (first, second) = (first.get(start).unwrap_or(&none), second.get(start).unwrap_or(&none));
        let mut logs = Vec::with_capacity(first.len());
        for (round, both) in first.iter().zip(second).enumerate() {
            let (&Some(a), &Some(b)) = both else { continue };
            if !(has_logarithm(a) && has_logarithm(b)) {
                return Err(NotPositive { start, round });
            }
            logs.push(a.ln() - b.ln());
        }
        let (pairs, rounds) = (logs.len(), first.len().max(second.len()));
        let log_ratio = median(&mut logs).filter(|_| is_enough(pairs, rounds));
        Ok(StartRatio { log_ratio, pairs, rounds, bound: Bound::Exact })
    };
    (0..first.len().max(second.len())).map(of_start).collect()
}

/// Every two of the rows in `entered` (indices into `rows`), once, the one that is named first as numerator.
pub fn every_pair(rows: &[Vec<Windows>], entered: &[usize]) -> Vec<Between> {
    pairs_of(entered, |first, second| log_ratios(&rows[first], &rows[second]))
}

/// In how many starts a row kept at least half of its windows. A row that has fewer than a comparison needs
/// cannot be placed, whoever it is compared with.
pub fn usable_starts(row: &[Windows]) -> usize {
    row.iter().filter(|windows| is_enough(windows.iter().flatten().count(), windows.len())).count()
}

/// Every two of `entered`, with what `ratios` says of them.
pub(crate) fn pairs_of(
    entered: &[usize],
    ratios: impl Fn(usize, usize) -> Result<Vec<StartRatio>, NotPositive>,
) -> Vec<Between> {
    let between = |first: usize, second: usize| Between { first, second, starts: ratios(first, second) };
    let from = |at: usize| entered[at + 1..].iter().map(move |&second| between(entered[at], second));
    (0..entered.len()).flat_map(from).collect()
}

/// Whether a start has enough of its rounds: at least half, and one.
pub(crate) fn is_enough(pairs: usize, rounds: usize) -> bool {
    pairs > 0 && 2 * pairs >= rounds
}

/// The middle value, or the mean of the two middle ones; `None` of nothing. Sorts what it is given.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let n = values.len();
    (n > 0).then(|| values[(n - 1) / 2].midpoint(values[n / 2]))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn all(values: &[f64]) -> Windows {
        values.iter().copied().map(Some).collect()
    }

    fn logs(first: &[Windows], second: &[Windows]) -> Vec<Option<f64>> {
        log_ratios(first, second).expect("positive values").iter().map(|start| start.log_ratio).collect()
    }

    #[test]
    fn a_start_is_the_median_of_its_rounds_ratios_and_not_the_ratio_of_its_medians() {
        // Ratios 2, 4, 1/2 have the median 2; the medians 4 and 2 happen to have it too, but 1, 1, 3 do not.
        let first = [all(&[2.0, 4.0, 8.0]), all(&[1.0, 1.0, 9.0])];
        let second = [all(&[1.0, 1.0, 16.0]), all(&[1.0, 3.0, 3.0])];
        let logs = logs(&first, &second);
        assert!((logs[0].expect("three pairs") - 2.0_f64.ln()).abs() < 1e-12);
        assert!(logs[1].expect("three pairs").abs() < 1e-12);
    }

    #[test]
    fn what_slows_a_whole_round_cancels() {
        let (first, second) = (all(&[100.0, 102.0, 99.0, 101.0]), all(&[50.0, 50.5, 49.8, 50.1]));
        let slow =
            |windows: &Windows| vec![windows[0], windows[1].map(|value| value * 0.3), windows[2], windows[3]];
        let calm = logs(std::slice::from_ref(&first), std::slice::from_ref(&second))[0].expect("four pairs");
        let disturbed = logs(&[slow(&first)], &[slow(&second)])[0].expect("four pairs");
        assert!((calm - disturbed).abs() < 1e-12);
    }

    #[test]
    fn a_start_needs_half_of_its_rounds_from_both_rows() {
        let four = all(&[1.0; 4]);
        let half = vec![Some(2.0), None, None, Some(2.0)];
        let less = vec![None, None, None, Some(2.0)];
        let ratios = log_ratios(&[half, less], &[four.clone(), four]).expect("positive values");
        assert_eq!((ratios[0].log_ratio, ratios[0].pairs, ratios[0].rounds), (Some(2.0_f64.ln()), 2, 4));
        assert_eq!((ratios[1].log_ratio, ratios[1].pairs, ratios[1].rounds), (None, 1, 4));
        // Two halves that never meet are no pair.
        let (even, odd) = (vec![Some(1.0), None], vec![None, Some(1.0)]);
        assert_eq!(logs(&[even], &[odd]), [None]);
    }

    #[test]
    fn a_start_or_a_round_that_one_row_lacks_counts_as_missing() {
        let ratios = log_ratios(&[all(&[2.0, 2.0]), all(&[2.0])], &[all(&[1.0])]).expect("positive values");
        assert_eq!((ratios[0].pairs, ratios[0].rounds, ratios[0].log_ratio), (1, 2, Some(2.0_f64.ln())));
        assert_eq!((ratios[1].pairs, ratios[1].rounds, ratios[1].log_ratio), (0, 1, None));
        assert_eq!(log_ratios(&[], &[]), Ok(vec![]));
        assert_eq!(logs(&[vec![]], &[vec![]]), [None]);
    }

    #[test]
    fn a_value_without_a_logarithm_is_named_unless_its_round_is_no_pair() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let row = [all(&[1.0]), all(&[1.0, value])];
            let answer = log_ratios(&row, &[all(&[1.0]), all(&[1.0, 1.0])]);
            assert_eq!(answer, Err(NotPositive { start: 1, round: 1 }));
            assert!(log_ratios(&row, &[all(&[1.0]), vec![Some(1.0), None]]).is_ok());
        }
    }

    #[test]
    fn every_two_rows_that_are_entered_meet_once() {
        let rows = [vec![all(&[1.0])], vec![all(&[2.0])], vec![all(&[3.0])]];
        let pairs = every_pair(&rows, &[2, 0]);
        assert_eq!(pairs.len(), 1);
        assert_eq!((pairs[0].first, pairs[0].second), (2, 0));
        assert_eq!(every_pair(&rows, &[0, 1, 2]).len(), 3);
        assert!(every_pair(&rows, &[]).is_empty());
    }

    #[test]
    fn starts_of_which_half_was_kept_are_usable() {
        let row = [vec![Some(1.0), None], vec![None, None], vec![], vec![Some(1.0), None, None], all(&[1.0])];
        assert_eq!(usable_starts(&row), 2);
    }

    prop_compose! {
        fn any_row()(values in prop::collection::vec(
            prop::collection::vec(prop::option::weighted(0.8, 0.1_f64..1e6), 0..7), 0..5,
        )) -> Vec<Windows> { values }
    }

    proptest! {
        #[test]
        fn swapping_the_rows_changes_the_sign_and_nothing_else(first in any_row(), second in any_row()) {
            let there = log_ratios(&first, &second).expect("positive values");
            let back = log_ratios(&second, &first).expect("positive values");
            prop_assert_eq!(there.len(), back.len());
            for (there, back) in there.iter().zip(&back) {
                prop_assert_eq!((there.pairs, there.rounds), (back.pairs, back.rounds));
                match (there.log_ratio, back.log_ratio) {
                    (Some(there), Some(back)) => prop_assert!((there + back).abs() < 1e-9),
                    (there, back) => prop_assert!(there.is_none() && back.is_none()),
                }
            }
        }

        #[test]
        fn a_row_that_is_faster_by_a_factor_moves_every_start_by_it(
            first in any_row(), second in any_row(), factor in 0.1_f64..10.0,
        ) {
            let scaled: Vec<Windows> = first
                .iter()
                .map(|start| start.iter().map(|value| value.map(|value| value * factor)).collect())
                .collect();
            let before = log_ratios(&first, &second).expect("positive values");
            let after = log_ratios(&scaled, &second).expect("positive values");
            for (before, after) in before.iter().zip(&after) {
                let moved = before.log_ratio.map(|log| log + factor.ln());
                prop_assert_eq!(moved.is_some(), after.log_ratio.is_some());
                prop_assert!((moved.unwrap_or(0.0) - after.log_ratio.unwrap_or(0.0)).abs() < 1e-9);
            }
        }
    }
}
