//! One run of the generator as the judge sees it: what the instrument says, what the server logged, and how much the
//! machine disturbed both.

use load::{ErrorKind, Errors, Outcome, StreamOutcome};
use serde::Serialize;
use stats::Histogram;

use crate::log::Log;

/// What the generator reports: the figures that are judged, and no others.
#[derive(Clone, Debug)]
pub(crate) struct Reported {
    /// How many requests it can have in flight, and over what time: what a closed loop's interval follows from.
    pub(crate) slots: u64,
    pub(crate) window_s: f64,
    pub(crate) sent: u64,
    pub(crate) ok: u64,
    pub(crate) errors: Errors,
    /// Sent, and neither answered nor timed out when the run ended.
    pub(crate) in_flight_at_end: u64,
    pub(crate) unsent_at_end: u64,
    /// Whether its own accounts agree.
    pub(crate) consistent: bool,
    pub(crate) service: Histogram,
    pub(crate) response: Histogram,
    pub(crate) queue_wait: Histogram,
    pub(crate) lag: Histogram,
    pub(crate) late: u64,
}

impl Reported {
    pub(crate) fn of(stream: &StreamOutcome) -> Self {
        Self {
            slots: stream.connections.planned,
            window_s: stream.window_s,
            sent: stream.counts.sent,
            ok: stream.counts.ok,
            errors: stream.errors,
            in_flight_at_end: stream.counts.in_flight_at_end,
            unsent_at_end: stream.counts.unsent_at_end,
            consistent: stream.accounting().is_consistent(),
            service: stream.service.clone(),
            response: stream.response.clone(),
            queue_wait: stream.queue_wait.clone(),
            lag: stream.lag.clone(),
            late: stream.counts.late,
        }
    }

    /// Sent, and never answered.
    pub(crate) fn unanswered(&self) -> u64 {
        self.errors.of(ErrorKind::Timeout) + self.in_flight_at_end
    }
}

/// How much of a run the machine took away, each as a share from 0 to 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Disturbance {
    /// Of the time of server's and generator's CPUs together, given to other machines by the hypervisor: steal time.
    pub stolen: f64,
    /// Of the window, for which the generator's thread was kept from its CPU.
    pub generator_starved: f64,
    /// Of the run, for which the server was kept from its CPU, by its own account.
    pub server_starved: f64,
    /// Of the requests, sent more than 100 us late.
    pub late: f64,
    /// The longest single disturbance that was seen, in nanoseconds.
    pub longest_ns: u64,
}

impl Disturbance {
    /// What is known of a run. `stolen` is of the two CPUs together.
    pub(crate) fn of(outcome: &Outcome, reported: &Reported, log: &Log, stolen: f64) -> Self {
        let generator_starved = outcome
            .threads
            .iter()
            .filter(|thread| thread.wall_s > 0.0)
            .map(|thread| thread.run_delay_s / thread.wall_s)
            .fold(0.0, f64::max);
        Self {
            stolen,
            generator_starved,
            server_starved: log.away_share(),
            late: reported.late as f64 / reported.sent.max(1) as f64,
            longest_ns: log.longest_away_ns().max(reported.lag.max_ns().unwrap_or(0)),
        }
    }

    /// The share of sends that was touched at most, by what the instrument has no say in: its lateness is no excuse for
    /// its lateness.
    pub(crate) fn outside_share(&self, requests: u64) -> f64 {
        with_spread(self.stolen_of_one() + self.generator_starved, requests)
    }

    /// The share of requests that was touched at most: each meets each side twice, when it is sent and when it is
    /// answered. Here lateness counts, as a second account of how often the generator was elsewhere.
    pub(crate) fn share(&self, requests: u64) -> f64 {
        let generator = self.generator_starved.max(self.late);
        with_spread(2.0 * (self.stolen_of_one() + generator + self.server_starved), requests)
    }

    /// Stolen time is known for both CPUs together; all of it may be one's.
    fn stolen_of_one(&self) -> f64 {
        2.0 * self.stolen
    }

    /// Whether something lasted long enough to change what becomes of a request.
    pub(crate) fn lasted(&self, ns: u64) -> bool {
        self.longest_ns >= ns
    }
}

/// A share of the time is a share of the requests only on average: three standard deviations more.
fn with_spread(share: f64, requests: u64) -> f64 {
    share + 3.0 * (share / requests.max(1) as f64).sqrt()
}

/// Both sides of one run.
#[derive(Clone, Debug)]
pub(crate) struct Observed {
    pub(crate) log: Log,
    pub(crate) reported: Reported,
    pub(crate) disturbance: Disturbance,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_undisturbed_run_excuses_nothing() {
        assert_eq!(Disturbance::default().share(1_000), 0.0);
        assert_eq!(Disturbance::default().outside_share(1_000), 0.0);
        assert!(!Disturbance::default().lasted(1));
    }

    #[test]
    fn lateness_is_no_excuse_for_lateness() {
        let late = Disturbance { late: 0.5, ..Disturbance::default() };
        assert_eq!(late.outside_share(1_000), 0.0);
        assert!(late.share(1_000) > 1.0);
    }
}
