//! What is asked of the comparison, and how many races it takes to say that it does not hold.
//!
//! Two counts are fixed: of 60 races without a difference at most 6 may find one, and of 40 races with one at least 34 must find
//! it. For another number of races the same strictness is kept: as many wrong races are allowed as a comparison that is exactly as good
//! as it says (it errs once in twenty, and finds nine in ten) exceeds no more often than it exceeds the fixed count.

use serde::{Deserialize, Serialize};
use stats::power::POWER;

/// What a figure of an entrant must show.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Asked {
    /// No difference, but as often as chance finds one: the level of the comparison.
    Nothing,
    /// The planted difference, in its direction.
    Difference,
    /// The same, in a quarter of the races: a difference that is only there in some starts.
    AtTimes,
}

/// Of so many races so many may be wrong.
struct Fixed {
    wrong: u32,
    races: u32,
}

/// Of races without a difference, in which one may be found.
const FALSELY_FOUND: Fixed = Fixed { wrong: 6, races: 60 };
/// Of races with one, in which it may be missed.
const MISSED: Fixed = Fixed { wrong: 6, races: 40 };

/// Whether it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Verdict {
    /// It does.
    Pass,
    /// Too few races could be judged for it to fail.
    CannotTell,
    /// It does not.
    Fail,
}

impl Asked {
    /// The most races, of `judged`, that may find something (nothing is asked for), or the fewest that must.
    pub(super) fn limit(self, judged: u32) -> u32 {
        match self {
            Self::Nothing => self.allowed_of(judged),
            Self::Difference | Self::AtTimes => judged - self.allowed_of(judged),
        }
    }

    /// What `found` of `judged` races show.
    pub(super) fn verdict(self, found: u32, judged: u32) -> Verdict {
        let limit = self.limit(judged);
        let (holds, can_fail) = match self {
            Self::Nothing => (found <= limit, limit < judged),
            Self::Difference | Self::AtTimes => (found >= limit, limit > 0),
        };
        match (can_fail, holds) {
            (false, _) => Verdict::CannotTell,
            (true, true) => Verdict::Pass,
            (true, false) => Verdict::Fail,
        }
    }

    /// How often a comparison that is as good as it says fails, with so many races.
    pub(super) fn failed_by_chance(self, judged: u32) -> f64 {
        more_than(self.allowed_of(judged), judged, self.wrong_by_chance())
    }

    /// How often one race of a comparison that is as good as it says is wrong.
    fn wrong_by_chance(self) -> f64 {
        match self {
            Self::Nothing => stats::itself::ALPHA,
            Self::Difference => 1.0 - POWER,
            Self::AtTimes => 0.75,
        }
    }

    /// How often it may fail.
    fn level(self) -> f64 {
        let of = |fixed: &Fixed, asked: Self| more_than(fixed.wrong, fixed.races, asked.wrong_by_chance());
        match self {
            Self::Nothing => of(&FALSELY_FOUND, self),
            Self::Difference | Self::AtTimes => of(&MISSED, Self::Difference),
        }
    }

    fn allowed_of(self, races: u32) -> u32 {
        // Equal tails must not be parted by rounding.
        let level = self.level() * (1.0 + 1e-9);
        let is_enough = |wrong: &u32| more_than(*wrong, races, self.wrong_by_chance()) <= level;
        (0..races).find(is_enough).unwrap_or(races)
    }
}

/// The probability that more than `count` of `n` independent races come out in a way that each does with probability `chance`: the
/// binomial distribution, exactly.
fn more_than(count: u32, n: u32, chance: f64) -> f64 {
    if count >= n {
        return 0.0;
    }
    if chance > 0.5 {
        // By the others, of which few enough are likely for the first term to be a number.
        return 1.0 - more_than(n - count - 1, n, 1.0 - chance);
    }
    let mut term = (1.0 - chance).powi(n.try_into().unwrap_or(i32::MAX));
    let mut within = 0.0;
    for k in 0..=count {
        within += term;
        term *= f64::from(n - k) / f64::from(k + 1) * chance / (1.0 - chance);
    }
    (1.0 - within).max(0.0)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_fixed_counts_are_the_limits_of_their_numbers_of_races() {
        assert_eq!(Asked::Nothing.limit(60), 6);
        assert_eq!(Asked::Difference.limit(40), 34);
        let verdicts =
            |asked: Asked, races, counts: [u32; 2]| counts.map(|found| asked.verdict(found, races));
        assert_eq!(verdicts(Asked::Nothing, 60, [6, 7]), [Verdict::Pass, Verdict::Fail]);
        assert_eq!(verdicts(Asked::Difference, 40, [34, 33]), [Verdict::Pass, Verdict::Fail]);
    }

    #[test]
    fn tails_are_those_of_the_printed_tables() {
        // Of 60 with p = 0.05: P(X > 6) = 0.0297. Of 40 with p = 0.1: P(X > 6) = 0.0995.
        assert!((more_than(6, 60, 0.05) - 0.0297).abs() < 5e-5);
        assert!((more_than(6, 40, 0.1) - 0.0995).abs() < 5e-5);
        assert!((more_than(0, 3, 0.5) - 0.875).abs() < 1e-12);
        assert_eq!(more_than(3, 3, 0.5), 0.0);
        // Of 20 with p = 0.75: P(X > 15) = 0.4148.
        assert!((more_than(15, 20, 0.75) - 0.4148).abs() < 5e-5);
    }

    #[test]
    fn as_many_races_as_are_run_by_default_ask_as_much_of_what_is_planted() {
        assert_eq!(Asked::Difference.limit(60), 51);
        // A comparison that finds three in four hardly passes.
        assert!(1.0 - more_than(9, 60, 0.25) < 0.05);
    }

    #[test]
    fn what_is_there_at_times_is_to_be_found_more_often_than_what_is_not_there() {
        assert_eq!(Asked::AtTimes.limit(60), 11);
        // One that is blind for it finds it once in forty, that way round.
        assert!(more_than(10, 60, 0.025) < 1e-5);
    }

    #[test]
    fn too_few_races_to_fail_are_too_few_to_pass() {
        for (asked, too_few) in [(Asked::Nothing, 1), (Asked::Difference, 1), (Asked::AtTimes, 8)] {
            for judged in 0..=too_few {
                assert_eq!(asked.verdict(judged, judged), Verdict::CannotTell, "{asked:?} of {judged}");
            }
            assert_ne!(asked.verdict(1, too_few + 1), Verdict::CannotTell, "{asked:?}");
        }
    }

    proptest! {
        #[test]
        fn no_number_of_races_is_stricter_or_much_laxer_than_the_fixed_one(judged in 2_u32..=1_000) {
            for (asked, at_most) in
                [(Asked::Nothing, 0.0298), (Asked::Difference, 0.0996), (Asked::AtTimes, 0.0996)]
            {
                prop_assert!(asked.failed_by_chance(judged) <= at_most);
                let allowed = asked.allowed_of(judged);
                prop_assert!(allowed == 0 || more_than(allowed - 1, judged, asked.wrong_by_chance()) > at_most - 1e-3);
            }
        }

        #[test]
        fn one_more_race_that_goes_well_never_makes_a_pass_a_failure(judged in 2_u32..300, found in 0_u32..300) {
            let found = found.min(judged);
            if Asked::Nothing.verdict(found, judged) == Verdict::Pass {
                prop_assert_eq!(Asked::Nothing.verdict(found, judged + 1), Verdict::Pass);
            }
            if Asked::Difference.verdict(found, judged) == Verdict::Pass {
                prop_assert_eq!(Asked::Difference.verdict(found + 1, judged + 1), Verdict::Pass);
            }
        }
    }
}
