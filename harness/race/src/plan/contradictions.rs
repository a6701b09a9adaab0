//! What a scenario cannot be: what its file says is read, and held against itself.

use std::time::Duration;

use crate::{
    plan::{
        objective::Objective,
        scenario::{Metric, Pacing, Rate, Scenario, Stream},
        stream::{LONGEST, MOST_CONNECTIONS, RATES, SHORTEST},
        worker_numbers::WorkerNumbers,
    },
    registry::OperationName,
};

/// More rounds of one start say next to nothing more: its connections, memory and CPUs stay what they were.
const MOST_ROUNDS: usize = 1_000;

/// As many as a CPU mask holds.
const MOST_CPUS: usize = 1024;

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
        self.workers.as_ref().map_or(Ok(()), WorkerNumbers::check)?;
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
}

#[cfg(test)]
mod tests {
    use super::*;

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
