//! Over which time the requests of a stream are counted, so that a rate is one of whole gaps.
//!
//! Two requests that are due one second apart are one a second and not two: each request stands for the time until the next is due. In a
//! long run that differs from the window's length by next to nothing; in a run of a few requests it is all the difference.
//!
//! - A closed loop, and a rate that changes or is random over a window of fixed length: the window. It holds whole cycles of a
//!   closed loop, since the first begins with it; and how many random arrivals fall into a fixed time is as likely too many as too few.
//! - A constant rate: from the first request due in the window to the first that is due after it.
//! - A random or changing rate whose number of requests is fixed: from the window's opening to the request that would have been due
//!   next, or to the last answer if that is later.
//! - A constant rate whose number of requests is fixed, where the last answer came when the next request would have been due already:
//!   n answers took n - 1 gaps, and with the mean of these as the n-th that is the time, if it is longer.

/// What a schedule and its answers say of that. Instants are nanoseconds since the run's start.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paced {
    /// The window's opening.
    opens_ns: u64,
    /// The first request due in the window, and the first that is due no more; [`NEVER`] where there is none.
    first_due_ns: u64,
    next_due_ns: u64,
    /// Requests that ended in the window, answered or failed: how many, and the first and the last of them.
    ended: u64,
    first_end_ns: u64,
    last_end_ns: u64,
    /// All the requests that there may be were sent.
    is_spent: bool,
}

const NEVER: u64 = u64::MAX;

/// Of a stream of which nothing is known yet.
impl Default for Paced {
    fn default() -> Self {
        Self {
            opens_ns: 0,
            first_due_ns: NEVER,
            next_due_ns: NEVER,
            ended: 0,
            first_end_ns: NEVER,
            last_end_ns: 0,
            is_spent: true,
        }
    }
}

impl Paced {
    /// A request is due in the window.
    #[inline]
    pub(crate) fn due(&mut self, due_ns: u64) {
        self.first_due_ns = self.first_due_ns.min(due_ns);
    }

    /// A request ended in the window.
    #[inline]
    pub(crate) fn ended(&mut self, at_ns: u64) {
        self.ended += 1;
        self.first_end_ns = self.first_end_ns.min(at_ns);
        self.last_end_ns = self.last_end_ns.max(at_ns);
    }

    /// The window, which opened at `opens_ns`, is over: what would be due next, and whether all that there may be was sent.
    pub(crate) fn conclude(&mut self, opens_ns: u64, next_due_ns: u64, is_spent: bool) {
        (self.opens_ns, self.next_due_ns, self.is_spent) = (opens_ns, next_due_ns, is_spent);
    }

    /// Adds what another thread saw of the same stream in the same window.
    pub(crate) fn merge(&mut self, other: &Self) {
        self.opens_ns = other.opens_ns;
        self.first_due_ns = self.first_due_ns.min(other.first_due_ns);
        self.next_due_ns = self.next_due_ns.min(other.next_due_ns);
        self.ended += other.ended;
        self.first_end_ns = self.first_end_ns.min(other.first_end_ns);
        self.last_end_ns = self.last_end_ns.max(other.last_end_ns);
        self.is_spent &= other.is_spent;
    }

    /// The time in seconds over which an open loop's requests are counted, and its answers; `is_even` if its rate is constant.
    pub(crate) fn times_s(&self, is_even: bool, window_s: f64) -> (f64, f64) {
        let since = if is_even { self.first_due_ns } else { self.opens_ns };
        if self.first_due_ns == NEVER || self.next_due_ns == NEVER || !(is_even || self.is_spent) {
            return (window_s, window_s);
        }
        let due_s = seconds(since, self.next_due_ns);
        let is_late = self.is_spent && self.last_end_ns > self.next_due_ns;
        let answered_s = match (is_late, is_even) {
            (false, _) => due_s,
            (true, true) => due_s.max(self.whole_gaps_s()),
            (true, false) => seconds(since, self.last_end_ns),
        };
        (due_s, answered_s)
    }

    /// As many gaps as there were ends; 0 with fewer than two.
    fn whole_gaps_s(&self) -> f64 {
        match self.ended {
            0 | 1 => 0.0,
            ended => seconds(self.first_end_ns, self.last_end_ns) * ended as f64 / (ended - 1) as f64,
        }
    }
}

fn seconds(from_ns: u64, to_ns: u64) -> f64 {
    to_ns.saturating_sub(from_ns) as f64 / 1e9
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    /// Requests due, and ended, at these instants in a window from 0; the next would be due at `next`.
    fn paced(due: &[u64], ended: &[u64], next: u64, is_spent: bool) -> Paced {
        let mut paced = Paced::default();
        due.iter().for_each(|&at| paced.due(at));
        ended.iter().for_each(|&at| paced.ended(at));
        paced.conclude(0, next, is_spent);
        paced
    }

    #[test]
    fn two_requests_a_second_apart_are_one_a_second() {
        let two = paced(&[0, S], &[500, S + 700], 2 * S, true);
        assert_eq!(two.times_s(true, 1.0000007), (2.0, 2.0));
        let one = paced(&[0], &[500], S, true);
        assert_eq!(one.times_s(true, 0.0000005), (1.0, 1.0));
        // However the window lies over them.
        assert_eq!(paced(&[S / 2], &[S], 3 * S / 2, false).times_s(true, 1.4), (1.0, 1.0));
        assert_eq!(paced(&[0, S], &[1, S + 1], 2 * S, false).times_s(true, 1.5), (2.0, 2.0));
    }

    #[test]
    fn a_first_answer_that_takes_long_does_not_make_the_rest_fast() {
        let slow_start = paced(&[0, S], &[S / 2, S + 1], 2 * S, true);
        assert_eq!(slow_start.times_s(true, 1.0), (2.0, 2.0));
    }

    #[test]
    fn a_server_that_is_slower_than_the_schedule_has_the_rate_of_its_answers() {
        // 5 s each, on one connection.
        assert_eq!(paced(&[0, S], &[5 * S, 10 * S], 2 * S, true).times_s(true, 10.0), (2.0, 10.0));
        // 1.5 s each, on as many as it takes: late, and as fast as asked.
        assert_eq!(paced(&[0, S], &[3 * S / 2, 5 * S / 2], 2 * S, true).times_s(true, 2.5), (2.0, 2.0));
    }

    #[test]
    fn random_arrivals_are_counted_in_the_window_or_to_the_next_where_their_number_is_fixed() {
        assert_eq!(paced(&[S, 3 * S], &[S, 3 * S], 6 * S, false).times_s(false, 5.0), (5.0, 5.0));
        assert_eq!(paced(&[S, 3 * S], &[S, 3 * S], 6 * S, true).times_s(false, 3.0), (6.0, 6.0));
        assert_eq!(paced(&[S, 3 * S], &[S, 9 * S], 6 * S, true).times_s(false, 9.0), (6.0, 9.0));
    }

    #[test]
    fn threads_that_share_a_schedule_say_together_what_one_would() {
        let mut shared = paced(&[0, 2 * S], &[1, 2 * S + 1], 4 * S, true);
        shared.merge(&paced(&[S], &[S + 1], 3 * S, true));
        assert_eq!(shared, paced(&[0, S, 2 * S], &[1, S + 1, 2 * S + 1], 3 * S, true));
        // One that had nothing to do changes nothing.
        shared.merge(&paced(&[], &[], 5 * S, true));
        assert_eq!(shared.times_s(true, 2.0), (3.0, 3.0));
    }

    #[test]
    fn where_nothing_was_due_or_nothing_follows_there_is_only_the_window() {
        assert_eq!(paced(&[], &[], S, false).times_s(true, 0.5), (0.5, 0.5));
        assert_eq!(paced(&[0], &[1], NEVER, true).times_s(false, 0.5), (0.5, 0.5));
    }
}
