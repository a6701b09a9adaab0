//! What was found, race by race: what is exported, and what a recorded A/A run is read from.

use report::pairs::Rows;
use serde::{Deserialize, Serialize};
use stats::{
    itself::{AgainstItself, Verdict},
    rounds::StartRatio,
};

use super::field::{Dose, Entrant, FIGURES, PLAIN};

/// Everything that was found.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Found {
    /// The command, the day, the code and the host.
    pub(super) made_by: String,
    /// Starts of each race.
    pub(super) starts: u32,
    /// Rounds of each start.
    pub(super) rounds: usize,
    /// How much was planted.
    pub(super) dose: Dose,
    /// The races that were finished.
    pub(super) races: Vec<Race>,
}

/// One race.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Race {
    /// What its order and its arrivals were drawn from.
    pub(super) seed: u64,
    /// When it began, RFC 3339.
    pub(super) began: String,
    /// The gate's step: the share of a window that others may take.
    pub(super) gate_step: Option<f64>,
    /// Windows that count, and windows that were dropped.
    pub(super) kept_and_dropped: [u64; 2],
    /// What could not be measured.
    pub(super) failures: Vec<String>,
    /// Each entrant against the plain row.
    pub(super) entrants: Vec<AgainstPlain>,
}

/// One entrant against the plain row, in one race.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct AgainstPlain {
    /// Which.
    pub(super) entrant: Entrant,
    /// By each figure.
    pub(super) figures: Vec<Compared>,
    /// Whether the report says that it stalls now and then.
    pub(super) stalls_now_and_then: bool,
}

/// One figure of an entrant over the plain row's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Compared {
    /// Which figure.
    pub(super) figure: String,
    /// The logarithm of the ratio in every start; `null` where fewer than half of the windows of either count.
    pub(super) log_ratios: Vec<Option<f64>>,
    /// What the comparison makes of it.
    pub(super) finding: Finding,
}

/// What the comparison finds at 5%, of one pair and one figure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Finding {
    /// No difference.
    Nothing,
    /// The entrant has more.
    More,
    /// The entrant has less.
    Less,
    /// The two share too few starts.
    NotJudged,
}

impl Finding {
    /// Student's t over starts: one pair needs no more.
    pub(super) fn of(starts: &[StartRatio]) -> Self {
        let Some(AgainstItself { contrast, verdict, .. }) = AgainstItself::of(starts) else {
            return Self::NotJudged;
        };
        let more = contrast.mean_log > 0.0;
        match verdict {
            Verdict::NoPower => Self::NotJudged,
            // A row of which only lower bounds are known may be called larger and never smaller.
            Verdict::Found if contrast.allows_larger(more) => {
                if more {
                    Self::More
                } else {
                    Self::Less
                }
            }
            Verdict::Found | Verdict::NothingFound => Self::Nothing,
        }
    }
}

impl AgainstPlain {
    pub(super) fn of(rows: &Rows<'_>, entrant: Entrant) -> Self {
        let label = entrant.label();
        let compared = |figure| {
            let starts = rows.log_ratios(figure, &label, PLAIN).unwrap_or_default();
            Compared {
                figure: figure.name(),
                log_ratios: starts.iter().map(|start| start.log_ratio).collect(),
                finding: Finding::of(&starts),
            }
        };
        let p99 = rows.tail(&label, 0.99);
        Self {
            entrant,
            figures: FIGURES.map(compared).into(),
            stalls_now_and_then: p99.is_some_and(stats::tail::RowTail::stalls_now_and_then),
        }
    }

    /// What was found of a figure.
    pub(super) fn figure(&self, name: &str) -> Option<&Compared> {
        self.figures.iter().find(|compared| compared.figure == name)
    }
}

impl Compared {
    /// The starts that have a ratio.
    pub(super) fn logs(&self) -> Vec<f64> {
        self.log_ratios.iter().copied().flatten().collect()
    }

    /// The geometric mean of the ratios.
    pub(super) fn ratio(&self) -> Option<f64> {
        let logs = self.logs();
        (!logs.is_empty()).then(|| (logs.iter().sum::<f64>() / logs.len() as f64).exp())
    }
}

impl Race {
    /// What was found of an entrant.
    pub(super) fn entrant(&self, entrant: Entrant) -> Option<&AgainstPlain> {
        self.entrants.iter().find(|against| against.entrant == entrant)
    }
}

#[cfg(test)]
mod tests {
    use stats::rounds::Bound;

    use super::*;

    fn starts(logs: &[f64], bound: Bound) -> Vec<StartRatio> {
        let start = |&log| StartRatio { log_ratio: Some(log), pairs: 4, rounds: 4, bound };
        logs.iter().map(start).collect()
    }

    #[test]
    fn a_finding_has_a_direction_and_needs_starts() {
        let more = [0.03, 0.031, 0.029, 0.03, 0.032, 0.028];
        let of = |logs: &[f64]| Finding::of(&starts(logs, Bound::Exact));
        assert_eq!(of(&more), Finding::More);
        assert_eq!(of(&more.map(|log| -log)), Finding::Less);
        assert_eq!(of(&[0.03, -0.03, 0.02, -0.02, 0.01, -0.01]), Finding::Nothing);
        assert_eq!(of(&more[..5]), Finding::NotJudged);
        assert_eq!(of(&[]), Finding::NotJudged);
    }

    #[test]
    fn what_is_only_known_from_below_is_never_found_to_be_less() {
        let less = [-0.03, -0.031, -0.029, -0.03, -0.032, -0.028];
        assert_eq!(Finding::of(&starts(&less, Bound::AtLeast)), Finding::Nothing);
        assert_eq!(Finding::of(&starts(&less.map(|log| -log), Bound::AtLeast)), Finding::More);
    }
}
