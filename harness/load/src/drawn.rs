//! The gaps of a drawn schedule, in expected requests.

use crate::{pacing::Share, rate::Rate};

/// What a thread's share of the rate brings between two due times.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DrawnGaps {
    pub(crate) rate: Rate,
    share: Share,
    /// How many requests were expected until the last due time, over all threads.
    expected: f64,
}

impl DrawnGaps {
    pub(crate) fn new(rate: Rate, share: Share) -> Self {
        Self { rate, share, expected: 0.0 }
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

    #[test]
    fn gaps_of_a_steady_rate_are_its_expected_requests_on_this_thread() {
        let mut gaps = DrawnGaps::new(Rate::Steady(1_000.0), Share { index: 0, of: 2 });
        assert_eq!([2_000_000, 3_000_000].map(|due_ns| gaps.gap_until(due_ns)), [1.0, 0.5]);
    }
}
