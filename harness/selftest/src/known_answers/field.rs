//! The field of every race: the null server, a second one of the same, and three in which something is planted.

use std::{path::Path, time::Duration};

use anyhow::Context as _;
use race::{
    plan::run_plan::label,
    registry::{OperationName, Row, Tier},
};
use report::compared::Figure;
use serde::{Deserialize, Serialize};

use super::asked::Asked;
use crate::planted::{Difference, Hold, Stall};

/// The row that the others are compared with.
pub(super) const PLAIN: &str = "null";

/// What is compared with the plain row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Entrant {
    /// A second server of the plain row.
    Again,
    /// Each request costs so much more CPU time.
    Burns,
    /// So many answers are held back that the 99th percentile doubles.
    Holds,
    /// The loop blocks for 30 ms every 2 s.
    Stalls,
}

/// How much more CPU time a request costs that burns.
pub(super) const BURNT: f64 = 0.03;
/// The part of the answers that is held: enough that the 99th percentile is one of them.
pub(super) const HELD: f64 = 0.03;
const STALL: Stall = Stall { time: Duration::from_millis(30), every: Duration::from_secs(2) };

/// The figures that every entrant is compared by. An open loop has no throughput of its own.
pub(super) const FIGURES: [Figure; 4] =
    [Figure::Percentile(0.5), Figure::CpuPerRequest, Figure::Percentile(0.95), Figure::Percentile(0.99)];

/// How much of each difference is planted.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Dose {
    /// Requests a second: half of what the plain row served in a closed loop.
    pub(super) per_second: f64,
    /// CPU time of a plain request at that rate, microseconds.
    pub(super) cpu_us: f64,
    /// Steps that cost [`BURNT`] of it.
    pub(super) burn_steps: u32,
    /// The plain row's 99th percentile at that rate, microseconds.
    pub(super) p99_us: f64,
    /// For how long answers are held, microseconds.
    pub(super) hold_us: f64,
}

impl Entrant {
    /// All of them, in the order of tables.
    pub(super) const ALL: [Self; 4] = [Self::Again, Self::Burns, Self::Holds, Self::Stalls];

    /// How records call it.
    pub(super) fn label(self) -> String {
        match self {
            Self::Again => label(PLAIN, true),
            Self::Burns => "null-burns".to_owned(),
            Self::Holds => "null-holds".to_owned(),
            Self::Stalls => "null-stalls".to_owned(),
        }
    }

    /// What is planted, for people.
    pub(super) fn planted(self) -> &'static str {
        match self {
            Self::Again => "nothing",
            Self::Burns => "+3% CPU",
            Self::Holds => "p99 doubled",
            Self::Stalls => "30 ms every 2 s",
        }
    }

    /// What `figure` of it must show; `None` where nothing is asked.
    pub(super) fn asked(self, figure: Figure) -> Option<Asked> {
        match self {
            Self::Again => Some(Asked::Nothing),
            Self::Burns => (figure == Figure::CpuPerRequest).then_some(Asked::Difference),
            Self::Holds => (figure == Figure::Percentile(0.99)).then_some(Asked::Difference),
            // Of the one second of windows that each start has, two fifths have a stall in it, and of eight starts it takes four for
            // Student's t: nearly half of the races, less what the noise takes.
            Self::Stalls => (figure == Figure::Percentile(0.99)).then_some(Asked::AtTimes),
        }
    }

    fn difference(self, dose: &Dose) -> Difference {
        let none = Difference::default();
        match self {
            Self::Again => none,
            Self::Burns => Difference { burn_steps: dose.burn_steps, ..none },
            Self::Holds => {
                let time = Duration::from_nanos((1000.0 * dose.hold_us) as u64);
                Difference { hold: Some(Hold { share: HELD, time }), ..none }
            }
            Self::Stalls => Difference { stall: Some(STALL), ..none },
        }
    }
}

/// The rows of a race: the plain one first, so that it is the one that is entered twice.
pub(super) fn rows(program: &Path, dose: &Dose) -> anyhow::Result<Vec<Row>> {
    let planted = [Entrant::Burns, Entrant::Holds, Entrant::Stalls];
    let planted = planted.map(|entrant| row(program, &entrant.label(), &entrant.difference(dose)));
    [row(program, PLAIN, &Difference::default())].into_iter().chain(planted).collect()
}

/// A row that is `program`'s own planted server.
pub(super) fn row(program: &Path, name: &str, difference: &Difference) -> anyhow::Result<Row> {
    let program = program.to_str().context("this program lies in a folder whose name is not UTF-8")?;
    let mut command = vec![program.to_owned(), "planted".to_owned()];
    command.extend(difference.arguments());
    Ok(Row {
        about: "the null server of the self-test, with what its name says".to_owned(),
        tier: Tier::Controlled,
        operations: vec![OperationName::Simple],
        is_given: false,
        ..Row::given(name.to_owned(), command)
    })
}

#[cfg(test)]
mod tests {
    use race::plan::run_plan::RunPlan;

    use super::*;
    use crate::known_answers::races::{STARTS, at_rate};

    const DOSE: Dose =
        Dose { per_second: 50_000.0, cpu_us: 8.0, burn_steps: 240, p99_us: 150.0, hold_us: 260.0 };

    #[test]
    fn every_race_has_each_entrant_and_the_plain_row_in_every_round() {
        let scenario = at_rate(race::fixtures::run::scenario("simple-latency", 4), DOSE.per_second);
        let rows = rows(Path::new("/bin/harness"), &DOSE).unwrap();
        let plan = RunPlan { rows, with: Vec::new(), scenarios: vec![scenario], starts: STARTS, seed: 1 };
        let labels: Vec<String> =
            plan.entries(&plan.scenarios[0]).iter().map(race::plan::run_plan::Entry::label).collect();
        for expected in [vec![PLAIN.to_owned()], Entrant::ALL.map(Entrant::label).into()].concat() {
            assert_eq!(
                labels.iter().filter(|label| **label == expected).count(),
                1,
                "{expected}: {labels:?}"
            );
        }
        assert_eq!(labels.len(), 5);
    }

    #[test]
    fn what_is_planted_is_what_the_servers_are_told() {
        let rows = rows(Path::new("/bin/harness"), &DOSE).unwrap();
        let told: Vec<String> = rows
            .iter()
            .map(|row| match &row.program {
                race::registry::Program::Command(command) => command[2..].join(" "),
                race::registry::Program::Package(package) => panic!("{package}"),
            })
            .collect();
        assert_eq!(told, ["", "--burn 240", "--hold 0.03,260000ns", "--stall 30000000ns/2000000000ns"]);
    }
}
