//! A scenario of a load that a person says in one line, and what is wanted of it.
//!
//! It is offered as it was said, and at a few parts and multiples of it: how much room a row has is how much more of the same load it could
//! take. Written into a file of scenarios ([`to_toml`]) it is the same scenario, which makes the same run.

use std::time::Duration;

use crate::{
    plan::{
        ladder::Ladder,
        load_line::{LoadLine, Part, written},
        objective::Objective,
        scenario::{Metric, Pacing, Placement, RankBy, Rate, Scenario, Stream},
        stream::Bursts,
    },
    registry::OperationName,
};

/// How the scenario is called.
pub const NAME: &str = "own-load";

/// A load with all that may be said of it.
#[derive(Clone, Debug, PartialEq)]
pub struct OwnLoad {
    /// The load.
    pub line: LoadLine,
    /// What is wanted of it.
    pub objective: Option<Objective>,
    /// Connections in all, which its parts have in equal shares; [`EACH`] a part where nothing is said.
    pub connections: Option<usize>,
    /// Requests a connection.
    pub requests_per_connection: Option<u32>,
    /// When its requests come, where not all the time; its rates are those of all the time.
    pub bursts: Option<Bursts>,
}

/// Connections of a part where nothing is said: as many as the shipped scenarios have of expensive requests.
pub const EACH: usize = 64;
/// Parts and multiples of the load. As it was said it has half of all windows, since that is what was asked; four rows, six
/// starts and these are two minutes of measuring (METHODOLOGY.md, "A curve, and a load of one's own").
const TIMES: [f64; 6] = [0.5, 1.0, 1.0, 1.0, 1.4, 2.0];
/// Six of these windows a start; longer ones where a request takes half of one or more.
const WINDOW: Duration = Duration::from_millis(500);
/// At least; see [`OwnLoad::settling`].
const WARM_UP: Duration = Duration::from_millis(200);
/// At least; longer where a request takes a third of it or more.
const TIMEOUT: Duration = Duration::from_secs(5);
/// From so many CPUs on, the generator has its own: with fewer, a server would have one and no two workers.
const CPUS_TO_SPLIT: usize = 4;

/// A load that cannot be offered.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OwnLoadError {
    /// Fewer connections than parts.
    #[error("--connections {connections}: each of the {parts} parts of the load needs one at least")]
    Connections {
        /// In all.
        connections: usize,
        /// Parts.
        parts: usize,
    },
    /// The scenario that comes of it is none.
    #[error("{0}")]
    Scenario(String),
}

impl OwnLoad {
    /// The scenario, on a host of which `cpus` may be used.
    ///
    /// # Errors
    /// See [`OwnLoadError`].
    pub fn scenario(&self, cpus: usize) -> Result<Scenario, OwnLoadError> {
        let parts = self.line.parts.len();
        let connections = self.connections.unwrap_or(EACH * parts);
        if connections < parts {
            return Err(OwnLoadError::Connections { connections, parts });
        }
        let streams: Vec<Stream> = self
            .line
            .parts
            .iter()
            .enumerate()
            .map(|(at, part)| self.stream(part, connections / parts + usize::from(at < connections % parts)))
            .collect();
        // One that is none of its streams is refused as the objective's, below.
        let is_stream = |name: &String| streams.iter().any(|stream| stream.name == *name);
        let ranked = self.objective.as_ref().and_then(|objective| objective.stream.clone()).filter(is_stream);
        let stream = ranked.or_else(|| Some(streams.first()?.name.clone())).unwrap_or_default();
        let by = match self.objective.as_ref().map(|objective| objective.q) {
            Some(q) if q < 0.99 => Metric::P95,
            _ => Metric::P99,
        };
        let longest = streams.iter().filter_map(|stream| stream.service_time).max().unwrap_or_default();
        let hold = match &self.objective {
            Some(objective) => format!("hold {objective} under"),
            None => "answer soonest under".to_owned(),
        };
        let scenario = Scenario {
            name: NAME.to_owned(),
            question: format!(
                "Which rows {hold} {}, and how much more of it could each take?",
                self.line.text
            ),
            best: Some("Fastest under this load".to_owned()),
            expected: None,
            on_request: true,
            experiment: None,
            workers: None,
            worker_counts: Vec::new(),
            placement: if cpus < CPUS_TO_SPLIT { Placement::Shared } else { Placement::Split },
            server_cpus: None,
            min_server_cpus: 2,
            warm_up: self.whole_bursts(WARM_UP.max(settling(&streams, cpus))),
            window: self.whole_bursts(WINDOW.max(longest.saturating_mul(2))),
            rounds: 1,
            timeout: TIMEOUT.max(longest.saturating_mul(3)),
            ladder: Some(Ladder::Times(TIMES.to_vec())),
            objective: self.objective.clone(),
            rank: RankBy { stream, by },
            streams,
        };
        scenario.check().map_err(OwnLoadError::Scenario)?;
        Ok(scenario)
    }

    fn stream(&self, part: &Part, connections: usize) -> Stream {
        let is_other = |other: &&Part| other.operation == part.operation;
        let name = match (self.line.parts.iter().filter(is_other).count(), part.service_time) {
            (2.., Some(time)) => format!("{}-{time:?}", written(part.operation)).replace('µ', "u"),
            _ => written(part.operation),
        };
        let pacing = Pacing::Poisson { rate: Rate::PerSecond(part.per_second) };
        Stream {
            service_time: part.service_time,
            requests_per_connection: self.requests_per_connection,
            bursts: self.bursts,
            ..Stream::plain(&name, part.operation, connections, pacing)
        }
    }

    /// `time`, or as much more as whole bursts with their pauses take, so that all windows have the same load.
    fn whole_bursts(&self, time: Duration) -> Duration {
        let period = self.bursts.map_or(Duration::ZERO, Bursts::period);
        match time.as_nanos().checked_div(period.as_nanos()) {
            Some(whole) if period * whole as u32 == time => time,
            Some(whole) => period.saturating_mul(whole as u32 + 1),
            None => time,
        }
    }
}

/// How long it takes until as many requests are under way as will be, and until those are done that an overloaded step left in the server's
/// sockets: one on each connection. What waits, waits beside all others; what computes has `cpus` at most, and half of them
/// where the generator has its own.
fn settling(streams: &[Stream], cpus: usize) -> Duration {
    let servers = if cpus < CPUS_TO_SPLIT { cpus } else { cpus / 2 }.max(1) as u32;
    let of = |stream: &Stream| {
        let time = stream.service_time.unwrap_or_default();
        match stream.operation {
            // A little more, so that those are answered that were due first.
            OperationName::Delay => time.saturating_mul(4) / 3,
            _ => time.saturating_mul(stream.connections as u32) / servers,
        }
    };
    streams.iter().map(of).fold(Duration::ZERO, Duration::saturating_add)
}

/// A scenario as a file of scenarios has it. Its name is that of the file.
///
/// # Errors
/// It has a number that TOML has no room for.
pub fn to_toml(scenario: &Scenario) -> Result<String, toml::ser::Error> {
    toml::to_string(&Scenario { name: String::new(), ..scenario.clone() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(line: &str) -> OwnLoad {
        OwnLoad {
            line: line.parse().unwrap(),
            objective: Some("simple p99<5ms".parse().unwrap()),
            connections: None,
            requests_per_connection: None,
            bursts: None,
        }
    }

    #[test]
    fn a_load_written_as_toml_reads_back_as_the_very_scenario() {
        let bursts = Some(Bursts { on: Duration::from_millis(100), off: Duration::from_millis(150) });
        let full = OwnLoad {
            connections: Some(9),
            requests_per_connection: Some(10),
            bursts,
            ..own("simple=900/s, complex(5ms)=240.5/s, complex(50us)=1/s")
        };
        for (load, cpus) in [(own("simple=900/s"), 2), (full, 8)] {
            let scenario = load.scenario(cpus).unwrap();
            let text = to_toml(&scenario).unwrap();
            assert!(!text.contains("name = \"own-load\""), "{text}");
            assert_eq!(Scenario::parse(NAME, &text), Ok(scenario), "{text}");
        }
    }

    #[test]
    fn parts_have_names_of_their_own_and_equal_shares_of_the_connections() {
        let load = OwnLoad { connections: Some(8), ..own("simple=9/s, complex(5ms)=2/s, complex(50us)=1/s") };
        let scenario = load.scenario(2).unwrap();
        let streams: Vec<_> =
            scenario.streams.iter().map(|stream| (stream.name.as_str(), stream.connections)).collect();
        assert_eq!(streams, [("simple", 3), ("complex-5ms", 3), ("complex-50us", 2)]);
        assert_eq!((scenario.rank.stream.as_str(), scenario.rank.by), ("simple", Metric::P99));
    }

    #[test]
    fn what_takes_long_is_waited_for_before_a_window_and_within_it() {
        let stretch = |line: &str, cpus: usize| {
            let scenario = own(line).scenario(cpus).unwrap();
            [scenario.warm_up, scenario.window, scenario.timeout].map(|time| time.as_millis())
        };
        assert_eq!(stretch("simple=900/s, complex(5ms)=240/s", 2), [200, 500, 5_000]);
        // As many wait after 400 ms as ever will.
        assert_eq!(stretch("simple=9/s, delay(300ms)=100/s", 2), [400, 600, 5_000]);
        assert_eq!(stretch("simple=9/s, delay(6s)=1/s", 2), [8_000, 12_000, 18_000]);
        // 64 connections, each with a request that was left behind, on two CPUs and on four of eight.
        assert_eq!(stretch("simple=9/s, complex(50ms)=10/s", 2), [1_600, 500, 5_000]);
        assert_eq!(stretch("simple=9/s, complex(50ms)=10/s", 8), [800, 500, 5_000]);
    }

    #[test]
    fn windows_are_as_long_as_whole_bursts_take() {
        let stretch = |on, off| {
            let bursts = Some(Bursts { on: Duration::from_millis(on), off: Duration::from_millis(off) });
            let scenario = OwnLoad { bursts, ..own("simple=9/s") }.scenario(2).unwrap();
            (scenario.warm_up.as_millis(), scenario.window.as_millis())
        };
        assert_eq!(stretch(100, 150), (250, 500));
        assert_eq!(stretch(100, 50), (300, 600));
        assert_eq!(stretch(1_000, 1_000), (2_000, 2_000));
    }

    #[test]
    fn what_cannot_be_offered_is_refused_with_the_reason() {
        let few = OwnLoad { connections: Some(1), ..own("simple=9/s, complex(5ms)=2/s") };
        assert!(few.scenario(2).unwrap_err().to_string().contains("each of the 2 parts"));
        let elsewhere = OwnLoad { objective: "complex p99<5ms".parse().ok(), ..own("simple=9/s") };
        let said = elsewhere.scenario(2).unwrap_err().to_string();
        assert!(said.contains("no stream is called `complex`; there are simple"), "{said}");
        let twice_too_fast = own("simple=9e6/s").scenario(2).unwrap_err().to_string();
        assert!(twice_too_fast.contains("18000000"), "{twice_too_fast}");
    }
}
