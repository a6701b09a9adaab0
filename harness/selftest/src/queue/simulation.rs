//! What chance may do to one run of a queue: the same run, simulated many times.

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;

use super::model::Queue;
use crate::{
    log::{PERCENTILES, quantile},
    random::exponential,
    script::Service,
};

/// With one measured run beside them, the 4,000 runs have an equal chance of each rank: a measured percentile among the
/// three lowest of them or the three highest has a probability of exactly 2 * 4 / 4,000 = 0.2%, which is 1% over five
/// percentiles (Bonferroni). See [`EXTREMES`].
const REPLICAS: usize = 3_999;

/// The rank, from either end, of the replica that bounds the interval. With level 1% over the percentiles of a case and
/// two ends, `0.01 / 5 / 2 * 4,000`.
const EXTREMES: usize = (REPLICAS + 1) / (100 * PERCENTILES.len() * 2);

/// Between which values each percentile of a run lies, with a probability of 99% for all of them together.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Intervals([(f64, f64); PERCENTILES.len()]);

impl Intervals {
    /// Simulates runs of `window`, which begin with an empty queue as the measured run does.
    pub(crate) fn simulate(queue: &Queue, window: f64, seed: u64) -> Self {
        let mut random = Xoshiro256PlusPlus::seed_from_u64(seed);
        let mut replicas: Vec<_> =
            (0..REPLICAS).map(|_| percentiles(&run(queue, window, &mut random))).collect();
        Self(std::array::from_fn(|index| {
            replicas.sort_unstable_by(|a, b| a[index].total_cmp(&b[index]));
            (replicas[EXTREMES - 1][index], replicas[REPLICAS - EXTREMES][index])
        }))
    }

    /// The interval of percentile number `index` of [`PERCENTILES`].
    pub(crate) fn of(&self, index: usize) -> (f64, f64) {
        self.0[index]
    }
}

/// The sojourn times of all requests that arrive within `window`, ascending, in billionths of the unit of time.
///
/// Lindley's recursion: a request begins when it has arrived and the one before it has ended.
fn run(queue: &Queue, window: f64, random: &mut Xoshiro256PlusPlus) -> Vec<u64> {
    let expected = (queue.arrival_rate * window) as usize;
    let mut sojourns = Vec::with_capacity(expected + expected / 10 + 10);
    let (mut arrival, mut free) = (0.0_f64, 0.0_f64);
    loop {
        arrival += exponential(random.next_u64()) / queue.arrival_rate;
        if arrival >= window {
            break;
        }
        let service = match queue.service {
            Service::Deterministic => queue.mean_service,
            Service::Exponential => exponential(random.next_u64()) * queue.mean_service,
        };
        free = free.max(arrival) + service;
        sojourns.push(((free - arrival) * 1e9) as u64);
    }
    sojourns.sort_unstable();
    sojourns
}

fn percentiles(ascending: &[u64]) -> [f64; PERCENTILES.len()] {
    PERCENTILES.map(|q| quantile(ascending, q).map_or(0.0, |value| value as f64 / 1e9))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::closed_form::sojourn_quantile;

    const LOAD: f64 = 0.7;

    fn queue(service: Service) -> Queue {
        Queue { arrival_rate: LOAD, mean_service: 1.0, service }
    }

    #[test]
    fn long_simulations_converge_to_the_closed_forms() {
        for service in [Service::Exponential, Service::Deterministic] {
            let queue = queue(service);
            let mut random = Xoshiro256PlusPlus::seed_from_u64(3);
            let sojourns = run(&queue, 4e6, &mut random);
            for (q, simulated) in PERCENTILES.into_iter().zip(percentiles(&sojourns)) {
                let expected = sojourn_quantile(&queue, q);
                let error = simulated / expected - 1.0;
                // Some 2.8 million requests, correlated over some 10 of them: 1% at the median is 8 standard errors, and
                // 4% at p99.9, which rests on 2,800 requests in some 300 busy periods.
                let allowed = if q > 0.99 { 0.04 } else { 0.01 };
                assert!(error.abs() < allowed, "{service:?} p{q}: {simulated} instead of {expected}");
            }
        }
    }

    #[test]
    fn a_run_of_the_same_law_falls_outside_as_rarely_as_it_is_said_to() {
        let queue = queue(Service::Exponential);
        let window = 300.0;
        let intervals = Intervals::simulate(&queue, window, 1);
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        let runs = 2_000;
        let outside = (0..runs)
            .filter(|_| {
                let found = percentiles(&run(&queue, window, &mut random));
                (0..PERCENTILES.len()).any(|index| {
                    let (low, high) = intervals.of(index);
                    !(low..=high).contains(&found[index])
                })
            })
            .count();
        // At most 1% of 2,000 is 20; four standard deviations more are 38. Were the intervals too wide to ever say no,
        // there would be none.
        assert!((1..=38).contains(&outside), "{outside} of {runs}");
    }

    #[test]
    fn another_queue_falls_outside() {
        let intervals = Intervals::simulate(&queue(Service::Exponential), 500.0, 1);
        let idler = Queue { arrival_rate: 0.3, ..queue(Service::Exponential) };
        let mut random = Xoshiro256PlusPlus::seed_from_u64(2);
        let found = percentiles(&run(&idler, 500.0, &mut random));
        assert!((0..3).all(|index| found[index] < intervals.of(index).0), "{found:?} {intervals:?}");
    }
}
