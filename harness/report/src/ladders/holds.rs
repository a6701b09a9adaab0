//! Whether a row holds the objective under the scenario's own load.

use stats::exceedances::Support;

use crate::{
    counts::{entered::percentile_value, times::MERGED_FROM, value::Value},
    tables::support,
};

use super::climbed::Climbed;

/// What is known of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Holds {
    /// The whole interval is below the bound.
    Yes(Value),
    /// The bound lies within the interval.
    CannotBeTold(Value),
    /// The whole interval is at the bound or above it.
    No(Value),
    /// It did not carry the load.
    Overloaded,
    /// Too little is behind the percentile, and what stands in its place.
    TooLittle(String),
    /// Nothing was measured of it.
    Nothing,
}

/// Of a row; `None` without an objective, or where the scenario's own load was not offered.
pub(super) fn of(climbed: &Climbed<'_>, row: usize) -> Option<Holds> {
    let (objective, own) = (climbed.objective?, climbed.own()?);
    if own.loads[row].is_overloaded() {
        return Some(Holds::Overloaded);
    }
    let times = &own.rows[row].streams[climbed.stream];
    let Some(value) = percentile_value(times, climbed.q) else { return Some(Holds::Nothing) };
    if climbed.q >= MERGED_FROM && times.support(climbed.q) != Support::Enough {
        let instead = support::instead_of(times, climbed.q, climbed.whole);
        return Some(Holds::TooLittle(instead.unwrap_or_else(|| "-".to_owned())));
    }
    let below_us = objective.below.as_secs_f64() * 1e6;
    Some(match (value.low.value < below_us, value.high.value < below_us && !value.high.is_bound) {
        (_, true) => Holds::Yes(value),
        (true, false) => Holds::CannotBeTold(value),
        (false, false) => Holds::No(value),
    })
}

impl Holds {
    /// For a cell.
    pub(super) fn word(&self) -> &'static str {
        match self {
            Self::Yes(_) => "yes",
            Self::CannotBeTold(_) => "cannot be told",
            Self::No(_) | Self::Overloaded => "no",
            Self::TooLittle(_) => "too little behind it",
            Self::Nothing => "-",
        }
    }

    /// What the percentile was, where it is one.
    pub(super) fn value(&self) -> Option<&Value> {
        match self {
            Self::Yes(value) | Self::CannotBeTold(value) | Self::No(value) => Some(value),
            Self::Overloaded | Self::TooLittle(_) | Self::Nothing => None,
        }
    }
}
