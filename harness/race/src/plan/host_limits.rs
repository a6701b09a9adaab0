//! What a host has room for: connections by its descriptors and ports, rates by its generator. What it has no room for would be
//! found in the middle of a run, as errors of every row alike.

use std::time::Duration;

use crate::{
    measure::ports,
    plan::{
        cpu_plan::CpuPlan,
        scenario::{Rate, Scenario, Stream},
    },
};
use rustix::process::{Resource, getrlimit};

/// What a host has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLimits {
    /// Files that a process may have open; none where that is not limited.
    pub open_files: Option<u64>,
    /// Ports that connections come from; none where the system does not tell.
    pub ports: Option<u64>,
    /// How long a closed connection keeps its port.
    pub ports_kept: Duration,
}

/// A scenario that a host has no room for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoRoom {
    /// Each connection is an open file.
    #[error(
        "{scenario} has {connections} connections open at once, which takes {needed} descriptors, and {allowed} are allowed: raise the hard \
         limit (`ulimit -Hn {needed}` as root), or open fewer"
    )]
    Descriptors {
        /// The scenario.
        scenario: String,
        /// At the same time.
        connections: u64,
        /// What they take.
        needed: u64,
        /// The limit in force.
        allowed: u64,
    },
    /// Each connection to one server has a port of its own, and a closed one keeps it for a while.
    #[error(
        "{scenario} has {connections} connections to one address within {seconds:.2} s, and there are {range} local ports: widen \
         net.ipv4.ip_local_port_range, open fewer, or have more requests on each"
    )]
    Ports {
        /// The scenario.
        scenario: String,
        /// Those that stay open, and those that are opened anew.
        connections: u64,
        /// For how long they are counted: a window with its warm-up, or until ports are free again.
        seconds: f64,
        /// The ports that there are.
        range: u64,
    },
    /// More than any generator sends.
    #[error(
        "{scenario}: {rate:.0} requests a second, and a generator on {threads} CPU{} sends {MOST_OF_A_THREAD:.0} on each at most; offer less, or \
         give it more CPUs",
        if *threads == 1 { "" } else { "s" }
    )]
    Rate {
        /// The scenario.
        scenario: String,
        /// At its highest, of all streams.
        rate: f64,
        /// Threads of the generator.
        threads: usize,
    },
}

/// Twice what the fastest generators are known to send from one CPU (116,000 to 122,000 a second: zrk and gcannon, on io_uring, in closed
/// loops). What lies below and is too much all the same shows as lateness, and is printed.
const MOST_OF_A_THREAD: f64 = 250_000.0;
/// Descriptors of this process beside the connections: standard streams, the log, pollers, and the servers' pipes.
const BESIDE_CONNECTIONS: u64 = 512;

impl HostLimits {
    /// Those of this process and host.
    pub fn of_this_host() -> Self {
        Self {
            open_files: getrlimit(Resource::Nofile).current,
            ports: ports::range(),
            ports_kept: ports::kept(),
        }
    }

    /// Whether there is room for `scenario` with the generator of `cpus`.
    ///
    /// # Errors
    /// See [`NoRoom`].
    pub fn check(&self, scenario: &Scenario, cpus: &CpuPlan) -> Result<(), NoRoom> {
        let name = || scenario.name.clone();
        let connections = scenario.open_connections() as u64;
        let needed = connections + BESIDE_CONNECTIONS;
        if let Some(allowed) = self.open_files.filter(|allowed| *allowed < needed) {
            return Err(NoRoom::Descriptors { scenario: name(), connections, needed, allowed });
        }
        // What is derived from a calibration is not known yet.
        let highest = scenario.ladder.as_ref().map_or(1.0, |ladder| ladder.highest());
        let mean = |stream: &Stream| match stream.pacing.rate() {
            Some(Rate::PerSecond(rate)) => rate * highest,
            _ => 0.0,
        };
        let seconds = scenario.stretch().min(self.ports_kept).as_secs_f64();
        let reopened = |stream: &Stream| match stream.requests_per_connection {
            Some(each) => (mean(stream) * seconds / f64::from(each.max(1))) as u64,
            None => 0,
        };
        let connections = connections + scenario.streams.iter().map(reopened).sum::<u64>();
        if let Some(range) = self.ports.filter(|range| *range < connections) {
            return Err(NoRoom::Ports { scenario: name(), connections, seconds, range });
        }
        let peak = |stream: &Stream| stream.peak(mean(stream));
        let (rate, threads) = (scenario.streams.iter().map(peak).sum::<f64>(), cpus.generator.len());
        if rate > MOST_OF_A_THREAD * threads as f64 {
            return Err(NoRoom::Rate { scenario: name(), rate, threads });
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        fixtures,
        plan::{
            scenario::{Pacing, Placement},
            stream::Bursts,
        },
    };

    fn refused(change: impl FnOnce(&mut Scenario)) -> Option<String> {
        let mut scenario = fixtures::scenario("own");
        scenario.streams[0].pacing = Pacing::Poisson { rate: Rate::PerSecond(1_000.0) };
        change(&mut scenario);
        let kept = Duration::from_secs(1);
        let limits = HostLimits { open_files: Some(1_024), ports: Some(1_000), ports_kept: kept };
        let cpus = CpuPlan {
            placement: Placement::Shared,
            server: "0-1".parse().unwrap(),
            generator: "0".parse().unwrap(),
        };
        limits.check(&scenario, &cpus).err().map(|error| error.to_string())
    }

    #[test]
    fn more_connections_than_descriptors_or_ports_are_refused_with_what_to_raise() {
        assert_eq!(refused(|_| {}), None);
        assert_eq!(refused(|scenario| scenario.streams[0].connections = 512), None);
        let files = refused(|scenario| scenario.streams[0].idle_connections = 449).unwrap();
        assert!(
            files
                .contains("513 connections open at once, which takes 1025 descriptors, and 1024 are allowed"),
            "{files}"
        );
        // 4,000/s, one request each, beside 64: for 0.3 s, and of any longer stretch for the second after which ports are free again.
        let churn = |each, window_ms| {
            move |scenario: &mut Scenario| {
                scenario.streams[0].pacing = Pacing::Poisson { rate: Rate::PerSecond(4_000.0) };
                scenario.streams[0].requests_per_connection = Some(each);
                scenario.window = Duration::from_millis(window_ms);
            }
        };
        let ports = refused(churn(1, 250)).unwrap();
        assert!(
            ports.contains("1264 connections to one address within 0.30 s, and there are 1000 local ports"),
            "{ports}"
        );
        assert_eq!(refused(churn(10, 250)), None);
        let long = refused(churn(1, 9_000)).unwrap();
        assert!(long.contains("4064 connections to one address within 1.00 s"), "{long}");
    }

    #[test]
    fn a_rate_that_no_generator_sends_is_refused_even_within_bursts_alone() {
        let fast = |rate, bursts| {
            move |scenario: &mut Scenario| {
                scenario.streams[0].pacing = Pacing::Poisson { rate: Rate::PerSecond(rate) };
                scenario.streams[0].bursts = bursts;
            }
        };
        assert_eq!(refused(fast(250_000.0, None)), None);
        let rate = refused(fast(250_001.0, None)).unwrap();
        assert!(rate.contains("250001 requests a second") && rate.contains("on 1 CPU sends"), "{rate}");
        let bursts = Bursts { on: Duration::from_millis(50), off: Duration::from_millis(75) };
        let burst = refused(fast(200_000.0, Some(bursts))).unwrap();
        assert!(burst.contains("500000 requests a second"), "{burst}");
    }

    #[test]
    fn this_host_has_room_for_something() {
        let limits = HostLimits::of_this_host();
        assert!(limits.open_files != Some(0) && limits.ports != Some(0), "{limits:?}");
        assert!(limits.ports_kept >= Duration::from_secs(1));
    }
}
