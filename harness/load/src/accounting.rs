//! Whether a stream's numbers add up.

use serde::Serialize;

/// Whether a stream's numbers add up.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Accounting {
    /// Due, less sent, less unsent at the end. Zero when sound.
    pub due_unaccounted: i64,
    /// Sent, less answered, failed without an answer, and still in flight at the end. Zero when sound.
    pub sent_unaccounted: i64,
    /// Due, less the observations in `response`, `failed` and `unanswered`. Zero when sound.
    pub observations_unaccounted: i64,
    /// How far the two sides of Little's law are apart, relative to the larger.
    pub littles_law_difference: f64,
}

/// The most that the two sides of Little's law may differ (METHODOLOGY.md, "What it checks of itself, in every run").
pub const LITTLES_LAW_TOLERANCE: f64 = 0.05;

impl Accounting {
    /// Every request has exactly one fate.
    pub fn balances(&self) -> bool {
        self.due_unaccounted == 0 && self.sent_unaccounted == 0 && self.observations_unaccounted == 0
    }

    /// It balances, and Little's law holds within 5%.
    pub fn is_consistent(&self) -> bool {
        self.balances() && self.littles_law_difference <= LITTLES_LAW_TOLERANCE
    }
}

/// By how much `a` exceeds `b`.
pub(crate) fn difference(a: u64, b: u64) -> i64 {
    i64::try_from(i128::from(a) - i128::from(b)).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_that_is_missing_or_an_integral_that_is_off_is_no_sound_account() {
        let sound = Accounting {
            due_unaccounted: 0,
            sent_unaccounted: 0,
            observations_unaccounted: 0,
            littles_law_difference: 0.01,
        };
        assert!(sound.is_consistent());
        assert!(!Accounting { sent_unaccounted: difference(3, 4), ..sound }.is_consistent());
        let off = Accounting { littles_law_difference: 0.06, ..sound };
        assert!(off.balances() && !off.is_consistent());
    }
}
