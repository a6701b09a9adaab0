//! Which rows of one tier, under one scenario and by one figure, differ: Holm's procedure over their pairs, and nothing else.
//!
//! Three intervals for a pair's ratio, and what each is for:
//!
//! - *simultaneous*, Bonferroni's at `alpha / m`: with 95% all of a table are right at once. It is the one to print. One
//!   that leaves 1 out always goes with a decision, since Holm's procedure rejects whatever Bonferroni's does.
//! - *judged*, at the level at which Holm's procedure judged this very pair: it leaves 1 out exactly if the pair differs, and
//!   so explains a decision that the simultaneous one does not show. All of them together are not right with 95%.
//! - *individual*, at `alpha`: for a reader who came for this pair alone.
//!
//! What hiding a row does: the p-value and the three contrasts of every other pair stay the same, the family shrinks, so
//! that adjusted p-values can only fall, and no decision between the other rows is withdrawn. It may add some.
//!
//! The noise floor ([`crate::itself`]) decides nothing here. A steady, overloaded row would lower it for all others.

use std::fmt;

use serde::Serialize;

use crate::contrast::Contrast;
use crate::holm::{self, Step};
use crate::rank::Direction;
use crate::ratio::Interval;
use crate::rounds::{Between, NotPositive};

/// The probability that any two rows of a family that do not differ are said to.
pub const FAMILY_ALPHA: f64 = 0.05;

/// Starts that a decision needs. With fewer, t at the level of a family of twenty is beyond 7, and a spread estimated from
/// so few starts is often far too small.
pub const FEWEST_STARTS: usize = 6;

/// What is decided of a family.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Decisions {
    /// The level of the whole family.
    pub alpha: f64,
    /// How many pairs were judged: m.
    pub family: usize,
    /// The pairs, in the order given.
    pub pairs: Vec<Pair>,
}

/// Two rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Pair {
    /// The row whose value is the numerator.
    pub first: usize,
    /// The other.
    pub second: usize,
    /// Their ratio and its spread; `None` where they share fewer than two starts, or a value has no ratio.
    pub contrast: Option<Contrast>,
    /// What Holm's procedure says of it; `None` for a pair outside the family.
    pub step: Option<Step>,
    /// What may be claimed.
    pub decision: Decision,
}

/// What may be claimed of two rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// They differ.
    Differ {
        /// The row with the larger value.
        larger: usize,
    },
    /// They cannot be told apart.
    Alike,
    /// They would differ, were the row that looks smaller not known from below only: it has unanswered requests.
    OnlyBounded,
    /// No claim was tried.
    NotJudged {
        /// Why.
        reason: NotJudged,
    },
}

/// Why a pair is outside the family. Neither depends on which row is larger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum NotJudged {
    /// They share fewer than [`FEWEST_STARTS`] starts.
    TooFewStarts {
        /// How many they share.
        starts: usize,
    },
    /// A value has no ratio.
    NotPositive(NotPositive),
}

impl fmt::Display for NotJudged {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooFewStarts { starts } => {
                write!(f, "{starts} starts have both rows, and a decision needs {FEWEST_STARTS}")
            }
            Self::NotPositive(value) => value.fmt(f),
        }
    }
}

/// Decides a family at level `alpha`, normally [`FAMILY_ALPHA`], or [`crate::widths::alpha_when_stopping`] where a run may.
pub fn decide(pairs: &[Between], alpha: f64) -> Decisions {
    let mut decided: Vec<Pair> = pairs.iter().map(unjudged).collect();
    let in_family = |pair: &&mut Pair| pair.contrast.is_some_and(|contrast| contrast.starts >= FEWEST_STARTS);
    let mut family: Vec<(Contrast, &mut Pair)> =
        decided.iter_mut().filter(in_family).filter_map(|pair| Some((pair.contrast?, pair))).collect();
    let p_values: Vec<f64> = family.iter().map(|(contrast, _)| contrast.p_value()).collect();
    for ((contrast, pair), step) in family.iter_mut().zip(holm::step_down(&p_values, alpha)) {
        pair.step = Some(step);
        let first_is_larger = contrast.mean_log > 0.0;
        pair.decision = match (step.rejected, contrast.allows_larger(first_is_larger)) {
            (false, _) => Decision::Alike,
            (true, false) => Decision::OnlyBounded,
            (true, true) => {
                Decision::Differ { larger: if first_is_larger { pair.first } else { pair.second } }
            }
        };
    }
    Decisions { alpha, family: p_values.len(), pairs: decided }
}

fn unjudged(between: &Between) -> Pair {
    let (contrast, reason) = match &between.starts {
        Err(value) => (None, NotJudged::NotPositive(*value)),
        Ok(starts) => {
            let shared = starts.iter().filter(|start| start.log_ratio.is_some()).count();
            (Contrast::of(starts), NotJudged::TooFewStarts { starts: shared })
        }
    };
    let (first, second) = (between.first, between.second);
    Pair { first, second, contrast, step: None, decision: Decision::NotJudged { reason } }
}

impl Decisions {
    /// Two rows, in whichever order they are named.
    pub fn pair(&self, a: usize, b: usize) -> Option<&Pair> {
        self.pairs
            .iter()
            .find(|pair| (pair.first, pair.second) == (a, b) || (pair.first, pair.second) == (b, a))
    }

    /// The decisions as claims `(better, worse)`.
    pub fn claims(&self, direction: Direction) -> Vec<(usize, usize)> {
        let claim = |pair: &Pair| {
            let Decision::Differ { larger } = pair.decision else { return None };
            let smaller = if larger == pair.first { pair.second } else { pair.first };
            Some(if direction == Direction::HigherIsBetter { (larger, smaller) } else { (smaller, larger) })
        };
        self.pairs.iter().filter_map(claim).collect()
    }

    /// The interval to print, see the module. Pairs that were not judged have one too, and count.
    pub fn simultaneous(&self, pair: &Pair) -> Option<Interval> {
        pair.contrast?.interval(self.alpha / self.pairs.len().max(1) as f64)
    }

    /// The interval that shows what decided; `None` for a pair outside the family.
    pub fn judged(&self, pair: &Pair) -> Option<Interval> {
        pair.contrast?.interval(pair.step?.alpha)
    }

    /// The interval of this pair by itself.
    pub fn individual(&self, pair: &Pair) -> Option<Interval> {
        pair.contrast?.interval(self.alpha)
    }

    /// The ratio that is found with probability [`crate::power::POWER`] even if it is the hardest of the family to find.
    /// `None` for a pair outside the family, of which nothing would have been found.
    pub fn detectable(&self, pair: &Pair) -> Option<f64> {
        pair.step?;
        pair.contrast?.detectable(self.alpha / self.family as f64)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::contrast::tests::starts;
    use crate::rounds::{Bound, every_pair};

    fn between(first: usize, second: usize, logs: &[f64]) -> Between {
        Between { first, second, starts: Ok(starts(logs)) }
    }

    const CLEAR: [f64; 6] = [0.50, 0.51, 0.49, 0.50, 0.52, 0.48];
    const NOTHING: [f64; 6] = [0.2, -0.3, 0.1, -0.1, 0.3, -0.2];

    #[test]
    fn the_sign_of_the_mean_says_which_is_larger_and_the_direction_which_is_better() {
        let pairs = [between(0, 1, &CLEAR), between(0, 2, &CLEAR.map(|log| -log)), between(1, 2, &NOTHING)];
        let decisions = decide(&pairs, FAMILY_ALPHA);
        let decided: Vec<_> = decisions.pairs.iter().map(|pair| pair.decision).collect();
        assert_eq!(
            decided,
            [Decision::Differ { larger: 0 }, Decision::Differ { larger: 2 }, Decision::Alike]
        );
        assert_eq!(decisions.claims(Direction::HigherIsBetter), [(0, 1), (2, 0)]);
        assert_eq!(decisions.claims(Direction::LowerIsBetter), [(1, 0), (0, 2)]);
        assert_eq!(decisions.pair(2, 1), Some(&decisions.pairs[2]));
        assert_eq!(decisions.pair(1, 1), None);
    }

    #[test]
    fn five_starts_have_intervals_and_no_decision() {
        let decisions = decide(&[between(0, 1, &CLEAR[..5])], FAMILY_ALPHA);
        let pair = &decisions.pairs[0];
        assert_eq!(pair.decision, Decision::NotJudged { reason: NotJudged::TooFewStarts { starts: 5 } });
        assert_eq!(decisions.family, 0);
        assert!(decisions.simultaneous(pair).is_some() && decisions.individual(pair).is_some());
        assert_eq!((decisions.judged(pair), decisions.detectable(pair)), (None, None));
    }

    #[test]
    fn a_pair_that_cannot_be_judged_costs_the_others_nothing() {
        let broken = Between { first: 0, second: 2, starts: Err(NotPositive { start: 3, round: 1 }) };
        let alone = decide(&[between(0, 1, &CLEAR)], FAMILY_ALPHA);
        let beside = decide(&[between(0, 1, &CLEAR), broken, between(1, 2, &CLEAR[..5])], FAMILY_ALPHA);
        assert_eq!((beside.family, beside.pairs[0]), (1, alone.pairs[0]));
        assert_eq!(
            beside.pairs[1].decision,
            Decision::NotJudged { reason: NotJudged::NotPositive(NotPositive { start: 3, round: 1 }) }
        );
    }

    #[test]
    fn a_row_with_unanswered_requests_may_lose_and_not_win() {
        let bounded = |bound: Bound, sign: f64| {
            let mut pair = between(0, 1, &CLEAR.map(|log| sign * log));
            if let Ok(starts) = &mut pair.starts {
                starts[2].bound = bound;
            }
            decide(&[pair], FAMILY_ALPHA).pairs[0].decision
        };
        assert_eq!(bounded(Bound::AtLeast, 1.0), Decision::Differ { larger: 0 });
        assert_eq!(bounded(Bound::AtLeast, -1.0), Decision::OnlyBounded);
        assert_eq!(bounded(Bound::AtMost, -1.0), Decision::Differ { larger: 1 });
        assert_eq!(bounded(Bound::AtMost, 1.0), Decision::OnlyBounded);
    }

    #[test]
    fn each_comparison_is_judged_at_the_level_that_the_family_leaves_it() {
        // One pair in fifteen at p = 0.004 is found alone and not among the others: 0.05 / 15 = 0.0033.
        let logs = [0.1, 0.5, 0.3, 0.2, 0.45, 0.25];
        let alone = decide(&[between(0, 1, &logs)], FAMILY_ALPHA);
        let p = alone.pairs[0].contrast.expect("six starts").p_value();
        assert!((0.0033..0.05).contains(&p), "{p}");
        let mut pairs = vec![between(0, 1, &logs)];
        pairs.extend((2..16).map(|row| between(0, row, &NOTHING)));
        let among = decide(&pairs, FAMILY_ALPHA);
        assert_eq!(alone.pairs[0].decision, Decision::Differ { larger: 0 });
        assert_eq!((among.family, among.pairs[0].decision), (15, Decision::Alike));
        let (alone, among) = (alone.detectable(&alone.pairs[0]), among.detectable(&among.pairs[0]));
        assert!(alone < among, "{alone:?} {among:?}");
    }

    /// Values of some rows in eight starts of one round, the first half of the rows alike.
    fn field() -> impl Strategy<Value = Vec<Vec<crate::rounds::Windows>>> {
        let noise = prop::collection::vec(-0.05_f64..0.05, 8);
        prop::collection::vec((0_u8..4, noise), 2..7).prop_map(|rows| {
            let value = |level: u8, noise: f64| vec![Some((f64::from(level) * 0.06 + noise).exp())];
            let row =
                |(level, noise): (u8, Vec<f64>)| noise.into_iter().map(|noise| value(level, noise)).collect();
            rows.into_iter().map(row).collect()
        })
    }

    proptest! {
        #[test]
        fn hiding_a_row_withdraws_no_decision_between_the_others(rows in field(), hidden in 0_usize..7) {
            let all: Vec<usize> = (0..rows.len()).collect();
            let others: Vec<usize> = all.iter().copied().filter(|&row| row != hidden % rows.len()).collect();
            let with = decide(&every_pair(&rows, &all), FAMILY_ALPHA);
            let without = decide(&every_pair(&rows, &others), FAMILY_ALPHA);
            for pair in &without.pairs {
                let before = with.pair(pair.first, pair.second).expect("it was there");
                prop_assert_eq!(before.contrast, pair.contrast);
                let (before_p, p) = (before.step.expect("judged").adjusted_p, pair.step.expect("judged").adjusted_p);
                prop_assert!(p <= before_p + 1e-15);
                if matches!(before.decision, Decision::Differ { .. }) {
                    prop_assert_eq!(before.decision, pair.decision);
                }
            }
        }

        #[test]
        fn the_order_of_rows_does_not_matter(rows in field()) {
            let forward: Vec<usize> = (0..rows.len()).collect();
            let backward: Vec<usize> = forward.iter().rev().copied().collect();
            let there = decide(&every_pair(&rows, &forward), FAMILY_ALPHA);
            let back = decide(&every_pair(&rows, &backward), FAMILY_ALPHA);
            for pair in &there.pairs {
                prop_assert_eq!(back.pair(pair.first, pair.second).map(|pair| pair.decision), Some(pair.decision));
            }
        }

        #[test]
        fn the_intervals_go_with_the_decisions(rows in field()) {
            let all: Vec<usize> = (0..rows.len()).collect();
            let decisions = decide(&every_pair(&rows, &all), FAMILY_ALPHA);
            for pair in &decisions.pairs {
                let differ = matches!(pair.decision, Decision::Differ { .. });
                let judged = decisions.judged(pair).expect("there is spread");
                let simultaneous = decisions.simultaneous(pair).expect("there is spread");
                prop_assert_eq!(differ, !judged.contains(1.0));
                prop_assert!(differ || simultaneous.contains(1.0));
                prop_assert!(simultaneous.low <= judged.low && judged.high <= simultaneous.high);
            }
        }
    }
}
