//! Whether this host has the descriptors and the local ports that a scenario's connections take. Asked before anything is measured: a
//! server would be blamed for what its clients lack.

use rustix::process::{Resource, getrlimit};

use crate::{measure::ports, plan::scenario::Scenario};

/// Descriptors of this process beside the connections: standard streams, the log, pollers, and the servers' pipes.
const BESIDE_CONNECTIONS: u64 = 512;

/// More connections than this host can open.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OutOfReach {
    /// More than there may be open files.
    #[error(
        "{scenario} has {connections} connections open at once, which takes {needed} descriptors, and {allowed} are allowed: raise the hard \
         limit (`ulimit -Hn {needed}` as root)"
    )]
    Descriptors {
        /// The scenario.
        scenario: String,
        /// Its connections.
        connections: u64,
        /// What they take.
        needed: u64,
        /// The limit in force.
        allowed: u64,
    },
    /// More than there are ports to connect from.
    #[error(
        "{scenario} has {connections} connections open at once to one address, and there are {range} local ports: widen \
         net.ipv4.ip_local_port_range"
    )]
    Ports {
        /// The scenario.
        scenario: String,
        /// Its connections.
        connections: u64,
        /// The ports that there are.
        range: u64,
    },
}

/// Whether `scenario` is within what this process may open.
///
/// # Errors
/// It has more connections than there may be descriptors, or are ports.
pub fn check(scenario: &Scenario) -> Result<(), OutOfReach> {
    within(scenario, getrlimit(Resource::Nofile).current, ports::range())
}

fn within(scenario: &Scenario, allowed: Option<u64>, range: Option<u64>) -> Result<(), OutOfReach> {
    let connections = scenario.open_connections() as u64;
    let (needed, name) = (connections + BESIDE_CONNECTIONS, || scenario.name.clone());
    if let Some(allowed) = allowed.filter(|allowed| *allowed < needed) {
        return Err(OutOfReach::Descriptors { scenario: name(), connections, needed, allowed });
    }
    match range.filter(|range| *range < connections) {
        Some(range) => Err(OutOfReach::Ports { scenario: name(), connections, range }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixtures::run::scenario;

    #[test]
    fn more_connections_than_descriptors_or_ports_are_refused_with_what_to_raise() {
        let many = scenario("many-connections", 1);
        assert_eq!(within(&many, Some(20_000), Some(28_232)), Ok(()));
        assert_eq!(within(&many, None, None), Ok(()));
        let few_files = within(&many, Some(1_024), None).unwrap_err().to_string();
        assert!(few_files.contains("takes 10512 descriptors, and 1024 are allowed"), "{few_files}");
        let few_ports = within(&many, None, Some(9_999)).unwrap_err().to_string();
        assert!(few_ports.contains("there are 9999 local ports: widen net.ipv4"), "{few_ports}");
    }
}
