//! The cases: which loads meet which script, for how long, and how each is judged.

use std::time::Duration;

use load::Pacing;

use crate::{
    queue::Queue,
    script::{CaseName, Length, QUEUE_LOAD, Script},
};

/// One case at one length.
#[derive(Clone, Debug)]
pub(crate) struct Case {
    pub(crate) name: CaseName,
    pub(crate) length: Length,
    pub(crate) script: Script,
    /// Against one server, one after the other.
    pub(crate) runs: Vec<RunSpec>,
}

/// One load.
#[derive(Clone, Debug)]
pub(crate) struct RunSpec {
    /// What the checks of this run begin with; empty where there is but one.
    pub(crate) label: &'static str,
    pub(crate) pacing: Pacing,
    pub(crate) connections: u32,
    pub(crate) window: Duration,
    pub(crate) timeout: Duration,
}

/// Far beyond every delay that is scripted, except where timeouts are the point.
const TIMEOUT: Duration = Duration::from_secs(5);

/// For M/M/1 at load 0.7 there are 128 requests in the system once in 10^20 arrivals; and the longest queue of the
/// others is 20 ms at 500 requests/s.
const ENOUGH_CONNECTIONS: u32 = 128;

impl Case {
    pub(crate) fn new(name: CaseName, length: Length) -> Self {
        let script = Script::of(name, length);
        let pick = |full: u64, short: u64| {
            Duration::from_millis(match length {
                Length::Full => full,
                Length::Short => short,
            })
        };
        let open = |pacing, window| RunSpec {
            label: "",
            pacing,
            connections: ENOUGH_CONNECTIONS,
            window,
            timeout: TIMEOUT,
        };
        let runs = match script {
            Script::Constant { .. } => vec![open(constant(1_000.0), pick(15_000, 1_500))],
            Script::Bimodal { .. } => vec![open(poisson(1_000.0), pick(15_000, 1_500))],
            // Whole periods, so that the share of the time that is stalled is exactly a tenth.
            Script::Stall { .. } => vec![
                RunSpec {
                    label: "open loop: ",
                    // The 400 requests of a second's stall, and some.
                    connections: 512,
                    ..open(constant(STALL_RATE), pick(30_000, 2_000))
                },
                RunSpec {
                    label: "closed loop: ",
                    connections: 8,
                    ..open(Pacing::Closed, pick(20_000, 1_000))
                },
            ],
            Script::Queue { mean, .. } => {
                vec![open(poisson(QUEUE_LOAD / mean.as_secs_f64()), pick(30_000, 2_000))]
            }
            Script::Errors { timeout, .. } => {
                vec![RunSpec { timeout, ..open(poisson(300.0), pick(10_000, 1_500)) }]
            }
        };
        Self { name, length, script, runs }
    }

    /// How long it takes: windows, drains, and the start and end of processes.
    pub(crate) fn duration(&self) -> Duration {
        const AROUND: Duration = Duration::from_millis(300);
        let drains = match self.script {
            Script::Errors { timeout, .. } => timeout,
            _ => Duration::ZERO,
        };
        self.runs.iter().map(|run| run.window).sum::<Duration>() + drains + AROUND
    }

    /// The queue that the script is, in seconds.
    pub(crate) fn queue(&self) -> Option<Queue> {
        let Script::Queue { mean, service } = self.script else { return None };
        let mean_service = mean.as_secs_f64();
        Some(Queue { arrival_rate: QUEUE_LOAD / mean_service, mean_service, service })
    }
}

/// Requests per second of the open loop against the stalling server.
pub(crate) const STALL_RATE: f64 = 400.0;

fn constant(per_second: f64) -> Pacing {
    Pacing::Constant { per_second: per_second.into() }
}

fn poisson(per_second: f64) -> Pacing {
    Pacing::Poisson { per_second: per_second.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn total(length: Length) -> Duration {
        CaseName::ALL.into_iter().map(|name| Case::new(name, length).duration()).sum()
    }

    #[test]
    fn all_cases_fit_their_time_and_leave_some_for_repeating() {
        assert!(total(Length::Full) < Duration::from_secs(160), "{:?}", total(Length::Full));
        assert!(total(Length::Short) < Duration::from_secs(14), "{:?}", total(Length::Short));
    }

    #[test]
    fn a_stall_is_met_in_whole_periods() {
        for length in [Length::Full, Length::Short] {
            let case = Case::new(CaseName::Stall, length);
            let Script::Stall { every, .. } = case.script else { panic!("another script") };
            for run in &case.runs {
                assert_eq!(run.window.as_nanos() % every.as_nanos(), 0, "{}", run.label);
            }
        }
    }
}
