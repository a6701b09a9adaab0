//! When requests are due.
//!
//! One type, [`Pacing`], serves every loop; the engine never asks which it is. An open loop's arrivals come from a
//! seed and exist before they are due, so that nothing the server does can move them. This module reads no clock:
//! everything takes `now`, in nanoseconds since the run's start.

use rand::Rng;
use rand_xoshiro::Xoshiro256PlusPlus;
use rand_xoshiro::rand_core::SeedableRng;
use serde::{Deserialize, Serialize};

use crate::{exponential, rate::Rate, share::Share};

/// How a stream decides when its next request is due.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Pacing {
    /// Each connection sends its next request as soon as the last one is answered: due and sent are one instant.
    Closed,
    /// Open loop, equal gaps.
    Constant {
        /// How fast.
        per_second: Rate,
    },
    /// Open loop, exponential gaps: independent users.
    Poisson {
        /// How fast, on average.
        per_second: Rate,
    },
}

impl Pacing {
    /// The rate asked for. `None` for a closed loop, where the server decides.
    pub fn rate(self) -> Option<Rate> {
        match self {
            Pacing::Closed => None,
            Pacing::Constant { per_second } | Pacing::Poisson { per_second } => Some(per_second),
        }
    }

    /// The same at this part of its rate. A closed loop has none.
    pub fn times(self, part: f64) -> Self {
        match self {
            Pacing::Closed => Pacing::Closed,
            Pacing::Constant { per_second } => Pacing::Constant { per_second: per_second.times(part) },
            Pacing::Poisson { per_second } => Pacing::Poisson { per_second: per_second.times(part) },
        }
    }

    /// Whether due times are decided beforehand.
    pub fn is_open(self) -> bool {
        self != Pacing::Closed
    }
}

/// The random sequence that belongs to one purpose of one stream on one thread. The sequences of different
/// arguments do not overlap: they are 2^128 (`jump`) or 2^192 (`long_jump`) draws apart.
pub(crate) fn random_sequence(seed: u64, stream: usize, lane: u32, purpose: Purpose) -> Xoshiro256PlusPlus {
    let mut sequence = Xoshiro256PlusPlus::seed_from_u64(seed);
    (0..stream).for_each(|_| sequence.long_jump());
    (0..2 * lane + purpose as u32).for_each(|_| sequence.jump());
    sequence
}

/// What a random sequence is for.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Purpose {
    Arrivals = 0,
    Connections = 1,
}

/// The due times of one stream on one thread, ascending, without end. Memory does not depend on how many are drawn.
#[derive(Clone, Debug)]
pub struct Arrivals {
    next_ns: f64,
    rate: Rate,
    process: Process,
}

#[derive(Clone, Debug)]
enum Process {
    /// The instant of arrival `k` is computed from `k`, not added up, so that it never drifts.
    Constant { first_ns: f64, gap_ns: f64, drawn: u64 },
    Poisson {
        /// On the nominal axis.
        at_ns: f64,
        mean_gap_ns: f64,
        random: Xoshiro256PlusPlus,
    },
}

impl Arrivals {
    /// The arrivals of stream number `stream` on one thread; `None` for a closed loop, which has no schedule.
    pub fn new(pacing: Pacing, seed: u64, stream: usize, share: Share) -> Option<Self> {
        let rate = pacing.rate()?;
        let gap_ns = 1e9 * f64::from(share.of) / rate.peak_per_second();
        let process = match pacing {
            Pacing::Closed => return None,
            Pacing::Constant { .. } => {
                let first_ns = gap_ns * f64::from(share.index) / f64::from(share.of);
                Process::Constant { first_ns, gap_ns, drawn: 0 }
            }
            Pacing::Poisson { .. } => {
                let random = random_sequence(seed, stream, share.index, Purpose::Arrivals);
                Process::Poisson { at_ns: 0.0, mean_gap_ns: gap_ns, random }
            }
        };
        let mut arrivals = Self { next_ns: 0.0, rate, process };
        arrivals.draw();
        Some(arrivals)
    }

    /// The due time of the next arrival, in nanoseconds since the run's start.
    #[inline]
    pub fn peek_ns(&self) -> u64 {
        self.next_ns as u64
    }

    /// Takes the next arrival and returns its due time.
    #[inline]
    pub fn take_ns(&mut self) -> u64 {
        let due_ns = self.peek_ns();
        self.draw();
        due_ns
    }

    fn draw(&mut self) {
        let nominal_ns = match &mut self.process {
            Process::Constant { first_ns, gap_ns, drawn } => {
                let at_ns = *first_ns + *drawn as f64 * *gap_ns;
                *drawn += 1;
                at_ns
            }
            Process::Poisson { at_ns, mean_gap_ns, random } => {
                *at_ns += *mean_gap_ns * exponential::from_bits(random.next_u64());
                *at_ns
            }
        };
        self.next_ns = self.rate.due_ns(nominal_ns);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn arrivals(pacing: Pacing, seed: u64, share: Share) -> Arrivals {
        Arrivals::new(pacing, seed, 0, share).expect("an open loop")
    }

    fn due_times(mut arrivals: Arrivals, n: usize) -> Vec<u64> {
        (0..n).map(|_| arrivals.take_ns()).collect()
    }

    #[test]
    fn constant_arrivals_are_exact_and_never_drift() {
        let due = due_times(arrivals(Pacing::Constant { per_second: 3.0.into() }, 1, Share::WHOLE), 300_001);
        assert_eq!(due[..4], [0, 333_333_333, 666_666_666, 1_000_000_000]);
        assert_eq!(due[300_000], 100_000_000_000_000);
    }

    #[test]
    fn constant_arrivals_split_over_threads_are_those_of_one() {
        let pacing = Pacing::Constant { per_second: 1_000.0.into() };
        let mut split: Vec<u64> =
            (0..3).flat_map(|index| due_times(arrivals(pacing, 1, Share { index, of: 3 }), 100)).collect();
        split.sort_unstable();
        assert_eq!(split, due_times(arrivals(pacing, 1, Share::WHOLE), 300));
    }

    #[test]
    fn parts_of_a_load_make_together_what_one_generator_makes_with_as_many_threads() {
        // Of three generators one has two threads: their shares of the whole, and the arrivals before 0.1 s.
        let part = |index| Share { index, of: 3 };
        let shares = [part(0).nested(0, 2), part(0).nested(1, 2), part(1), part(2)];
        let due = |pacing: Pacing, share: Share| {
            let mut own = arrivals(pacing, 7, share);
            std::iter::from_fn(move || Some(own.take_ns())).take_while(|due| *due < 100_000_000)
        };
        let steady = Pacing::Constant { per_second: 4_000.0.into() };
        let mut all: Vec<u64> = shares.into_iter().flat_map(|share| due(steady, share)).collect();
        all.sort_unstable();
        assert_eq!(all, due(steady, Share::WHOLE).collect::<Vec<_>>());
        // At random too, the three are what one generator with three threads is.
        let random = Pacing::Poisson { per_second: 3_000.0.into() };
        let threads: Vec<Vec<u64>> =
            (0..3).map(|index| due(random, Share::WHOLE.nested(index, 3)).collect()).collect();
        let parts: Vec<Vec<u64>> =
            (0..3).map(|index| due(random, part(index).nested(0, 1)).collect()).collect();
        assert_eq!(parts, threads);
        assert!(parts[0] != parts[1] && parts[1] != parts[2] && parts[0] != parts[2]);
    }

    #[test]
    fn parts_at_random_are_together_a_poisson_process_of_the_whole_rate() {
        let random = Pacing::Poisson { per_second: 3_000.0.into() };
        let own = |index| due_times(arrivals(random, 5, Share { index, of: 3 }), 20_000);
        let mut all: Vec<u64> = (0..3).flat_map(own).collect();
        all.sort_unstable();
        // No part is drawn to its end within these.
        let gaps: Vec<f64> = all[..50_000].windows(2).map(|pair| (pair[1] - pair[0]) as f64 * 3e-6).collect();
        let test = stats::anderson_darling::of_exponential_gaps(&gaps, 1.0, 3e-6).expect("enough gaps");
        assert!(test.p_value > 0.002, "{test:?}");
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]

        #[test]
        fn however_many_parts_there_are_their_sum_has_the_rate_of_the_whole(
            of in 1_u32..12, per_second in 100.0..1e5_f64, seed in any::<u64>(),
        ) {
            // Of each part, what is due while the whole has some 2,000 arrivals.
            let until_ns = (2_000e9 / per_second) as u64;
            let count = |pacing: Pacing, share: Share| {
                let mut own = arrivals(pacing, seed, share);
                std::iter::from_fn(move || Some(own.take_ns())).take_while(|due| *due < until_ns).count()
            };
            let sum = |pacing| (0..of).map(|index| count(pacing, Share { index, of })).sum::<usize>();
            let steady = Pacing::Constant { per_second: Rate::Steady(per_second) };
            prop_assert_eq!(sum(steady), count(steady, Share::WHOLE));
            // A Poisson process has as many within 6 deviations, but for 2 of a billion.
            let random = Pacing::Poisson { per_second: Rate::Steady(per_second) };
            prop_assert!((sum(random) as f64 - 2_000.0).abs() < 6.0 * 2_000.0_f64.sqrt());
        }
    }

    #[test]
    fn poisson_gaps_have_the_mean_and_variance_of_an_exponential() {
        let n = 1_000_000;
        let due = due_times(arrivals(Pacing::Poisson { per_second: 20_000.0.into() }, 7, Share::WHOLE), n);
        let gaps: Vec<f64> = std::iter::once(due[0] as f64)
            .chain(due.windows(2).map(|pair| (pair[1] - pair[0]) as f64))
            .collect();
        let mean = gaps.iter().sum::<f64>() / n as f64;
        let variance = gaps.iter().map(|gap| (gap - mean).powi(2)).sum::<f64>() / n as f64;
        // Four standard errors: 1/sqrt(n) for the mean, sqrt(8/n) for the variance.
        assert!((mean / 50_000.0 - 1.0).abs() < 0.004, "mean {mean} ns");
        assert!((variance / 50_000.0_f64.powi(2) - 1.0).abs() < 0.0114, "variance {variance}");
    }

    #[test]
    fn poisson_gaps_follow_the_exponential_distribution_everywhere() {
        let n = 100_000;
        let mut schedule = arrivals(Pacing::Poisson { per_second: 1_000.0.into() }, 11, Share::WHOLE);
        let mut last = 0;
        let mut gaps: Vec<f64> = (0..n)
            .map(|_| {
                let due = schedule.take_ns();
                (due - std::mem::replace(&mut last, due)) as f64 / 1e6
            })
            .collect();
        gaps.sort_by(f64::total_cmp);
        let distance = gaps
            .iter()
            .enumerate()
            .map(|(rank, gap)| ((rank as f64 + 0.5) / n as f64 - (1.0 - (-gap).exp())).abs())
            .fold(0.0, f64::max);
        // Kolmogorov's distance exceeds 1.95 / sqrt(n) once in a thousand seeds.
        assert!(distance < 1.95 / (n as f64).sqrt(), "{distance}");
    }

    #[test]
    fn the_same_seed_draws_the_same_arrivals_on_every_machine() {
        let pacing = Pacing::Poisson { per_second: 1_000.0.into() };
        let first = due_times(arrivals(pacing, 42, Share::WHOLE), 5);
        assert_eq!(first, due_times(arrivals(pacing, 42, Share::WHOLE), 5));
        assert_eq!(first, RECORDED);
        assert_ne!(first, due_times(arrivals(pacing, 43, Share::WHOLE), 5));
        assert_ne!(first, due_times(arrivals(pacing, 42, Share { index: 1, of: 2 }), 5));
        let other_stream = Arrivals::new(pacing, 42, 1, Share::WHOLE).expect("an open loop");
        assert_ne!(first, due_times(other_stream, 5));
    }

    /// Recorded once; a change means that published seeds no longer repeat their runs.
    const RECORDED: [u64; 5] = [205_420, 1_348_545, 1_364_782, 1_719_836, 1_951_132];

    #[test]
    fn a_closed_loop_has_no_schedule() {
        assert!(Arrivals::new(Pacing::Closed, 1, 0, Share::WHOLE).is_none());
    }
}
