//! One comparison between what the instrument reports and what is true, and the rule that tells a wrong instrument from a
//! disturbed one.
//!
//! The rule: what touched at most a share `d` of the requests moves at most that share of them past any value. So the
//! `q`-quantile of the undisturbed distribution lies between the quantiles `q - d` and `q + d` of the disturbed one. A
//! percentile that is out of bounds is excused if, and only if, that range reaches into the bounds: a disturbance
//! of 0.2% of the time excuses a wrong p99.9, and never a wrong median.

use std::ops::RangeInclusive;

use serde::Serialize;
use stats::Histogram;

/// What a check says. Ordered from best to worst.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The instrument is right.
    Pass,
    /// It is out of bounds, by no more than the machine's noise can explain.
    CannotTell,
    /// It is wrong.
    Fail,
}

/// What a figure counts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// Time, in nanoseconds.
    Nanoseconds,
    /// A number of things.
    Count,
}

/// One row of the table.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Check {
    /// What was compared.
    pub check: String,
    /// The unit of all figures.
    pub unit: Unit,
    /// What is true: what the server logged, or what theory says.
    pub expected: f64,
    /// What the instrument reports; absent when it reports nothing at all.
    pub found: Option<f64>,
    /// The least that is allowed.
    pub low: f64,
    /// The most that is allowed; absent when anything above `low` is.
    pub high: Option<f64>,
    /// What follows.
    pub verdict: Verdict,
}

/// What is true, and what may be found.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Truth {
    pub(crate) expected: f64,
    pub(crate) allowed: RangeInclusive<f64>,
}

impl Truth {
    /// A value, and by how much it may be missed.
    pub(crate) fn about(expected: f64, by: f64) -> Self {
        Self { expected, allowed: expected - by..=expected + by }
    }

    /// At most `most`, and best nothing.
    pub(crate) fn at_most(most: f64) -> Self {
        Self { expected: 0.0, allowed: 0.0..=most }
    }
}

impl Check {
    /// Compares the `q`-quantile of what was reported, of whose requests a share of `disturbed` was touched by noise.
    pub(crate) fn percentile(
        check: impl Into<String>,
        truth: &Truth,
        reported: &Histogram,
        q: f64,
        disturbed: f64,
    ) -> Self {
        let found = reported.quantile_ns(q).map(|ns| ns as f64);
        let undisturbed = undisturbed(reported, q, disturbed);
        let verdict = match found {
            Some(found) if truth.allowed.contains(&found) => Verdict::Pass,
            Some(_) if overlap(&undisturbed, &truth.allowed) => Verdict::CannotTell,
            _ => Verdict::Fail,
        };
        Self::new(check, Unit::Nanoseconds, truth, found, verdict)
    }

    /// A time that should have been reported, and was not.
    pub(crate) fn missing(check: impl Into<String>, truth: &Truth) -> Self {
        Self::new(check, Unit::Nanoseconds, truth, None, Verdict::Fail)
    }

    /// Compares counts that must be equal. `excused` is whether something lasted long enough to change one.
    pub(crate) fn exactly(check: impl Into<String>, expected: u64, found: u64, excused: bool) -> Self {
        let truth = Truth::about(expected as f64, 0.0);
        let verdict = match (expected == found, excused) {
            (true, _) => Verdict::Pass,
            (false, true) => Verdict::CannotTell,
            (false, false) => Verdict::Fail,
        };
        Self::new(check, Unit::Count, &truth, Some(found as f64), verdict)
    }

    fn new(
        check: impl Into<String>,
        unit: Unit,
        truth: &Truth,
        found: Option<f64>,
        verdict: Verdict,
    ) -> Self {
        let high = Some(*truth.allowed.end()).filter(|high| high.is_finite());
        let low = *truth.allowed.start();
        Self { check: check.into(), unit, expected: truth.expected, found, low, high, verdict }
    }
}

/// Where the `q`-quantile would lie without the disturbance.
fn undisturbed(reported: &Histogram, q: f64, disturbed: f64) -> RangeInclusive<f64> {
    let at = |q: f64| reported.quantile_ns(q).map(|ns| ns as f64);
    let low = if q - disturbed > 0.0 { at(q - disturbed) } else { Some(0.0) };
    let high = if q + disturbed < 1.0 { at(q + disturbed) } else { Some(f64::INFINITY) };
    low.unwrap_or(f64::INFINITY)..=high.unwrap_or(f64::NEG_INFINITY)
}

fn overlap(a: &RangeInclusive<f64>, b: &RangeInclusive<f64>) -> bool {
    a.start() <= b.end() && b.start() <= a.end()
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    /// A thousand requests: `quick` of 1 ms, the rest of 50 ms.
    fn reported(quick: u64) -> Histogram {
        let mut histogram = Histogram::new();
        (0..1_000).for_each(|k| histogram.record_ns(if k < quick { MS } else { 50 * MS }));
        histogram
    }

    fn verdict(quick: u64, q: f64, expected_ms: f64, disturbed: f64) -> Verdict {
        let truth = Truth::about(expected_ms * MS as f64, 1e5);
        Check::percentile("p", &truth, &reported(quick), q, disturbed).verdict
    }

    #[test]
    fn what_is_within_its_bounds_passes_however_noisy_the_machine_was() {
        assert_eq!(verdict(998, 0.99, 1.0, 0.0), Verdict::Pass);
        assert_eq!(verdict(998, 0.99, 1.0, 0.5), Verdict::Pass);
    }

    #[test]
    fn noise_excuses_the_ranks_that_it_can_have_moved_and_no_others() {
        // Two requests of a thousand are slow: a disturbance of 0.1% cannot have made both of them.
        assert_eq!(verdict(998, 0.999, 1.0, 0.0), Verdict::Fail);
        assert_eq!(verdict(998, 0.999, 1.0, 0.0005), Verdict::Fail);
        assert_eq!(verdict(998, 0.999, 1.0, 0.002), Verdict::CannotTell);
        // Nearly a third of the time disturbed, and the median is still what it is.
        assert_eq!(verdict(998, 0.5, 1.2, 0.3), Verdict::Fail);
    }

    #[test]
    fn noise_excuses_a_value_that_is_too_low_as_well() {
        assert_eq!(verdict(991, 0.99, 50.0, 0.0), Verdict::Fail);
        assert_eq!(verdict(991, 0.99, 50.0, 0.002), Verdict::CannotTell);
    }

    #[test]
    fn an_instrument_that_reports_nothing_is_wrong_whatever_the_noise() {
        let truth = Truth::about(1e6, 1e5);
        for disturbed in [0.0, 1.0] {
            let check = Check::percentile("p", &truth, &Histogram::new(), 0.5, disturbed);
            assert_eq!((check.found, check.verdict), (None, Verdict::Fail));
        }
    }

    #[test]
    fn counts_are_exact() {
        assert_eq!(Check::exactly("n", 7, 7, false).verdict, Verdict::Pass);
        assert_eq!(Check::exactly("n", 7, 8, false).verdict, Verdict::Fail);
        assert_eq!(Check::exactly("n", 7, 6, true).verdict, Verdict::CannotTell);
        assert_eq!(Check::missing("v", &Truth::at_most(1.0)).verdict, Verdict::Fail);
    }
}
