//! What the comparison says of a row and its twin, a second server of the same row within every start.
//!
//! It is printed beside the comparison, never applied to it: a pair that is steadier than the rows around it would
//! lend them its precision. "No difference found" is worth what could have been found, so the detectable ratio stands with it.

use serde::Serialize;

use crate::contrast::Contrast;
use crate::decide::FEWEST_STARTS;
use crate::ratio::{Interval, ratio_of};
use crate::rounds::StartRatio;

/// The level at which the twins are judged, a family of their own.
pub const ALPHA: f64 = 0.05;

/// A row against itself.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct AgainstItself {
    /// Their ratio and its spread s over n starts.
    pub contrast: Contrast,
    /// `exp(t s / sqrt(n))`, with the 0.975 quantile t of Student's distribution with n - 1 degrees of freedom: the ratio
    /// that chance exceeds, or its inverse falls below, once in twenty. "Row against itself 1.01" in a table.
    pub once_in_twenty: f64,
    /// The interval at 95%; `None` where all ratios are the same.
    pub interval: Option<Interval>,
    /// The p-value of the hypothesis that the two are one.
    pub p_value: f64,
    /// The true ratio that would be found nine times in ten; `None` if nothing could be found.
    pub detectable: Option<f64>,
    /// What that comes to.
    pub verdict: Verdict,
}

/// Whether the comparison finds a difference where there is none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// It does not, as it must in 19 of 20 sound figures.
    NothingFound,
    /// It does: once in twenty, or because windows are not as independent as supposed.
    Found,
    /// They share too few starts for the comparison to find anything.
    NoPower,
}

impl AgainstItself {
    /// From the log ratios of a row and its twin by start; `None` with fewer than two.
    pub fn of(starts: &[StartRatio]) -> Option<Self> {
        let contrast = Contrast::of(starts)?;
        let has_power = contrast.starts >= FEWEST_STARTS;
        let p_value = contrast.p_value();
        let verdict = match (has_power, p_value <= ALPHA) {
            (false, _) => Verdict::NoPower,
            (true, false) => Verdict::NothingFound,
            (true, true) => Verdict::Found,
        };
        Some(Self {
            contrast,
            once_in_twenty: ratio_of(contrast.half_width_log(ALPHA).unwrap_or(0.0)),
            interval: contrast.interval(ALPHA),
            p_value,
            detectable: if has_power { contrast.detectable(ALPHA) } else { None },
            verdict,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contrast::tests::starts;
    use crate::lcg::Lcg;

    #[test]
    fn a_table_of_six_starts_worked_by_hand() {
        // s = 0.01 sqrt(6/5), t of five degrees of freedom 2.5706, over sqrt(6): 0.01 x 2.5706 / sqrt(5).
        let twins = AgainstItself::of(&starts(&[0.01, -0.01, 0.01, -0.01, 0.01, -0.01])).expect("six starts");
        assert!((twins.once_in_twenty.ln() - 0.01 * 2.570_58 / 5.0_f64.sqrt()).abs() < 1e-7, "{twins:?}");
        assert_eq!(twins.verdict, Verdict::NothingFound);
        assert!(twins.detectable.is_some_and(|ratio| ratio > twins.once_in_twenty));
    }

    #[test]
    fn twins_that_differ_in_every_start_are_found_and_few_starts_find_nothing() {
        let logs = [0.02, 0.021, 0.019, 0.02, 0.022, 0.018];
        assert_eq!(AgainstItself::of(&starts(&logs)).map(|twins| twins.verdict), Some(Verdict::Found));
        let few = AgainstItself::of(&starts(&logs[..5])).expect("five starts");
        assert_eq!((few.verdict, few.detectable), (Verdict::NoPower, None));
        assert_eq!(AgainstItself::of(&starts(&logs[..1])), None);
    }

    #[test]
    fn twins_without_any_spread_are_one() {
        let twins = AgainstItself::of(&starts(&[0.0; 8])).expect("eight starts");
        assert_eq!((twins.once_in_twenty, twins.interval, twins.verdict), (1.0, None, Verdict::NothingFound));
    }

    #[test]
    fn chance_exceeds_the_ratio_once_in_twenty() {
        // The ratio that one run shows against the floor that this run states.
        let mut lcg = Lcg::new(21);
        let exceeded = (0..2_000)
            .filter(|_| {
                let logs: Vec<f64> = (0..8).map(|_| 0.02 * lcg.normal()).collect();
                let twins = AgainstItself::of(&starts(&logs)).expect("eight starts");
                twins.contrast.mean_log.abs() > twins.once_in_twenty.ln()
            })
            .count();
        assert!((70..=130).contains(&exceeded), "{exceeded} of 2000");
    }
}
