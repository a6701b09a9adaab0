//! What must be known of a row beside its figure, each thing by a letter: few enough to be explained beneath a table.

use race::{
    plan::scenario::Scenario,
    records::{
        conformance::{Conformance, Status},
        folder::Contents,
    },
    registry::Tier,
};
use stats::overload::Load;

use crate::{
    conclusions::{
        analysis::Analysis,
        notes::{instrument_visible, is_lower_bound, stalls_now_and_then},
    },
    counts::entered::Entered,
};

/// One thing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Mark {
    Overloaded,
    AtTheEdge,
    LowerBound,
    Stalls,
    InstrumentVisible,
    FewStarts,
    Failed,
    NotVerified,
    /// It was asked for and is no row of the race.
    Skipped,
}

impl Mark {
    /// The letter in the table.
    pub(crate) fn letter(self) -> char {
        match self {
            Self::Overloaded => 'o',
            Self::AtTheEdge => 'e',
            Self::LowerBound => 'b',
            Self::Stalls => 's',
            Self::InstrumentVisible => 'i',
            Self::FewStarts => 'f',
            Self::Failed => 'x',
            Self::NotVerified => 'v',
            Self::Skipped => 'k',
        }
    }

    /// What it means, for beneath the table.
    pub(crate) fn meaning(self) -> &'static str {
        match self {
            Self::Overloaded => {
                "overloaded: it did not carry the load, so that it has no times and is last by rule"
            }
            Self::AtTheEdge => "overloaded in some starts",
            Self::LowerBound => "lower bound: the generator was the bottleneck in most windows",
            Self::Stalls => "stalls now and then: the tail comes from a few windows",
            Self::InstrumentVisible => {
                "instrument visible: with the generator's lateness, the order is another"
            }
            Self::FewStarts => "half of its windows count in fewer starts than were made",
            Self::Failed => "no score: it answered wrongly",
            Self::Skipped => "skipped: what it needs is not installed here",
            Self::NotVerified => "not verified: nobody asked whether it keeps the contract",
        }
    }
}

/// All that hold of the row at `at`.
pub(crate) fn of_row(
    scenario: &Scenario,
    contents: &Contents,
    analysis: &Analysis,
    (at, row): (usize, &Entered<'_>),
) -> Vec<Mark> {
    let line = &row.line;
    let windows = line.windows().count();
    let in_most = |number: usize| 2 * number > windows;
    let load = analysis.loads[at].load;
    let is_overloaded = load == Load::Overloaded;
    let shares_for_the_instrument = || {
        let mut pairs = analysis.instrument_visible.iter();
        pairs.any(|&(better, worse)| better == at || worse == at)
    };
    let holds = |mark: &Mark| match mark {
        Mark::Overloaded => is_overloaded,
        Mark::AtTheEdge => matches!(load, Load::AtTheEdge { .. }),
        Mark::LowerBound => is_lower_bound(line),
        Mark::Stalls => !is_overloaded && stalls_now_and_then(scenario, row),
        Mark::InstrumentVisible => shares_for_the_instrument() || in_most(instrument_visible(scenario, row)),
        Mark::FewStarts => {
            !is_overloaded && line.failed.is_none() && analysis.usable_starts[at] < line.starts.len()
        }
        Mark::Failed => line.failed.is_some(),
        Mark::Skipped => false,
        // That the null server is not held to the contract is what its tier says.
        Mark::NotVerified => line.row.tier != Tier::Calibration && is_unverified(contents, line.row.origin()),
    };
    const ALL: [Mark; 8] = [
        Mark::Overloaded,
        Mark::AtTheEdge,
        Mark::LowerBound,
        Mark::Stalls,
        Mark::InstrumentVisible,
        Mark::FewStarts,
        Mark::Failed,
        Mark::NotVerified,
    ];
    ALL.into_iter().filter(holds).collect()
}

fn is_unverified(contents: &Contents, row: &str) -> bool {
    match &contents.run.conformance {
        Some(Conformance::Unverified) => true,
        Some(Conformance::Verified { rows }) => {
            let own = rows.iter().find(|verified| verified.row == row);
            own.is_none_or(|own| own.status == Status::NotVerified)
        }
        None => false,
    }
}
