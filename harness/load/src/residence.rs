//! Where requests spent the window: with the server or with the generator, and whether a closed loop's connections are all
//! accounted for.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How much time the requests of a stream spent where. The integrals are over the window, from the levels alone; the
/// sums are over requests that were due in it, from the instants noted with each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Residence {
    /// How many requests it may have in flight at once: on its connections, as deep as they pipeline. In a shared pool all
    /// are the first stream's.
    pub slots: u64,
    /// The integral of the number of requests sent and not complete, in request-seconds.
    pub in_server_s: f64,
    /// The integral of the number of requests due and not sent, in request-seconds: those that waited for a connection, and
    /// those that waited for the generator.
    pub in_generator_s: f64,
    /// The sum of the service times of right answers, in seconds.
    pub service_s: f64,
    /// The sum of the generator's lateness over all that was sent, in seconds.
    pub lateness_s: f64,
}

impl Residence {
    pub(crate) fn merge(&mut self, other: &Residence) {
        self.slots += other.slots;
        self.in_server_s += other.in_server_s;
        self.in_generator_s += other.in_generator_s;
        self.service_s += other.service_s;
        self.lateness_s += other.lateness_s;
    }
}

/// The two sides of the interactive response time law, N = X (R + Z): as many connections as are asked on at a time
/// (E. D. Lazowska et al., "Quantitative System Performance", 1984, section 3.6; Z is what the generator takes from an answer
/// to the next request).
///
/// N is what was planned, X a count, R and Z come from the instants of requests. So they differ where a connection
/// stood idle that nobody accounts for, where an answer was filed under a wrong time, and where requests failed,
/// which have no part in X.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct ClosedLoop {
    /// N: how many requests may be in flight at once.
    pub slots: u64,
    /// X: right answers received per second of the window.
    pub per_second: f64,
    /// X R, summed over streams: the mean number of requests in the server, from X and the service times.
    pub in_server: f64,
    /// X Z, summed over streams: the mean number in the generator, from X and its lateness.
    pub in_generator: f64,
}

impl ClosedLoop {
    /// How far X (R + Z) is from N, relative to N; negative where it is less.
    pub fn relative_difference(&self) -> f64 {
        (self.in_server + self.in_generator) / (self.slots.max(1) as f64) - 1.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_that_stood_idle_is_missed() {
        // Four connections, one of which never came back: three answer every 2 ms, and are asked 1 ms later.
        let lost = ClosedLoop { slots: 4, per_second: 1_000.0, in_server: 2.0, in_generator: 1.0 };
        assert_eq!(lost.relative_difference(), -0.25);
        assert_eq!(ClosedLoop { slots: 3, ..lost }.relative_difference(), 0.0);
    }
}
