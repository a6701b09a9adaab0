//! Ratios as their logarithms, so that it does not matter which of two rows is divided by which.

use serde::{Deserialize, Serialize};

/// Log ratios that differ by less than this do not differ: a billionth is beyond what any of the measured quantities
/// resolves, and is left over by rounding even where every ratio is the same.
pub(crate) const NO_SPREAD: f64 = 1e-9;

/// An interval for a ratio.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end, not negative.
    pub low: f64,
    /// Upper end; an end too large to be written is the largest finite number.
    pub high: f64,
    /// The probability with which such an interval misses the true ratio: 0.05 for one at 95%.
    pub alpha: f64,
}

impl Interval {
    /// Whether `ratio` is a value that the interval leaves possible.
    pub fn contains(&self, ratio: f64) -> bool {
        self.low <= ratio && ratio <= self.high
    }
}

/// Whether a value can be part of a ratio.
pub(crate) fn has_logarithm(value: f64) -> bool {
    value.is_finite() && value > 0.0
}

/// Back from logarithms, kept finite: two starts judged at a hundredth of a percent can ask for e^1000.
pub(crate) fn ratio_of(log: f64) -> f64 {
    log.exp().min(f64::MAX)
}
