//! A figure of a row: the middle of its starts, with its interval.

use stats::{
    Quantile,
    rounds::Windows,
    summary::{MedianInterval, median_interval},
};

use crate::counts::middle::{Middle, of_each_start};

/// A median over starts with its interval, in the figure's base unit: microseconds of times.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Value {
    pub(crate) median: End,
    pub(crate) low: End,
    pub(crate) high: End,
    /// Over how many starts.
    pub(crate) starts: usize,
    /// Whether the interval is one at the level that others have.
    pub(crate) is_confident: bool,
}

/// A number that may only be known from below.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End {
    pub(crate) value: f64,
    pub(crate) is_bound: bool,
}

impl Value {
    /// Of values that are known, a start each; `None` of nothing.
    pub(crate) fn of(starts: &[f64]) -> Option<Self> {
        let interval = median_interval(starts)?;
        let MedianInterval { median, low, high, .. } = interval;
        let known = |value| End { value, is_bound: false };
        Some(Self {
            median: known(median),
            low: known(low),
            high: known(high),
            starts: starts.len(),
            is_confident: interval.is_confident(),
        })
    }

    /// Of windows: a start is the median of its own.
    pub(crate) fn of_windows(starts: &[Windows]) -> Option<Self> {
        Self::of(&of_each_start(starts))
    }
}

impl From<Middle> for Value {
    fn from(Middle { median, low, high, count, is_confident }: Middle) -> Self {
        Self { median: median.into(), low: low.into(), high: high.into(), starts: count, is_confident }
    }
}

/// Microseconds.
impl From<Quantile> for End {
    fn from(quantile: Quantile) -> Self {
        Self { value: quantile.ns() as f64 / 1000.0, is_bound: quantile.is_bound() }
    }
}
