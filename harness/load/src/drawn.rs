//! The gaps of a drawn schedule, in expected requests.

use crate::{rate::Rate, share::Share};

/// What a thread's share of the rate brings between two due times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrawnGaps {
    pub(crate) rate: Rate,
    share: Share,
    /// How many requests were expected until the last due time, over all threads of all generators.
    expected: f64,
}

impl DrawnGaps {
    pub(crate) fn new(rate: Rate, share: Share) -> Self {
        Self { rate, share, expected: 0.0 }
    }

    /// What a nanosecond is of a gap at most: due times are rounded to whole ones.
    pub(crate) fn step(&self) -> f64 {
        1e-9 * self.rate.peak_per_second() / f64::from(self.share.of)
    }

    #[inline]
    pub(crate) fn gap_until(&mut self, due_ns: u64) -> f64 {
        let expected = self.rate.expected(due_ns);
        let before = std::mem::replace(&mut self.expected, expected);
        (expected - before) / f64::from(self.share.of)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::pacing::{Arrivals, Pacing};

    #[test]
    fn gaps_of_a_steady_rate_are_its_expected_requests_on_this_thread() {
        let mut gaps = DrawnGaps::new(Rate::Steady(1_000.0), Share { index: 0, of: 2 });
        assert_eq!([2_000_000, 3_000_000].map(|due_ns| gaps.gap_until(due_ns)), [1.0, 0.5]);
        assert!((gaps.step() / 5e-7 - 1.0).abs() < 1e-12);
    }

    #[test]
    fn a_sound_schedule_passes_its_test_at_every_rate_up_to_the_highest() {
        for per_second in [Rate::LEAST_PER_SECOND, 1e3, 1e6, Rate::MOST_PER_SECOND] {
            for seed in 0..4 {
                let pacing = Pacing::Poisson { per_second: per_second.into() };
                let mut arrivals = Arrivals::new(pacing, seed, 0, Share::WHOLE).expect("an open loop");
                let mut gaps = DrawnGaps::new(per_second.into(), Share::WHOLE);
                // Of the lowest rate no more are within what a clock can tell.
                let count = if per_second < 1.0 { 5_000 } else { 65_536 };
                let drawn: Vec<f64> = (0..count).map(|_| gaps.gap_until(arrivals.take_ns())).collect();
                let test = stats::anderson_darling::of_exponential_gaps(&drawn, 1.0, gaps.step());
                assert!(
                    test.is_some_and(|test| test.p_value > 0.002),
                    "{per_second}/s, seed {seed}: {test:?}"
                );
            }
        }
    }
}
