//! What speaks against publishing a run: it may be good for a look, and says less than a reader of results/ takes it to say.

use std::{collections::BTreeSet, fmt};

use race::{
    plan::run_plan::STARTS_FOR_PLACES,
    records::{conformance::Conformance, folder::Contents},
};
use serde::{Deserialize, Serialize};

use crate::counts::planned::Planned;

/// One reason not to publish a run, by the name that overrules it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Reservation {
    /// Its rows, scenarios, starts or windows were chosen on the command line.
    Only,
    /// It has fewer starts than places need.
    FewStarts,
    /// Nobody asked whether its rows keep the contract.
    Unverified,
    /// It was made from files that no commit has.
    DirtyTree,
}

impl Reservation {
    /// All that there are.
    pub const ALL: [Self; 4] = [Self::Only, Self::FewStarts, Self::Unverified, Self::DirtyTree];

    /// The name by which it is overruled.
    pub fn name(self) -> &'static str {
        match self {
            Self::Only => "only",
            Self::FewStarts => "few-starts",
            Self::Unverified => "unverified",
            Self::DirtyTree => "dirty-tree",
        }
    }

    /// What speaks against publishing `contents`.
    pub fn of(contents: &Contents) -> BTreeSet<Self> {
        let applies = |reservation: &Self| match reservation {
            Self::Only => !narrowed_by(&contents.environment.command).is_empty(),
            // Experiments give no places.
            Self::FewStarts => {
                let starts = Planned::of(contents).starts;
                starts > 0 && starts < STARTS_FOR_PLACES
            }
            Self::Unverified => !matches!(contents.run.conformance, Some(Conformance::Verified { .. })),
            // A tree of which nothing is known may have been changed.
            Self::DirtyTree => contents.environment.code.modified != Some(false),
        };
        Self::ALL.into_iter().filter(applies).collect()
    }

    /// The reason, in one clause about the run.
    pub fn explain(self, contents: &Contents) -> String {
        match self {
            Self::Only => {
                format!("it was narrowed by {}", narrowed_by(&contents.environment.command).join(" and "))
            }
            Self::FewStarts => format!(
                "it has {} starts of each server, and places need {STARTS_FOR_PLACES}",
                contents.run.plan.starts
            ),
            Self::Unverified => "nobody asked whether its rows keep the contract".to_owned(),
            Self::DirtyTree => match contents.environment.code.modified {
                Some(true) => "it was made from a tree with local changes".to_owned(),
                _ => "nothing says whether its tree had local changes".to_owned(),
            },
        }
    }
}

impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// The options of a run's command that make it another than the one that everybody can repeat. A budget or a profile is not among
/// them: whether it gave enough starts is asked by itself.
fn narrowed_by(command: &str) -> Vec<&'static str> {
    const NARROWING: [&str; 8] =
        ["--only", "--scenario", "--with", "--starts", "--rounds", "--duration", "--registry", "--scenarios"];
    // Earlier records have no quotes.
    let words =
        shlex::split(command).unwrap_or_else(|| command.split_whitespace().map(str::to_owned).collect());
    let is_given =
        |option: &&&str| words.iter().any(|word| word == **option || word.starts_with(&format!("{option}=")));
    NARROWING.iter().filter(is_given).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_is_narrowed_by_what_chooses_and_not_by_what_sounds_alike() {
        assert!(narrowed_by("cargo bench-all --all --seed 7 --budget 30m --profile publish").is_empty());
        assert_eq!(narrowed_by("cargo bench-all --scenario=mixed --only a,b"), ["--only", "--scenario"]);
        assert_eq!(narrowed_by("cargo bench-all --scenarios x --starts 8"), ["--starts", "--scenarios"]);
        assert!(narrowed_by("cargo bench-all --out 'not --only this'").is_empty());
    }
}
