//! The experiments, as data: `scenarios/*.toml`. A scenario is a load shape with the question that it answers.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    plan::{experiment::Experiment, ladder::Ladder, objective::Objective, worker_numbers::WorkerNumbers},
    registry::Row,
    schema,
};

pub use crate::plan::stream::{Pacing, Rate, Stream};

/// One experiment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenario {
    /// How it is called: the name of its file without `.toml`, whatever the file says.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub name: String,
    /// What a reader wants to know.
    pub question: String,
    /// What may be said of a row that has the best figure, as in `Fastest for cheap requests beside expensive ones`; something
    /// general where nothing is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub best: Option<String>,
    /// What to expect, from queueing theory, the libraries' sources or others' measurements on other machines: where to look, and no result.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected: Option<String>,
    /// Whether the scenario is left out unless it is named.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub on_request: bool,
    /// What happens to a row while it is loaded; absent where nothing does. With it the scenario is of another kind: rows are alone, one
    /// after the other, and nothing is compared.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub experiment: Option<Experiment>,
    /// Rows are raced with these numbers of workers instead of their own; each such row is a variant of its own. Those that cannot be told
    /// how many they have are left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workers: Option<WorkerNumbers>,
    /// Which numbers these are on the host of a run. Of a record: a file says `workers`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub worker_counts: Vec<usize>,
    /// Where server and generator run.
    pub placement: Placement,
    /// How many CPUs the server gets; all that the placement leaves where nothing is said.
    pub server_cpus: Option<usize>,
    /// Fewer server CPUs than this and the table shows the cost of the stack only, without ranks.
    #[serde(default = "one")]
    pub min_server_cpus: usize,
    /// The same load without recording, before each window: until timers that expired while the server was frozen have fired, and a
    /// backlog has relaxed.
    #[serde(with = "duration", default = "default_warm_up")]
    #[schemars(with = "schema::Time")]
    pub warm_up: Duration,
    /// The measuring window.
    #[serde(with = "duration", default = "default_window")]
    #[schemars(with = "schema::Time")]
    pub window: Duration,
    /// How many rounds of it each start has.
    #[serde(default = "default_rounds")]
    pub rounds: usize,
    /// How long a request may stay unanswered.
    #[serde(with = "duration", default = "default_timeout")]
    #[schemars(with = "schema::Time")]
    pub timeout: Duration,
    /// The rates that are offered beside the streams' own, or instead of them; absent where the load is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ladder: Option<Ladder>,
    /// What is wanted of a stream: which rows hold it is said, and of a ladder up to which rate, as in `simple p99<5ms`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<String>")]
    pub objective: Option<Objective>,
    /// What rows are compared by.
    pub rank: RankBy,
    /// The requests.
    #[serde(rename = "stream")]
    pub streams: Vec<Stream>,
}

/// Why a row is not raced under a scenario.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unsuited {
    /// Others stand for it: its variants, or the row that it is a variant of.
    Represented,
    /// It cannot do what is asked.
    Because(String),
}

/// Where server and generator run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Placement {
    /// On CPU sets that share nothing.
    Split,
    /// On the same CPUs, the generator at raised priority and never spinning.
    Shared,
}

/// The figure by which a scenario compares its rows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RankBy {
    /// The stream that it is a figure of.
    pub stream: String,
    /// Which figure.
    pub by: Metric,
}

/// A figure of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Right answers per second of the window.
    Throughput,
    /// The 95th percentile of the response time.
    P95,
    /// The 99th percentile of the response time.
    P99,
    /// Memory of the server's processes that each open connection takes on which nothing happens, bytes.
    IdleMemory,
}

fn one() -> usize {
    1
}

fn default_warm_up() -> Duration {
    Duration::from_millis(50)
}

/// A quarter of a second is long enough for percentiles, and so short that windows of two rows lie close together: 5 or 6 of them a start
/// are the best division of the time where this was worked out (METHODOLOGY.md, "Starts, rounds and windows").
fn default_window() -> Duration {
    Duration::from_millis(250)
}

fn default_rounds() -> usize {
    4
}

fn default_timeout() -> Duration {
    Duration::from_secs(5)
}

impl Scenario {
    /// The stream that its objective is of; none without one.
    pub fn objective_stream(&self) -> Option<&str> {
        let objective = self.objective.as_ref()?;
        Some(objective.stream.as_ref().unwrap_or(&self.rank.stream))
    }

    /// How many rounds each start has, those of all steps of a ladder together.
    pub fn all_rounds(&self) -> usize {
        self.rounds * self.ladder.as_ref().map_or(1, Ladder::rounds)
    }

    /// The step of its ladder that a round is of; the first without one.
    pub fn step_of(&self, round: usize) -> usize {
        self.ladder.as_ref().map_or(0, |ladder| ladder.step_of(round))
    }

    /// Whether rows are compared under it: under its own rates, where it offers them.
    pub fn has_own_step(&self) -> bool {
        self.ladder.as_ref().is_none_or(|ladder| ladder.own_step().is_some())
    }

    /// Whether any stream's requests are due at times that do not wait for the server.
    pub fn is_open_loop(&self) -> bool {
        self.streams.iter().any(|stream| stream.pacing != Pacing::Closed)
    }

    /// Whether `row` can do all that this scenario asks for.
    pub fn suits(&self, row: &Row) -> bool {
        self.unsuited(row).is_none()
    }

    /// Why `row` is not raced under this scenario; `None` where it is.
    pub fn unsuited(&self, row: &Row) -> Option<Unsuited> {
        let operations = || self.streams.iter().map(|stream| stream.operation);
        if let Some(missing) = operations().find(|operation| !row.operations.contains(operation)) {
            return Some(Unsuited::Because(format!("does not serve {missing}")));
        }
        let open = self.open_connections();
        if let Some(most) = row.connections.filter(|most| *most < open) {
            return Some(Unsuited::Because(format!(
                "serves {most} connections at once, and {open} are open"
            )));
        }
        match (&self.workers, &row.variant) {
            (None, None) => None,
            (None, Some(_)) => Some(Unsuited::Represented),
            (Some(_), Some(variant)) if self.worker_counts.contains(&variant.workers) => None,
            (Some(_), Some(_)) => Some(Unsuited::Represented),
            (Some(_), None) => Some(match row.with_workers(1) {
                Ok(_) => Unsuited::Represented,
                Err(reason) => Unsuited::Because(reason),
            }),
        }
    }

    /// Whether a rate or an operation of it is derived from what the rows can do.
    pub fn needs_calibration(&self) -> bool {
        let derived = |rate| matches!(rate, Some(Rate::OfSlowestCapacity(_) | Rate::ToReachLoad(_)));
        matches!(self.ladder, Some(Ladder::ToFastestCapacity { .. }))
            || self
                .streams
                .iter()
                .any(|stream| stream.operation.is_calibrated() || derived(stream.pacing.rate()))
    }

    /// How long a row is loaded for one window of it.
    pub fn stretch(&self) -> Duration {
        self.warm_up + self.window
    }
}

impl Metric {
    /// Which percentile of the response time it is; none where it is no time.
    pub fn percentile(self) -> Option<f64> {
        match self {
            Self::Throughput | Self::IdleMemory => None,
            Self::P95 => Some(0.95),
            Self::P99 => Some(0.99),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_left_out_with_the_reason_or_since_its_variants_stand_for_it() {
        let row = |name: &str| crate::fixtures::run::rows(&[name]).remove(0);
        let scenario = |name: &str| crate::fixtures::run::scenario(name, 1);
        let because = |scenario: &Scenario, row: &Row| match scenario.unsuited(row) {
            Some(Unsuited::Because(reason)) => reason,
            other => panic!("{other:?}"),
        };
        let node = row("node-cluster");
        assert_eq!(because(&scenario("slow-backend"), &node), "does not serve delay");
        let pool = because(&scenario("many-connections"), &row("thread-pool"));
        assert!(pool.contains("serves 256 connections at once, and 10000 are open"), "{pool}");
        let mut sized = scenario("oversubscription");
        sized.worker_counts = vec![2, 4, 8];
        let stealing = row("work-stealing");
        assert_eq!(sized.unsuited(&stealing), Some(Unsuited::Represented));
        assert!(because(&sized, &row("single-thread")).contains("one"), "its reason is the registry's");
        let four = stealing.with_workers(4).unwrap();
        assert!(sized.suits(&four) && !sized.suits(&stealing.with_workers(3).unwrap()));
        assert_eq!(scenario("mixed").unsuited(&four), Some(Unsuited::Represented));
    }
}
