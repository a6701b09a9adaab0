//! What a host has room for: connections by its descriptors and ports, rates by its generator. What it has no room for would be
//! found in the middle of a run, as errors of every row alike.

use std::{fs, ops::RangeInclusive};

use crate::plan::{
    cpu_plan::CpuPlan,
    scenario::{Rate, Scenario, Stream},
};
use rustix::process::{Resource, getrlimit};

/// What a host has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostLimits {
    /// Files that a process may have open.
    pub open_files: u64,
    /// Ports that connections come from.
    pub ports: RangeInclusive<u16>,
}

/// A scenario that a host has no room for.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum NoRoom {
    /// Each connection is an open file.
    #[error(
        "{scenario}: {connections} connections need as many open files, and a process may have {open_files} here, of which \
         {RESERVED} are kept for everything else; raise the limit (ulimit -n), or open fewer"
    )]
    OpenFiles {
        /// The scenario.
        scenario: String,
        /// At the same time.
        connections: u64,
        /// How many there may be.
        open_files: u64,
    },
    /// Each connection to one server has a port of its own, and a closed one keeps it for a minute.
    #[error(
        "{scenario}: {connections} connections in {seconds:.2} s need as many ports, and there are {available} here \
         (net.ipv4.ip_local_port_range); widen the range, open fewer, or have more requests on each"
    )]
    Ports {
        /// The scenario.
        scenario: String,
        /// Those that stay, and those that are opened anew in a window and its warm-up.
        connections: u64,
        /// The window with its warm-up.
        seconds: f64,
        /// How many there are.
        available: u64,
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
/// For logs, listeners, pipes and libraries, of harness and servers alike.
const RESERVED: u64 = 64;

impl HostLimits {
    /// Those of this process and host. A range of ports that cannot be read is taken for the kernel's own.
    pub fn of_this_host() -> Self {
        let text = fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").unwrap_or_default();
        let mut ends = text.split_whitespace().filter_map(|end| end.parse().ok());
        let ports = match (ends.next(), ends.next()) {
            (Some(first), Some(last)) => first..=last,
            _ => 32_768..=60_999,
        };
        Self { open_files: getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX), ports }
    }

    /// Whether there is room for `scenario` with the generator of `cpus`.
    ///
    /// # Errors
    /// See [`NoRoom`].
    pub fn check(&self, scenario: &Scenario, cpus: &CpuPlan) -> Result<(), NoRoom> {
        let name = || scenario.name.clone();
        let connections: u64 = scenario.streams.iter().map(|stream| stream.connections as u64).sum();
        if connections.saturating_add(RESERVED) > self.open_files {
            return Err(NoRoom::OpenFiles { scenario: name(), connections, open_files: self.open_files });
        }
        let highest = scenario.ladder.as_ref().map_or(1.0, |ladder| ladder.highest());
        let rate_of = |stream: &Stream| match stream.pacing.rate() {
            Some(Rate::PerSecond(rate)) => rate * highest,
            _ => 0.0,
        };
        let seconds = scenario.stretch().as_secs_f64();
        let reopened = |stream: &Stream| match stream.requests_per_connection {
            Some(each) => (rate_of(stream) * seconds / f64::from(each.max(1))) as u64,
            None => 0,
        };
        let connections = connections + scenario.streams.iter().map(reopened).sum::<u64>();
        let available = u64::from(self.ports.end().saturating_sub(*self.ports.start())) + 1;
        if connections > available {
            return Err(NoRoom::Ports { scenario: name(), connections, seconds, available });
        }
        let (rate, threads) = (scenario.streams.iter().map(rate_of).sum::<f64>(), cpus.generator.len());
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
        plan::scenario::{Pacing, Placement},
    };

    fn refusal(change: impl FnOnce(&mut Scenario)) -> Option<String> {
        let mut scenario = fixtures::scenario("own");
        scenario.streams[0].pacing = Pacing::Poisson { rate: Rate::PerSecond(1_000.0) };
        change(&mut scenario);
        let limits = HostLimits { open_files: 1_024, ports: 1_000..=1_999 };
        let cpus = CpuPlan {
            placement: Placement::Shared,
            server: "0-1".parse().unwrap(),
            generator: "0".parse().unwrap(),
        };
        limits.check(&scenario, &cpus).err().map(|error| error.to_string())
    }

    #[test]
    fn what_a_host_has_no_room_for_is_refused_and_what_it_has_is_not() {
        assert_eq!(refusal(|_| {}), None);
        assert_eq!(refusal(|scenario| scenario.streams[0].connections = 960), None);
        let files = refusal(|scenario| scenario.streams[0].connections = 961).unwrap();
        assert!(
            files.contains("961 connections need as many open files") && files.contains("1024"),
            "{files}"
        );
        // 4,000/s for 0.3 s, one request each, beside 64.
        let churn = |each| {
            move |scenario: &mut Scenario| {
                scenario.streams[0].pacing = Pacing::Poisson { rate: Rate::PerSecond(4_000.0) };
                scenario.streams[0].requests_per_connection = Some(each);
            }
        };
        let ports = refusal(churn(1)).unwrap();
        assert!(
            ports.contains("1264 connections in 0.30 s") && ports.contains("there are 1000 here"),
            "{ports}"
        );
        assert_eq!(refusal(churn(10)), None);
        let fast = |rate| {
            move |scenario: &mut Scenario| {
                scenario.streams[0].pacing = Pacing::Poisson { rate: Rate::PerSecond(rate) };
            }
        };
        assert_eq!(refusal(fast(250_000.0)), None);
        let rate = refusal(fast(250_001.0)).unwrap();
        assert!(rate.contains("250001 requests a second") && rate.contains("on 1 CPU sends"), "{rate}");
    }

    #[test]
    fn this_host_has_room_for_something() {
        let limits = HostLimits::of_this_host();
        assert!(limits.open_files > RESERVED && !limits.ports.is_empty(), "{limits:?}");
    }
}
