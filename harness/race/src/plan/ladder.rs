//! The rates that a scenario offers beside its own: steps of a ladder, each the same for all rows.
//!
//! A ladder is climbed within a start. Its rounds are the steps', in random order, so that what drifts meets every step alike, and a
//! row that is overloaded at one step stands still before the next.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// By what the rates of all streams are multiplied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Ladder {
    /// By each of these, ascending; one that stands there twice has twice as many rounds.
    Times(Vec<f64>),
    /// In equal ratios, from the streams' own rates until the stream that rows are compared by has this part of what the fastest row of the
    /// run served in its calibration.
    ToFastestCapacity {
        /// The part.
        part: f64,
        /// How many steps, the first and the last among them.
        steps: usize,
    },
}

/// More steps than this take longer than anybody waits.
const MOST_STEPS: usize = 50;
/// What is more than a thousand times as much is another load.
const MOST_TIMES: f64 = 1_000.0;

impl Ladder {
    /// How many different rates it has.
    pub fn steps(&self) -> usize {
        match self {
            Self::Times(times) => times.len() - times.windows(2).filter(|two| two[0] == two[1]).count(),
            Self::ToFastestCapacity { steps, .. } => *steps,
        }
    }

    /// How many rounds it is climbed in once.
    pub fn rounds(&self) -> usize {
        match self {
            Self::Times(times) => times.len(),
            Self::ToFastestCapacity { steps, .. } => *steps,
        }
    }

    /// The step of a round, from 0; rounds beyond the first climb begin again.
    pub fn step_of(&self, round: usize) -> usize {
        let at = round % self.rounds().max(1);
        match self {
            Self::Times(times) => times[..=at].windows(2).filter(|two| two[0] != two[1]).count(),
            Self::ToFastestCapacity { .. } => at,
        }
    }

    /// The step that offers the streams' own rates, as a scenario without a ladder would; none where that is not what is asked.
    pub fn own_step(&self) -> Option<usize> {
        match self {
            Self::Times(times) => times.iter().position(|times| *times == 1.0).map(|at| self.step_of(at)),
            Self::ToFastestCapacity { .. } => None,
        }
    }

    /// The highest factor that is known beforehand.
    pub fn highest(&self) -> f64 {
        match self {
            Self::Times(times) => times.iter().copied().fold(1.0, f64::max),
            Self::ToFastestCapacity { .. } => 1.0,
        }
    }

    /// What each step multiplies rates by, where the stream that rows are compared by has the rate `own` and the fastest row served
    /// `fastest`; `None` where that leaves no room for a ladder.
    pub fn factors(&self, own: f64, fastest: f64) -> Option<Vec<f64>> {
        match self {
            Self::Times(times) => {
                let mut factors = times.clone();
                factors.dedup();
                Some(factors)
            }
            &Self::ToFastestCapacity { part, steps } => {
                let ratio = part * fastest / own;
                let is_ladder = ratio.is_finite() && ratio > 1.0;
                let factor = |step: usize| ratio.powf(step as f64 / (steps - 1) as f64);
                is_ladder.then(|| (0..steps).map(factor).collect())
            }
        }
    }

    /// What is wrong with it, where something is.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Times(times) => {
                if times.is_empty() || times.len() > MOST_STEPS {
                    return Err(format!("a ladder has 1 to {MOST_STEPS} steps, not {}", times.len()));
                }
                if let Some(wrong) = times.iter().find(|times| !(**times > 0.0 && **times <= MOST_TIMES)) {
                    return Err(format!(
                        "a step of {wrong} times the rates is not above 0 and up to {MOST_TIMES}"
                    ));
                }
                match times.is_sorted() {
                    true => Ok(()),
                    false => Err("the steps of a ladder ascend, as in times = [0.5, 1.0, 2.0]".to_owned()),
                }
            }
            Self::ToFastestCapacity { part, steps } => {
                if !(2..=MOST_STEPS).contains(steps) {
                    return Err(format!("a ladder to a capacity has 2 to {MOST_STEPS} steps, not {steps}"));
                }
                match *part > 0.0 && *part <= 1.5 {
                    true => Ok(()),
                    false => {
                        Err(format!("a part of {part} of the fastest capacity is not between 0 and 1.5"))
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_that_is_there_twice_is_one_step_of_two_rounds() {
        let ladder = Ladder::Times(vec![0.5, 1.0, 1.0, 2.0]);
        assert_eq!((ladder.steps(), ladder.rounds(), ladder.own_step()), (3, 4, Some(1)));
        let steps: Vec<usize> = (0..8).map(|round| ladder.step_of(round)).collect();
        assert_eq!(steps, [0, 1, 1, 2, 0, 1, 1, 2]);
        assert_eq!(ladder.factors(9.0, 1.0), Some(vec![0.5, 1.0, 2.0]));
    }

    #[test]
    fn a_ladder_to_a_capacity_has_equal_ratios_between_its_ends() {
        let ladder = Ladder::ToFastestCapacity { part: 1.0, steps: 4 };
        let factors = ladder.factors(100.0, 800.0).unwrap();
        assert!(factors.iter().zip([1.0, 2.0, 4.0, 8.0]).all(|(a, b)| (a - b).abs() < 1e-9), "{factors:?}");
        assert_eq!((ladder.steps(), ladder.own_step(), ladder.step_of(5)), (4, None, 1));
        assert_eq!(ladder.factors(900.0, 800.0), None);
        assert_eq!(ladder.factors(f64::NAN, 800.0), None);
    }

    #[test]
    fn a_ladder_that_leads_nowhere_is_refused_with_the_reason() {
        let refused = [
            (Ladder::Times(Vec::new()), "1 to 50 steps, not 0"),
            (Ladder::Times(vec![1.0, 0.5]), "ascend"),
            (Ladder::Times(vec![0.0, 1.0]), "a step of 0 times"),
            (Ladder::Times(vec![f64::NAN]), "a step of NaN"),
            (Ladder::ToFastestCapacity { part: 1.0, steps: 1 }, "2 to 50 steps, not 1"),
            (Ladder::ToFastestCapacity { part: 0.0, steps: 8 }, "a part of 0"),
        ];
        for (ladder, expected) in refused {
            let error = ladder.check().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
