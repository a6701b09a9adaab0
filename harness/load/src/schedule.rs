//! What of a stream's arrivals is due, and waits to be sent.

use crate::pacing::Arrivals;

/// The same arrivals read twice: by the cursor that counts what is due as the clock passes, and by the one that
/// says what is to be sent next. A server that does not keep up leaves the second behind the first; the queue
/// between them is never stored.
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    counting: Arrivals,
    sending: Arrivals,
    ends_ns: u64,
    most: u64,
    counted: u64,
    taken: u64,
}

impl Schedule {
    /// A schedule whose arrivals all lie before `ends_ns`, and are at most `most`.
    pub(crate) fn new(arrivals: Arrivals, ends_ns: u64, most: u64) -> Self {
        Self { counting: arrivals.clone(), sending: arrivals, ends_ns, most, counted: 0, taken: 0 }
    }

    /// Whether as many as there may be were taken.
    pub(crate) fn is_spent(&self) -> bool {
        self.taken == self.most
    }

    /// When the next request that is not due yet will be; `None` when the schedule has ended.
    #[inline]
    pub(crate) fn next_due_ns(&self) -> Option<u64> {
        Some(self.counting.peek_ns()).filter(|due_ns| *due_ns < self.ends_ns && self.counted < self.most)
    }

    /// Counts the next request as due and returns its due time, if that is not after `now_ns`. Called until it
    /// returns `None`.
    #[inline]
    pub(crate) fn count_due(&mut self, now_ns: u64) -> Option<u64> {
        let due_ns = self.counting.peek_ns();
        if due_ns > now_ns || due_ns >= self.ends_ns || self.counted == self.most {
            return None;
        }
        self.counted += 1;
        Some(self.counting.take_ns())
    }

    /// Takes the request that has been due longest, by its due time; `None` when none waits.
    #[inline]
    pub(crate) fn take(&mut self) -> Option<u64> {
        if self.taken == self.counted {
            return None;
        }
        self.taken += 1;
        Some(self.sending.take_ns())
    }

    /// The due time of the request that is to be taken next.
    #[inline]
    pub(crate) fn following_ns(&self) -> u64 {
        self.sending.peek_ns()
    }

    /// When the request would be due that follows the last one that was counted, were there one more.
    pub(crate) fn beyond_ns(&self) -> u64 {
        self.counting.peek_ns()
    }

    /// How many requests are due and not taken.
    pub(crate) fn queued(&self) -> u64 {
        self.counted - self.taken
    }

    /// Ends the schedule at `now_ns` rather than at its planned end.
    pub(crate) fn end_at(&mut self, now_ns: u64) {
        self.ends_ns = self.ends_ns.min(now_ns);
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{pacing::Pacing, share::Share};

    fn arrivals(pacing: Pacing, seed: u64, share: Share) -> Arrivals {
        Arrivals::new(pacing, seed, 0, share).expect("an open loop")
    }

    #[test]
    fn what_is_due_waits_in_order_and_nothing_is_due_after_the_end() {
        let mut schedule = Schedule::new(
            arrivals(Pacing::Constant { per_second: 1_000.0.into() }, 1, Share::WHOLE),
            5_000_000,
            9,
        );
        assert_eq!(
            std::iter::from_fn(|| schedule.count_due(2_500_000)).collect::<Vec<_>>(),
            [0, 1_000_000, 2_000_000]
        );
        assert_eq!(schedule.queued(), 3);
        assert_eq!(schedule.next_due_ns(), Some(3_000_000));
        assert_eq!((schedule.take(), schedule.take()), (Some(0), Some(1_000_000)));
        assert_eq!(std::iter::from_fn(|| schedule.count_due(u64::MAX)).count(), 2);
        assert_eq!(schedule.next_due_ns(), None);
        assert_eq!(
            std::iter::from_fn(|| schedule.take()).collect::<Vec<_>>(),
            [2_000_000, 3_000_000, 4_000_000]
        );
        assert_eq!(schedule.queued(), 0);
    }

    proptest! {
        #[test]
        fn whenever_the_clock_is_read_the_same_requests_are_sent(
            seed in any::<u64>(), steps in prop::collection::vec(1_u64..3_000_000, 1..60),
        ) {
            let process = arrivals(Pacing::Poisson { per_second: 5_000.0.into() }, seed, Share::WHOLE);
            let mut schedule = Schedule::new(process.clone(), 40_000_000, u64::MAX);
            let mut now = 0;
            let mut sent = Vec::new();
            for step in steps {
                now += step;
                while schedule.count_due(now).is_some() {}
                // One connection: a single send per look at the clock, so that a queue forms.
                sent.extend(schedule.take());
            }
            sent.extend(std::iter::from_fn(|| schedule.take()));
            let mut all = process;
            let all = std::iter::from_fn(|| Some(all.take_ns()));
            let expected: Vec<u64> = all.take_while(|due| *due <= now && *due < 40_000_000).collect();
            prop_assert_eq!(sent, expected);
        }
    }
}
