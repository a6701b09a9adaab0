//! One stream on one engine thread: what to send next, on which connection, and what to record of it.
//!
//! A lane reads no clock and knows no socket; every instant is an argument, in nanoseconds since the run's start, and
//! connections are numbers. Whatever engine does the input and output, the rules of measurement are here.
//!
//! A request lives through: due (counted as the clock passes), assigned to a free connection and sent, finished or
//! abandoned. What is due while no connection is free waits in the order of due times.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{
    errors::ErrorKind,
    outcome::{LATE_AFTER_NS, SLICES, StreamOutcome},
    pacing::{Arrivals, Pacing, Purpose, Schedule, Share, random_sequence},
    policy::Verify,
    population::Population,
    rate::Rate,
    window::Window,
};

/// The instants of a request in flight.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Ticket {
    pub(crate) due_ns: u64,
    pub(crate) sent_ns: u64,
}

/// A whole answer, judged.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Answer {
    pub(crate) at_ns: u64,
    /// When its first byte had arrived, where that is asked for.
    pub(crate) first_byte_ns: Option<u64>,
    pub(crate) status: u16,
    pub(crate) result: Result<(), ErrorKind>,
    /// Its content was compared with the expected one.
    pub(crate) compared: bool,
}

#[derive(Debug)]
pub(crate) struct Lane {
    /// `None` for a closed loop: a request is due whenever a connection is free.
    schedule: Option<Schedule>,
    /// Follows the drawn schedule, where it is random.
    drawn: Option<DrawnGaps>,
    window: Window,
    slices_per_ns: f64,
    free: Vec<u32>,
    /// Since when there has been a free connection without a break.
    free_since_ns: u64,
    random: Xoshiro256PlusPlus,
    in_flight: u64,
    population: Population,
    /// The sum of sojourn times within the window: the other side of Little's law.
    sojourn_ns: u128,
    record: StreamOutcome,
    /// How many requests a closed loop may still send.
    budget: u64,
    /// How many answers were judged, so that a sample of them can be compared.
    answers: u64,
    /// Right answers since the run began, for the live view.
    ok_so_far: u64,
    /// Errors since the run began, for the live view.
    errors_so_far: u64,
}

impl Lane {
    /// The lane of stream number `stream`, with room for `connections` free connections; it sends its share of at most
    /// `requests`.
    pub(crate) fn new(
        record: StreamOutcome,
        seed: u64,
        stream: usize,
        share: Share,
        connections: usize,
        window: Window,
        requests: Option<u64>,
    ) -> Self {
        let pacing: Pacing = record.pacing;
        let budget = requests.map_or(u64::MAX, |all| share.part_of(all));
        let schedule = Arrivals::new(pacing, seed, stream, share)
            .map(|arrivals| Schedule::new(arrivals, window.closes_ns, budget));
        let drawn = match pacing {
            Pacing::Poisson { per_second } => Some(DrawnGaps { rate: per_second, share, expected: 0.0 }),
            Pacing::Closed | Pacing::Constant { .. } => None,
        };
        Self {
            schedule,
            drawn,
            window,
            slices_per_ns: SLICES as f64 / window.length_ns().max(1) as f64,
            free: Vec::with_capacity(connections),
            free_since_ns: 0,
            random: random_sequence(seed, stream, share.index, Purpose::Connections),
            in_flight: 0,
            population: Population::default(),
            sojourn_ns: 0,
            record,
            budget,
            answers: 0,
            ok_so_far: 0,
            errors_so_far: 0,
        }
    }

    /// The run starts now: connections opened before count as free since then.
    pub(crate) fn start(&mut self) {
        self.free_since_ns = 0;
    }

    /// Counts what has become due.
    #[inline]
    pub(crate) fn advance(&mut self, now_ns: u64) {
        let Some(schedule) = &mut self.schedule else { return };
        while let Some(due_ns) = schedule.count_due(now_ns) {
            if let Some(drawn) = &mut self.drawn {
                self.record.drawn.record(drawn.gap_until(due_ns));
            }
            self.population.arrive(due_ns, &self.window);
            self.record.counts.due += u64::from(self.window.contains(due_ns));
        }
    }

    /// A connection can take one more request.
    #[inline]
    pub(crate) fn connection_free(&mut self, connection: u32, now_ns: u64) {
        if self.free.is_empty() {
            self.free_since_ns = now_ns;
        }
        self.free.push(connection);
    }

    /// A free connection was lost. Rare, so it may be looked for.
    pub(crate) fn connection_lost(&mut self, connection: u32) {
        self.free.retain(|free| *free != connection);
    }

    /// Whether [`Lane::assign`] would send something, provided what is due has been counted.
    #[inline]
    pub(crate) fn has_work(&self, now_ns: u64) -> bool {
        !self.free.is_empty()
            && match &self.schedule {
                None => self.budget > 0 && now_ns < self.window.closes_ns,
                Some(schedule) => schedule.queued() > 0,
            }
    }

    /// Whether requests are due by a schedule.
    #[inline]
    pub(crate) fn is_open_loop(&self) -> bool {
        self.schedule.is_some()
    }

    /// Whether a closed loop has requests left to send.
    #[inline]
    pub(crate) fn has_more(&self) -> bool {
        self.budget > 0
    }

    /// Whether everything that it may ever send has been sent and answered, before the window's end.
    pub(crate) fn is_spent(&self) -> bool {
        let sent = match &self.schedule {
            None => self.budget == 0,
            Some(schedule) => schedule.is_spent(),
        };
        sent && self.in_flight == 0
    }

    /// When this lane wants to be looked at again, if nothing happens on its connections.
    pub(crate) fn next_due_ns(&self) -> Option<u64> {
        // What becomes due while every connection is busy can be counted when one is free again.
        if self.free.is_empty() { None } else { self.schedule.as_ref()?.next_due_ns() }
    }

    /// Assigns the request that has been due longest to a free connection chosen at random; it counts as sent now.
    /// Returns also its schedule lag, in nanoseconds.
    #[inline]
    pub(crate) fn assign(&mut self, now_ns: u64) -> Option<(u32, Ticket, u64)> {
        if !self.has_work(now_ns) {
            return None;
        }
        let chosen = if self.free.len() == 1 { 0 } else { self.random.random_range(0..self.free.len()) };
        let due_ns = match &mut self.schedule {
            None => now_ns,
            Some(schedule) => schedule.take()?,
        };
        let connection = self.free.swap_remove(chosen);
        self.in_flight += 1;
        let in_window = self.window.contains(due_ns);
        // It waited for as long as no connection was free. Whether the chosen one was free all along says nothing: had the
        // generator been on time, it would have chosen another.
        let ready_ns = due_ns.max(self.free_since_ns);
        let lag_ns = now_ns.saturating_sub(ready_ns);
        if self.schedule.is_none() {
            self.budget -= 1;
            self.population.arrive(now_ns, &self.window);
            self.record.counts.due += u64::from(in_window);
        } else if in_window {
            self.record_departure(due_ns, ready_ns, lag_ns);
        }
        self.record.counts.sent += u64::from(in_window);
        let lag_ns = if self.schedule.is_none() { 0 } else { lag_ns };
        Some((connection, Ticket { due_ns, sent_ns: now_ns }, lag_ns))
    }

    fn record_departure(&mut self, due_ns: u64, ready_ns: u64, lag_ns: u64) {
        self.record.queue_wait.record_ns(ready_ns - due_ns);
        self.record.lag.record_ns(lag_ns);
        self.record.counts.late += u64::from(lag_ns > LATE_AFTER_NS);
        self.record.departures.record(due_ns, due_ns + lag_ns);
    }

    /// Whether the next answer is to be compared with the expected one.
    #[inline]
    pub(crate) fn wants_comparison(&mut self, verify: Verify) -> bool {
        let index = self.answers;
        self.answers += 1;
        verify.wants(index)
    }

    /// A request in flight got a whole answer. Returns whether it was a right one within the window.
    #[inline]
    pub(crate) fn answered(&mut self, ticket: Ticket, answer: Answer) -> bool {
        let Answer { at_ns, first_byte_ns, status, result, compared } = answer;
        if self.window.contains(ticket.due_ns) {
            self.record.statuses.add(status);
            self.record.counts.compared += u64::from(compared);
            if let (Ok(()), Some(first_byte), Some(first_byte_ns)) =
                (result, &mut self.record.first_byte, first_byte_ns)
            {
                first_byte.record_ns(first_byte_ns.saturating_sub(ticket.sent_ns));
            }
            if let Err(kind) = result {
                let response_ns = at_ns.saturating_sub(ticket.due_ns);
                self.record.unexpected.record(kind, response_ns, at_ns.saturating_sub(ticket.sent_ns));
            }
        }
        self.finish(ticket, at_ns, result)
    }

    /// A request in flight was answered rightly, or failed. Returns whether it was a right answer within the window.
    #[inline]
    pub(crate) fn finish(&mut self, ticket: Ticket, now_ns: u64, result: Result<(), ErrorKind>) -> bool {
        self.leave(ticket, now_ns);
        match result {
            Ok(()) => self.ok_so_far += 1,
            Err(_) => self.errors_so_far += 1,
        }
        let ok_in_window = result.is_ok() && self.window.contains(now_ns);
        self.record.counts.ok_in_window += u64::from(ok_in_window);
        if self.window.contains(ticket.due_ns) {
            self.record_result(ticket, now_ns, result);
        }
        ok_in_window
    }

    fn record_result(&mut self, ticket: Ticket, now_ns: u64, result: Result<(), ErrorKind>) {
        let response_ns = now_ns.saturating_sub(ticket.due_ns);
        match result {
            Ok(()) => {
                self.record.counts.completed += 1;
                self.record.counts.ok += 1;
                self.record.response.record_ns(response_ns);
                let since_opened_ns = ticket.due_ns - self.window.opens_ns;
                let slice = (since_opened_ns as f64 * self.slices_per_ns) as usize;
                self.record.serial.record(slice, log2(response_ns));
                self.record.service.record_ns(now_ns.saturating_sub(ticket.sent_ns));
            }
            Err(kind) => {
                self.record.counts.completed += u64::from(kind.was_answered());
                self.record.errors.add(kind);
                if kind == ErrorKind::Timeout {
                    self.record.unanswered.record_ns(response_ns);
                } else {
                    self.record.failed.record_ns(response_ns);
                }
            }
        }
    }

    /// The run is over and a request is still in flight.
    pub(crate) fn abandon(&mut self, ticket: Ticket, now_ns: u64) {
        self.leave(ticket, now_ns);
        if self.window.contains(ticket.due_ns) {
            self.record.counts.in_flight_at_end += 1;
            self.record.unanswered.record_ns(now_ns.saturating_sub(ticket.due_ns));
        }
    }

    fn leave(&mut self, ticket: Ticket, now_ns: u64) {
        self.advance(now_ns);
        self.in_flight -= 1;
        self.population.depart(now_ns, &self.window);
        self.sojourn_ns += u128::from(self.window.overlap_ns(ticket.due_ns, now_ns));
    }

    /// Whether the window is over and nothing that was due is left.
    pub(crate) fn is_drained(&self, now_ns: u64) -> bool {
        now_ns >= self.window.closes_ns && self.in_flight == 0 && self.queued() == 0
    }

    /// Ends the window at `now_ns` rather than at its planned end.
    pub(crate) fn cut(&mut self, now_ns: u64) {
        self.advance(now_ns);
        // What is due at this very instant has been counted.
        let ends_ns = now_ns.saturating_add(1);
        self.window.cut(ends_ns);
        if let Some(schedule) = &mut self.schedule {
            schedule.end_at(ends_ns);
        }
    }

    /// The run is over and no request is in flight any more: what is still unsent is given up.
    pub(crate) fn conclude(mut self, now_ns: u64) -> StreamOutcome {
        self.advance(now_ns);
        self.population.advance(now_ns, &self.window);
        while let Some(due_ns) = self.schedule.as_mut().and_then(Schedule::take) {
            self.sojourn_ns += u128::from(self.window.overlap_ns(due_ns, now_ns));
            if self.window.contains(due_ns) {
                self.record.counts.unsent_at_end += 1;
                self.record.unanswered.record_ns(now_ns.saturating_sub(due_ns));
            }
        }
        self.record.window_s = self.window.length_ns() as f64 / 1e9;
        self.record.littles_law.integral_s = self.population.integral_ns() as f64 / 1e9;
        self.record.littles_law.sojourn_s = self.sojourn_ns as f64 / 1e9;
        self.record
    }

    /// An attempt to connect failed.
    pub(crate) fn connect_failed(&mut self, now_ns: u64) {
        self.errors_so_far += 1;
        if self.window.contains(now_ns) {
            self.record.errors.add(ErrorKind::Connect);
        }
    }

    /// The outcome so far, for what the engine knows and the lane does not.
    pub(crate) fn record_mut(&mut self) -> &mut StreamOutcome {
        &mut self.record
    }

    pub(crate) fn queued(&self) -> u64 {
        self.schedule.as_ref().map_or(0, Schedule::queued)
    }

    pub(crate) fn in_flight(&self) -> u64 {
        self.in_flight
    }

    pub(crate) fn ok_so_far(&self) -> u64 {
        self.ok_so_far
    }

    pub(crate) fn errors_so_far(&self) -> u64 {
        self.errors_so_far
    }
}

/// The gaps of a schedule in expected requests: what a thread's share of the rate brings between two due times.
#[derive(Clone, Copy, Debug)]
struct DrawnGaps {
    rate: Rate,
    share: Share,
    /// How many requests were expected until the last due time, over all threads.
    expected: f64,
}

impl DrawnGaps {
    #[inline]
    fn gap_until(&mut self, due_ns: u64) -> f64 {
        let expected = self.rate.expected(due_ns);
        let before = std::mem::replace(&mut self.expected, expected);
        (expected - before) / f64::from(self.share.of)
    }
}

/// The base-2 logarithm, linear between powers of two, from a double's own exponent and mantissa: what successive times
/// are compared by needs no digits, and must cost nothing.
#[inline]
fn log2(ns: u64) -> f64 {
    const MANTISSAS: f64 = (1_u64 << 52) as f64;
    const BIAS: f64 = 1_023.0;
    (ns.max(1) as f64).to_bits() as f64 / MANTISSAS - BIAS
}

#[cfg(test)]
#[path = "lane_tests.rs"]
mod tests;
