//! The experiments, as data: `scenarios/*.toml`. A scenario is a load shape with the question that it answers.

use std::{path::Path, time::Duration};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    plan::{
        experiment::Experiment,
        ladder::Ladder,
        objective::Objective,
        stream::{LONGEST, MOST_CONNECTIONS, RATES, SHORTEST},
    },
    registry::{Asked, OperationName, Row},
    schema,
};
use terminal::names::{Unknown, select};

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

/// More rounds of one start say next to nothing more: its connections, memory and CPUs stay what they were.
const MOST_ROUNDS: usize = 1_000;

/// More workers than this for each CPU are threads that wait for each other.
const MOST_TIMES: usize = 64;
/// As many as a CPU mask holds.
const MOST_CPUS: usize = 1024;

/// How many workers rows are told to have.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum WorkerNumbers {
    /// So many times the server's CPUs.
    TimesCpus(Vec<usize>),
    /// From one to as many as the server has CPUs: each up to four, then every other or so.
    OneToCpus,
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

/// Why the scenarios cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ScenarioError {
    /// A file or the folder cannot be read.
    #[error("cannot read the scenario {path}")]
    Read {
        /// The file or folder.
        path: String,
        /// What the system said.
        source: std::io::Error,
    },
    /// A file is not a scenario; the message names line and column.
    #[error("the scenario {path} is wrong: {reason}")]
    Parse {
        /// The file.
        path: String,
        /// What is wrong.
        reason: String,
    },
    /// No scenario has the name that was asked for.
    #[error(transparent)]
    Unknown(#[from] Unknown),
}

/// All scenarios of a folder, in the order in which a run takes them: throughput before what is derived from it.
#[derive(Clone, Debug)]
pub struct Scenarios(Vec<Scenario>);

impl Scenarios {
    /// Reads every `*.toml` of `folder`.
    ///
    /// # Errors
    /// The folder has none, or one of them is wrong.
    pub fn read(folder: &Path) -> Result<Self, ScenarioError> {
        let read_error =
            |path: &Path, source| ScenarioError::Read { path: path.display().to_string(), source };
        let mut scenarios = Vec::new();
        for entry in std::fs::read_dir(folder).map_err(|error| read_error(folder, error))? {
            let path = entry.map_err(|error| read_error(folder, error))?.path();
            if path.extension().is_none_or(|extension| extension != "toml") {
                continue;
            }
            let text = std::fs::read_to_string(&path).map_err(|error| read_error(&path, error))?;
            let name = path.file_stem().unwrap_or_default().to_string_lossy();
            let scenario = Scenario::parse(&name, &text)
                .map_err(|reason| ScenarioError::Parse { path: path.display().to_string(), reason })?;
            scenarios.push(scenario);
        }
        if scenarios.is_empty() {
            return Err(read_error(folder, std::io::Error::other("it holds no *.toml file")));
        }
        // Experiments last: whoever has seen enough by then can end the run.
        let kind = |scenario: &Scenario| (scenario.experiment.is_some(), scenario.is_open_loop());
        scenarios.sort_by(|a, b| (kind(a), &b.name).cmp(&(kind(b), &a.name)));
        Ok(Self(scenarios))
    }

    /// All of them.
    pub fn all(&self) -> &[Scenario] {
        &self.0
    }

    /// Those that are asked for.
    ///
    /// # Errors
    /// A name that no scenario has.
    pub fn select(&self, asked: Asked<'_>) -> Result<Vec<Scenario>, Unknown> {
        match asked {
            Asked::All => Ok(self.0.clone()),
            Asked::Default => Ok(self.0.iter().filter(|scenario| !scenario.on_request).cloned().collect()),
            Asked::Named(names) => {
                select("scenario", &self.0, |scenario| &scenario.name, &self.families(names))
            }
        }
    }
}

impl Scenarios {
    /// Where no scenario has a name, but several have it as their first part, all of these: `churn` is churn-1 and churn-10.
    fn families(&self, names: &[String]) -> Vec<String> {
        let of_name = |name: &String| {
            let is_member = |scenario: &&Scenario| {
                scenario.name.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('-'))
            };
            let members: Vec<String> =
                self.0.iter().filter(is_member).map(|member| member.name.clone()).collect();
            match self.0.iter().any(|scenario| scenario.name == *name) || members.len() < 2 {
                true => vec![name.clone()],
                false => members,
            }
        };
        names.iter().flat_map(of_name).collect()
    }
}

impl WorkerNumbers {
    /// The numbers for a server on so many CPUs, ascending.
    pub fn on(&self, cpus: usize) -> Vec<usize> {
        let mut numbers: Vec<usize> = match self {
            Self::TimesCpus(times) => times.iter().map(|times| times * cpus).collect(),
            Self::OneToCpus => {
                let steps = (0..).map(|step| (2 + step % 2) << (step / 2 + 1));
                (1..4).chain(steps).take_while(|&number| number < cpus).chain([cpus]).collect()
            }
        };
        numbers.sort_unstable();
        numbers.dedup();
        numbers
    }
}

impl Scenario {
    pub(super) fn parse(name: &str, text: &str) -> Result<Self, String> {
        let mut scenario: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        name.clone_into(&mut scenario.name);
        scenario.check()?;
        Ok(scenario)
    }

    /// What is wrong with it, where something is.
    ///
    /// # Errors
    /// The first contradiction, in words.
    pub fn check(&self) -> Result<(), String> {
        let ranked = self.streams.iter().find(|stream| stream.name == self.rank.stream);
        let ranked =
            ranked.ok_or_else(|| format!("no stream is called `{}`, as `rank` says", self.rank.stream))?;
        if self.rank.by == Metric::Throughput && ranked.pacing != Pacing::Closed {
            return Err("an open loop offers a fixed rate, so that throughput cannot rank it".to_owned());
        }
        for (what, time, shortest) in [
            ("window", self.window, SHORTEST),
            ("timeout", self.timeout, SHORTEST),
            ("warm_up", self.warm_up, Duration::ZERO),
        ] {
            if !(shortest..=LONGEST).contains(&time) {
                return Err(format!("a {what} of {time:?} is not from {shortest:?} to {LONGEST:?}"));
            }
        }
        for cpus in self.server_cpus.into_iter().chain([self.min_server_cpus]) {
            if !(1..=MOST_CPUS).contains(&cpus) {
                return Err(format!("a server has 1 to {MOST_CPUS} CPUs, not {cpus}"));
            }
        }
        if !(1..=MOST_ROUNDS).contains(&self.rounds) {
            return Err(format!("a start has 1 to {MOST_ROUNDS} rounds, not {}", self.rounds));
        }
        for (index, stream) in self.streams.iter().enumerate() {
            let name = &stream.name;
            if self.streams[..index].iter().any(|earlier| earlier.name == *name) {
                return Err(format!("two streams are called `{name}`"));
            }
            stream.check(self.window).map_err(|reason| format!("stream `{name}`{reason}"))?;
        }
        let open: usize = self.open_connections();
        if open > MOST_CONNECTIONS {
            return Err(format!("all streams have {open} connections, more than {MOST_CONNECTIONS}"));
        }
        if self.rank.by == Metric::IdleMemory && self.idle_connections() == 0 {
            return Err("idle_memory is that of a stream's `idle_connections`, and none has any".to_owned());
        }
        if let Some(WorkerNumbers::TimesCpus(times)) = &self.workers
            && (times.is_empty() || times.iter().any(|times| !(1..=MOST_TIMES).contains(times)))
        {
            return Err(format!(
                "workers are 1 to {MOST_TIMES} times the CPUs, as in workers = {{ times_cpus = [1, 2] }}"
            ));
        }
        if self.workers.is_some() && self.experiment.is_some() {
            return Err("an [experiment] takes rows with the workers that they have".to_owned());
        }
        self.check_experiment()?;
        self.check_ladder()?;
        self.check_objective()?;
        let derived = |stream: &&Stream| matches!(stream.pacing.rate(), Some(Rate::ToReachLoad(_)));
        if self.streams.iter().filter(derived).count() > 1 {
            return Err("only one stream can have what is left of a load".to_owned());
        }
        Ok(())
    }

    /// An experiment offers one row a part of what it carries, and nothing else does.
    fn check_experiment(&self) -> Result<(), String> {
        let is_own = |stream: &Stream| matches!(stream.pacing.rate(), Some(Rate::OfOwnCapacity(_)));
        let Some(experiment) = &self.experiment else {
            return match self.streams.iter().find(|stream| is_own(stream)) {
                Some(stream) => Err(format!(
                    "stream `{}`: a rate of_own_capacity differs from row to row, so that only an [experiment] has one",
                    stream.name
                )),
                None => Ok(()),
            };
        };
        match &self.streams[..] {
            [stream] if !(stream.weights.is_empty() && stream.idle_connections == 0) => Err(format!(
                "stream `{}`: an [experiment] knows neither `weights` nor `idle_connections`",
                stream.name
            )),
            [stream] if is_own(stream) && stream.operation == OperationName::Simple => experiment.check(),
            _ => Err("an [experiment] has one stream of simple, with a rate = { of_own_capacity = 0.5 }"
                .to_owned()),
        }
    }

    /// How many connections are open at once, those on which nothing happens among them.
    pub fn open_connections(&self) -> usize {
        let of = |stream: &Stream| stream.connections.saturating_add(stream.idle_connections);
        self.streams.iter().map(of).fold(0, usize::saturating_add)
    }

    /// On how many connections nothing happens.
    pub fn idle_connections(&self) -> usize {
        self.streams.iter().map(|stream| stream.idle_connections).fold(0, usize::saturating_add)
    }

    /// A ladder has rates to multiply, and nothing that would make them differ from row to row.
    fn check_ladder(&self) -> Result<(), String> {
        let Some(ladder) = &self.ladder else { return Ok(()) };
        ladder.check()?;
        if self.experiment.is_some() {
            return Err("an [experiment] has no `ladder`: it offers one rate to one row".to_owned());
        }
        if let Some(stream) = self.streams.iter().find(|stream| stream.pacing == Pacing::Closed) {
            let name = &stream.name;
            return Err(format!(
                "a `ladder` multiplies rates, and stream `{name}` is a closed loop, which has none"
            ));
        }
        let highest = |stream: &Stream| match stream.pacing.rate() {
            Some(Rate::PerSecond(rate)) => stream.peak(rate) * ladder.highest(),
            _ => 0.0,
        };
        match self.streams.iter().find(|stream| highest(stream) > *RATES.end()) {
            Some(stream) => Err(format!(
                "stream `{}`: the highest step offers {} requests per second, more than {}",
                stream.name,
                highest(stream),
                RATES.end()
            )),
            None => Ok(()),
        }
    }

    fn check_objective(&self) -> Result<(), String> {
        let Some(objective) = &self.objective else { return Ok(()) };
        let name = objective.stream.as_ref().unwrap_or(&self.rank.stream);
        let Some(stream) = self.streams.iter().find(|stream| stream.name == *name) else {
            let names: Vec<&str> = self.streams.iter().map(|stream| stream.name.as_str()).collect();
            return Err(format!(
                "the objective `{objective}`: no stream is called `{name}`; there are {}",
                names.join(", ")
            ));
        };
        match (stream.pacing, &self.experiment) {
            (Pacing::Closed, _) => Err(format!(
                "the objective `{objective}`: `{name}` is a closed loop, which asks less while answers are slow, so that its times say \
                 nothing of what users would meet"
            )),
            (_, Some(_)) => {
                Err("an [experiment] has no objective: its rows have loads of their own".to_owned())
            }
            (_, None) => Ok(()),
        }
    }

    /// Has `objective` asked of it.
    ///
    /// # Errors
    /// It cannot answer that; it stays what it was then.
    pub fn want(&mut self, objective: &Objective) -> Result<(), String> {
        let before = self.objective.replace(objective.clone());
        self.check_objective().inspect_err(|_| self.objective = before)
    }

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

    fn shipped() -> Scenarios {
        Scenarios::read(Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../scenarios"))).unwrap()
    }

    #[test]
    fn the_shipped_scenarios_are_read_in_the_order_of_a_run() {
        let names: Vec<_> = shipped().all().iter().map(|scenario| scenario.name.clone()).collect();
        let at = |wanted: &str| names.iter().position(|name| name == wanted).unwrap();
        assert!(at("simple-throughput") < at("simple-latency"), "{names:?}");
        assert_eq!(names[names.len() - 2..], ["reload", "crash"], "experiments are last");
        let by_default: Vec<_> = shipped().select(Asked::Default).unwrap();
        let by_default: Vec<&str> = by_default.iter().map(|scenario| scenario.name.as_str()).collect();
        assert_eq!(by_default, ["simple-throughput", "churn-10", "churn-1", "simple-latency", "mixed"]);
        let on_request =
            |name: &str| shipped().all().iter().any(|scenario| scenario.name == name && scenario.on_request);
        assert!(
            on_request("crash") && on_request("reload") && on_request("curve"),
            "the default race does not get longer"
        );
    }

    #[test]
    fn a_scenario_that_contradicts_itself_is_refused_with_the_reason() {
        let text = |rank: &str, stream: &str| {
            format!(
                "question = ''\nplacement = 'split'\nrank = {rank}\n\
                 [[stream]]\nname = 's'\noperation = 'simple'\nconnections = 1\n{stream}\n"
            )
        };
        let by_p99 = "{ stream = 's', by = 'p99' }";
        let closed = "pacing = { kind = 'closed' }";
        let open = "pacing = { kind = 'poisson', rate = { per_second = 5.0 } }";
        assert!(Scenario::parse("x", &text(by_p99, closed)).is_ok());
        let refused = [
            (text("{ stream = 't', by = 'p99' }", closed), "no stream is called `t`"),
            (text("{ stream = 's', by = 'throughput' }", open), "throughput cannot rank"),
            (text(by_p99, "pacing = { kind = 'poisson', rate = { per_second = 0.0 } }"), "no rate"),
            (text(by_p99, "pacing = { kind = 'poisson', rate = { per_second = 1e9 } }"), "to 10000000"),
            (text(by_p99, "pacing = { kind = 'poisson', rate = { per_second = nan } }"), "from 0.000001"),
            (text(by_p99, closed).replace("connections = 1", "connections = 9999999"), "1 to 1000000"),
            (
                format!("timeout = '2h'\n{}", text(by_p99, closed)),
                "a timeout of 7200s is not from 1ms to 3600s",
            ),
            (format!("window = '0s'\n{}", text(by_p99, closed)), "a window of 0ns is not from 1ms"),
            (format!("server_cpus = 0\n{}", text(by_p99, closed)), "1 to 1024 CPUs, not 0"),
            (text(by_p99, &format!("{closed}\nservice_time = '5ms'")), "only they"),
            (text(by_p99, &format!("{closed}\nconnection = 3")), "connection"),
            (text(by_p99, &format!("{closed}\nweights = [1]")), "stream `s`: weights are of an open loop"),
            (text("{ stream = 's', by = 'idle_memory' }", closed), "and none has any"),
            (format!("workers = {{ times_cpus = [0] }}\n{}", text(by_p99, closed)), "1 to 64 times the CPUs"),
            (text(by_p99, &format!("{closed}\nidle_connections = 1000000")), "all streams have 1000001"),
            (
                text(by_p99, "pacing = { kind = 'poisson', rate = { to_reach_load = 7.0 } }"),
                "between 0 and 1.5",
            ),
        ];
        for (text, expected) in refused {
            let error = Scenario::parse("x", &text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn a_name_that_several_begin_with_is_all_of_these_and_one_that_none_has_is_refused() {
        let named = |name: &str| shipped().select(Asked::Named(&[name.to_owned()]));
        let names = |name: &str| -> Vec<String> {
            named(name).unwrap().into_iter().map(|scenario| scenario.name).collect()
        };
        assert_eq!(names("churn"), ["churn-10", "churn-1"]);
        assert_eq!(names("complex-only"), ["complex-only-80", "complex-only-50"]);
        assert_eq!(names("mixed"), ["mixed"]);
        assert!(named("complex-onl").unwrap_err().to_string().contains("did you mean"));
    }

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

    #[test]
    fn numbers_of_workers_follow_from_the_cpus() {
        let one_to = |cpus| WorkerNumbers::OneToCpus.on(cpus);
        assert_eq!(one_to(1), [1]);
        assert_eq!(one_to(2), [1, 2]);
        assert_eq!(one_to(4), [1, 2, 3, 4]);
        assert_eq!(one_to(10), [1, 2, 3, 4, 6, 8, 10]);
        assert_eq!(one_to(32), [1, 2, 3, 4, 6, 8, 12, 16, 24, 32]);
        assert_eq!(WorkerNumbers::TimesCpus(vec![4, 1, 2]).on(2), [2, 4, 8]);
    }

    #[test]
    fn a_ladder_and_an_objective_that_contradict_the_load_are_refused_with_the_reason() {
        let text = |top: &str, stream: &str, pacing: &str| {
            format!(
                "question = ''\nplacement = 'split'\nrank = {{ stream = 's', by = 'p99' }}\n{top}\n\
                 [[stream]]\nname = 's'\noperation = 'simple'\nconnections = 1\n{stream}\npacing = {pacing}\n"
            )
        };
        let open = "{ kind = 'poisson', rate = { per_second = 5e6 } }";
        let closed = "{ kind = 'closed' }";
        let ladder = "ladder = { times = [0.5, 1.0, 2.0] }";
        let capacity = "ladder = { to_fastest_capacity = { part = 1.0, steps = 8 } }";
        let bursts = "bursts = { on = '25ms', off = '100ms' }";
        let read = |top: &str, stream: &str, pacing: &str| Scenario::parse("x", &text(top, stream, pacing));
        let whole = read(&format!("{ladder}\nobjective = 'p99<5ms'"), "", open);
        let whole = whole.unwrap();
        assert_eq!((whole.all_rounds(), whole.step_of(4), whole.objective_stream()), (12, 1, Some("s")));
        assert!(whole.has_own_step() && !read(capacity, "", open).unwrap().has_own_step());
        let refused = [
            (read(ladder, "", closed), "stream `s` is a closed loop, which has none"),
            (read("ladder = { times = [1.0, 3.0] }", "", open), "offers 15000000 requests"),
            (read("ladder = { times = [2.0, 1.0] }", "", open), "ascend"),
            (read("ladder = { up = 3 }", "", open), "unknown variant `up`"),
            (read("objective = 'p99<5ms'", "", closed), "its times say nothing"),
            (read("objective = 't p99<5ms'", "", open), "no stream is called `t`; there are s"),
            (read("objective = 't p98<5ms'", "", open), "`p98` is no percentile"),
            (read("", bursts, open), "25000000 per second within a burst"),
            (
                read("ladder = { times = [1.0, 1.5] }", "bursts = { on = '125ms', off = '125ms' }", open),
                "offers 15000000 requests",
            ),
        ];
        for (read, expected) in refused {
            let error = read.unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn an_experiment_has_one_stream_at_a_part_of_what_its_row_carries_and_nothing_else_has_that_rate() {
        let own = "pacing = { kind = 'poisson', rate = { of_own_capacity = 0.5 } }";
        let closed = "pacing = { kind = 'closed' }";
        let experiment = "[experiment]\nkind = 'reload'\nevents = 3\nevery = '1s'\n";
        let text = |experiment: &str, stream: &str| {
            format!(
                "question = ''\nplacement = 'shared'\nrank = {{ stream = 's', by = 'p99' }}\n{experiment}\
                 [[stream]]\nname = 's'\noperation = 'simple'\nconnections = 1\n{stream}\n"
            )
        };
        assert_eq!(
            Scenario::parse("x", &text(experiment, own)).map(|found| found.experiment.is_some()),
            Ok(true)
        );
        let refused = [
            (text("", own), "only an [experiment] has one"),
            (text(experiment, closed), "has one stream of simple, with a rate"),
            (text(&experiment.replace("events = 3", "events = 0"), own), "1 to 1000 events"),
            (text(&experiment.replace("reload", "earthquake"), own), "unknown variant `earthquake`"),
            (text(&experiment.replace("every = '1s'", "every = '1s'\nfoo = 1"), own), "foo"),
        ];
        for (text, expected) in refused {
            let error = Scenario::parse("x", &text).unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }
}
