//! When an answer is due and what it is: the script on a time axis. Pure: instants are arguments, in nanoseconds of the
//! monotonic clock, and everything random comes from a seed.

use std::time::Duration;

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use crate::{
    random::{exponential, uniform},
    script::{Act, Script, Service},
};

/// A late answer comes this long after the timeout at least, and at most a hundred times as long.
const LEAST_LATENESS_NS: f64 = 1e6;

/// What the server is to do with one request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) act: Act,
    /// When.
    pub(crate) due_ns: u64,
}

/// Follows a script from request to request.
#[derive(Debug)]
pub(crate) struct Timeline {
    script: Script,
    random: Xoshiro256PlusPlus,
    /// When the first request came.
    origin_ns: Option<u64>,
    /// When the virtual server is free again.
    free_ns: u64,
}

impl Timeline {
    pub(crate) fn new(script: Script, seed: u64) -> Self {
        Self { script, random: Xoshiro256PlusPlus::seed_from_u64(seed), origin_ns: None, free_ns: 0 }
    }

    /// All clients have gone: the next request is the first of another run.
    pub(crate) fn rest(&mut self) {
        self.origin_ns = None;
        self.free_ns = 0;
    }

    /// Decides about a request that was complete at `arrival_ns`. Arrivals must not decrease.
    pub(crate) fn decide(&mut self, arrival_ns: u64) -> Decision {
        let origin_ns = *self.origin_ns.get_or_insert(arrival_ns);
        let answer = |due_ns| Decision { act: Act::Answer, due_ns };
        match self.script {
            Script::Constant { delay } => answer(arrival_ns + ns(delay)),
            Script::Bimodal { usual, rare, rare_share } => {
                let is_rare = uniform(self.random.next_u64()) < rare_share;
                answer(arrival_ns + ns(if is_rare { rare } else { usual }))
            }
            Script::Stall { delay, every, stops } => {
                let due_ns = arrival_ns + ns(delay);
                let phase_ns = (due_ns - origin_ns) % ns(every);
                let held = phase_ns >= ns(every - stops);
                answer(if held { due_ns - phase_ns + ns(every) } else { due_ns })
            }
            Script::Queue { mean, service } => {
                let service_ns = match service {
                    Service::Deterministic => ns(mean),
                    Service::Exponential => {
                        (exponential(self.random.next_u64()) * ns(mean) as f64).round() as u64
                    }
                };
                self.free_ns = self.free_ns.max(arrival_ns) + service_ns;
                answer(self.free_ns)
            }
            Script::Errors { delay, timeout, each } => {
                let drawn = uniform(self.random.next_u64()) / each;
                let act = Act::FAILURES.get(drawn as usize).copied().unwrap_or(Act::Answer);
                let lateness = uniform(self.random.next_u64());
                let after_ns = match act {
                    Act::Late => ns(timeout) + (LEAST_LATENESS_NS * (1.0 + 99.0 * lateness)) as u64,
                    _ => ns(delay),
                };
                Decision { act, due_ns: arrival_ns + after_ns }
            }
        }
    }
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script::{CaseName, Length};

    const MS: u64 = 1_000_000;

    fn timeline(case: CaseName) -> Timeline {
        Timeline::new(Script::of(case, Length::Full), 1)
    }

    #[test]
    fn a_queue_serves_one_after_the_other_and_rests_in_between() {
        let mut queue = timeline(CaseName::Md1);
        let due = [0, MS, MS, 50 * MS].map(|arrival_ns| queue.decide(arrival_ns).due_ns);
        assert_eq!(due, [2 * MS, 4 * MS, 6 * MS, 52 * MS]);
    }

    #[test]
    fn exponential_service_times_have_their_mean_and_spread() {
        let mut queue = timeline(CaseName::Mm1);
        // Each comes when the last is long done, so that it does not wait.
        let n = 100_000_u64;
        let times: Vec<f64> = (0..n)
            .map(|k| k * 1_000 * MS)
            .map(|arrival_ns| (queue.decide(arrival_ns).due_ns - arrival_ns) as f64 / MS as f64)
            .collect();
        let mean = times.iter().sum::<f64>() / n as f64;
        let variance = times.iter().map(|time| (time - mean).powi(2)).sum::<f64>() / n as f64;
        // Four standard errors: mean / sqrt(n), and mean^2 sqrt(8 / n).
        assert!((mean / 2.0 - 1.0).abs() < 0.0127, "{mean} ms");
        assert!((variance / 4.0 - 1.0).abs() < 0.036, "{variance} ms^2");
    }

    #[test]
    fn a_stall_holds_what_falls_into_it_and_lets_go_of_all_at_once() {
        let mut stall = timeline(CaseName::Stall);
        let start = 123 * MS;
        let after_ms =
            |stall: &mut Timeline, ms: u64| (stall.decide(start + ms * MS).due_ns - start - ms * MS) / MS;
        let delays = [0, 8_998, 8_999, 9_500, 9_998, 9_999].map(|ms| after_ms(&mut stall, ms));
        assert_eq!(delays, [1, 1, 1_001, 500, 2, 1]);
        stall.rest();
        assert_eq!(after_ms(&mut stall, 19_500), 1, "another run has periods of its own");
    }

    #[test]
    fn seven_in_a_hundred_bimodal_answers_are_slow() {
        let mut bimodal = timeline(CaseName::Bimodal);
        let n = 100_000;
        let slow = (0..n).filter(|_| bimodal.decide(0).due_ns == 20 * MS).count();
        // Four standard deviations: sqrt(n 0.07 0.93) = 81.
        assert!(slow.abs_diff(7 * n / 100) < 325, "{slow}");
    }

    #[test]
    fn every_way_to_fail_is_drawn_equally_often_and_late_is_after_the_timeout() {
        let mut errors = timeline(CaseName::Errors);
        let n = 100_000;
        let mut drawn = std::collections::HashMap::new();
        for _ in 0..n {
            let Decision { act, due_ns } = errors.decide(0);
            *drawn.entry(act).or_insert(0_usize) += 1;
            match act {
                Act::Late => assert!((301 * MS..=400 * MS).contains(&due_ns), "{due_ns}"),
                _ => assert_eq!(due_ns, MS),
            }
        }
        for act in Act::FAILURES {
            // Four standard deviations: sqrt(n 0.07 0.93) = 81.
            assert!(drawn[&act].abs_diff(7 * n / 100) < 325, "{act:?}: {}", drawn[&act]);
        }
        assert_eq!(drawn.len(), 7);
    }

    #[test]
    fn the_same_seed_tells_the_same_story() {
        let told = |seed| {
            let mut errors = Timeline::new(Script::of(CaseName::Errors, Length::Short), seed);
            (0..50).map(|k| errors.decide(k * MS)).collect::<Vec<_>>()
        };
        assert_eq!(told(5), told(5));
        assert_ne!(told(5), told(6));
    }
}
