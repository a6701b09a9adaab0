//! One stream on one engine thread: what to send next, on which connection, and what to record of it.
//!
//! A lane reads no clock and knows no socket; every instant is an argument, in nanoseconds since the run's start, and
//! connections are numbers. Whatever engine does the input and output, the rules of measurement are here.
//!
//! A request lives through: due (counted as the clock passes), able (due, and a connection is free), assigned to a free
//! connection and sent, finished or abandoned. What is due while no connection is free waits in the order of due times.
//! A closed loop's request is due, and able, when the last answer on its connection was received.
//!
//! Answers are told when they are read, which may be long after they were received, and not in the order of their instants.

use rand::RngExt;
use rand_xoshiro::Xoshiro256PlusPlus;

use crate::{
    clocked::Receipt,
    counts::LATE_AFTER_NS,
    drawn::DrawnGaps,
    errors::ErrorKind,
    free::Free,
    os_error::OsError,
    outcome::{SLICES, StreamOutcome},
    pacing::{Arrivals, Pacing, Purpose, random_sequence},
    policy::Verify,
    population::Population,
    schedule::Schedule,
    share::Share,
    slices::Slices,
    ticket::{Answer, Ticket},
    timeline::Lost,
    unsent,
    window::Window,
};

/// So many due times are counted in a few milliseconds.
const MOST_COUNTED_AT_ONCE: u32 = 100_000;

#[derive(Debug)]
pub(crate) struct Lane {
    /// `None` for a closed loop: a request is due whenever a connection is free.
    schedule: Option<Schedule>,
    /// Follows the drawn schedule, where it is random.
    drawn: Option<DrawnGaps>,
    window: Window,
    slices_per_ns: f64,
    free: Free,
    random: Xoshiro256PlusPlus,
    in_flight: u64,
    /// Requests due and not complete; of these, those that were sent.
    population: Population,
    in_server: Population,
    /// The sum of sojourn times within the window: the other side of Little's law.
    sojourn_ns: u128,
    /// Of right answers, and of all that was sent, where due in the window.
    service_ns: u128,
    lateness_ns: u128,
    record: StreamOutcome,
    /// How many requests a closed loop may still send.
    budget: u64,
    /// How many answers were judged, so that a sample of them can be compared.
    answers: u64,
    /// Errors since the run began, for the live view.
    errors_so_far: u64,
}

impl Lane {
    /// The lane of stream number `stream`, with room for `connections` free connections; it sends its share of at most
    /// `requests`.
    pub(crate) fn new(
        mut record: StreamOutcome,
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
            Pacing::Poisson { per_second } => Some(DrawnGaps::new(per_second, share)),
            Pacing::Closed | Pacing::Constant { .. } => None,
        };
        record.drawn_step = drawn.as_ref().map_or(0.0, DrawnGaps::step);
        record.slices = Slices::new(window.opens_ns, window.length_ns());
        Self {
            free: Free::with_capacity(connections, schedule.is_none()),
            schedule,
            drawn,
            window,
            slices_per_ns: SLICES as f64 / window.length_ns().max(1) as f64,
            random: random_sequence(seed, stream, share.index, Purpose::Connections),
            in_flight: 0,
            population: Population::default(),
            in_server: Population::default(),
            sojourn_ns: 0,
            service_ns: 0,
            lateness_ns: 0,
            record,
            budget,
            answers: 0,
            errors_so_far: 0,
        }
    }

    /// The run starts now: connections opened before count as free since then.
    pub(crate) fn start(&mut self) {
        self.free.restart(0);
    }

    /// Counts what has become due, unless that is so much that whoever asks the run to end would have to wait: then the rest
    /// is counted the next time.
    #[inline]
    pub(crate) fn advance(&mut self, now_ns: u64) {
        let Some(schedule) = &mut self.schedule else { return };
        for _ in 0..MOST_COUNTED_AT_ONCE {
            let Some(due_ns) = schedule.count_due(now_ns) else { return };
            if let Some(drawn) = &mut self.drawn {
                self.record.drawn.record(drawn.gap_until(due_ns));
            }
            self.population.arrive(due_ns, &self.window);
            if self.window.contains(due_ns) {
                self.record.counts.due += 1;
                self.record.paced.due(due_ns);
            }
            self.record.slices.due(due_ns);
            if let Some(timeline) = &mut self.record.timeline {
                timeline.due(due_ns);
            }
        }
    }

    /// Counts all that has become due.
    fn advance_to(&mut self, now_ns: u64) {
        while self.has_uncounted(now_ns) {
            self.advance(now_ns);
        }
    }

    fn has_uncounted(&self, now_ns: u64) -> bool {
        let next_ns = self.schedule.as_ref().and_then(Schedule::next_due_ns);
        next_ns.is_some_and(|due_ns| due_ns <= now_ns)
    }

    /// A connection can take one more request since `since_ns`.
    #[inline]
    pub(crate) fn connection_free(&mut self, connection: u32, since_ns: u64) {
        self.free.add(connection, since_ns);
    }

    /// A free connection was lost.
    pub(crate) fn connection_lost(&mut self, connection: u32) {
        self.free.lose(connection);
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

    /// When this lane will have something to send next, whether or not a connection is free by then.
    pub(crate) fn upcoming_ns(&self) -> Option<u64> {
        self.schedule.as_ref()?.next_due_ns()
    }

    /// Assigns the request that has been due longest to a free connection chosen at random; it counts as sent now.
    #[inline]
    pub(crate) fn assign(&mut self, now_ns: u64) -> Option<(u32, Ticket)> {
        if !self.has_work(now_ns) {
            return None;
        }
        let chosen = if self.free.len() == 1 { 0 } else { self.random.random_range(0..self.free.len()) };
        let scheduled = match &mut self.schedule {
            None => None,
            Some(schedule) => Some((schedule.take()?, schedule.following_ns())),
        };
        // It waited for as long as no connection was free. Whether the chosen one was free all along says nothing: had the
        // generator been on time, it would have chosen another.
        let (connection, free_ns) = self.free.take(chosen);
        let due_ns = scheduled.map_or(free_ns, |(due_ns, _)| due_ns);
        let ticket = Ticket { due_ns, able_ns: due_ns.max(free_ns), sent_ns: now_ns };
        self.in_flight += 1;
        let in_window = self.window.contains(due_ns);
        match scheduled {
            None => {
                self.budget -= 1;
                self.population.arrive(due_ns, &self.window);
                self.record.counts.due += u64::from(in_window);
                self.record.slices.due(due_ns);
                if let Some(timeline) = &mut self.record.timeline {
                    timeline.due(due_ns);
                }
            }
            Some((_, following_ns)) if in_window => self.record_departure(ticket, following_ns),
            Some(_) => {}
        }
        self.in_server.arrive(now_ns, &self.window);
        self.record.slices.sent(now_ns);
        if in_window {
            self.record.counts.sent += 1;
            self.record.lag.record_ns(ticket.lateness_ns());
            self.lateness_ns += u128::from(ticket.lateness_ns());
        }
        Some((connection, ticket))
    }

    fn record_departure(&mut self, ticket: Ticket, following_ns: u64) {
        let lateness_ns = ticket.lateness_ns();
        let left_ns = ticket.due_ns + lateness_ns;
        self.record.queue_wait.record_ns(ticket.waiting_ns());
        self.record.counts.late += u64::from(lateness_ns > LATE_AFTER_NS);
        self.record.counts.overtaken += u64::from(lateness_ns > 0 && left_ns >= following_ns);
        self.record.departures.record(ticket.due_ns, left_ns);
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
        let Answer { receipt: Receipt { at_ns, timing }, first_byte_ns, status, result, compared } = answer;
        if self.window.contains(ticket.due_ns) {
            self.record.clocked.count(timing);
            self.record.statuses.add(status);
            self.record.counts.compared += u64::from(compared);
            if let (Ok(()), Some(first_byte), Some(first_byte_ns)) =
                (result, &mut self.record.first_byte, first_byte_ns)
            {
                first_byte.record_ns(ticket.service_ns(first_byte_ns));
            }
            if let Err(kind) = result {
                self.record.unexpected.record(kind, ticket.response_ns(at_ns), ticket.service_ns(at_ns));
            }
        }
        self.finish(ticket, at_ns, result)
    }

    /// A request in flight failed without a whole answer; `error` is what the system said.
    pub(crate) fn failed(&mut self, ticket: Ticket, at_ns: u64, kind: ErrorKind, error: Option<OsError>) {
        if let Some(error) = error.filter(|_| self.window.contains(ticket.due_ns)) {
            self.record.causes.add(kind, error);
        }
        self.finish(ticket, at_ns, Err(kind));
    }

    /// A request in flight was answered rightly, or failed, at `at_ns`. Returns whether it was a right answer within the
    /// window.
    #[inline]
    pub(crate) fn finish(&mut self, ticket: Ticket, at_ns: u64, result: Result<(), ErrorKind>) -> bool {
        self.leave(ticket, at_ns);
        match result {
            Ok(()) => {
                self.record.counts.ok_in_all += 1;
                self.record.slices.answered(at_ns);
                if let Some(timeline) = &mut self.record.timeline {
                    timeline.answered(at_ns);
                }
            }
            Err(kind) => {
                self.errors_so_far += 1;
                self.record.slices.failed(at_ns);
                if let Some(timeline) = &mut self.record.timeline {
                    timeline.failed(at_ns, kind);
                }
            }
        }
        let in_window = self.window.contains(at_ns);
        if in_window {
            self.record.paced.ended(at_ns);
        }
        let ok_in_window = result.is_ok() && in_window;
        self.record.counts.ok_in_window += u64::from(ok_in_window);
        if self.window.contains(ticket.due_ns) {
            self.record_result(ticket, at_ns, result);
        }
        ok_in_window
    }

    fn record_result(&mut self, ticket: Ticket, at_ns: u64, result: Result<(), ErrorKind>) {
        let response_ns = ticket.response_ns(at_ns);
        match result {
            Ok(()) => {
                let service_ns = ticket.service_ns(at_ns);
                self.record.counts.completed += 1;
                self.record.counts.ok += 1;
                self.record.response.record_ns(response_ns);
                self.record.observed.record_ns(ticket.observed_ns(at_ns));
                self.record.service.record_ns(service_ns);
                self.service_ns += u128::from(service_ns);
                self.record.slices.took(ticket.due_ns, response_ns);
                if let Some(timeline) = &mut self.record.timeline {
                    timeline.took(ticket.due_ns, response_ns);
                }
                let since_opened_ns = ticket.due_ns - self.window.opens_ns;
                let slice = (since_opened_ns as f64 * self.slices_per_ns) as usize;
                self.record.serial.record(slice, log2(response_ns));
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
            self.record.unanswered.record_ns(ticket.response_ns(now_ns));
        }
    }

    fn leave(&mut self, ticket: Ticket, at_ns: u64) {
        self.advance(at_ns);
        self.in_flight -= 1;
        self.population.depart(at_ns, &self.window);
        self.in_server.depart(at_ns, &self.window);
        self.sojourn_ns += u128::from(self.window.overlap_ns(ticket.due_ns, at_ns));
    }

    /// Whether the window is over and nothing that was due is left.
    pub(crate) fn is_drained(&self, now_ns: u64) -> bool {
        now_ns >= self.window.closes_ns
            && self.in_flight == 0
            && self.queued() == 0
            && !self.has_uncounted(now_ns)
    }

    /// Ends the window at `now_ns` rather than at its planned end.
    pub(crate) fn cut(&mut self, now_ns: u64) {
        self.advance_to(now_ns);
        // What is due at this very instant has been counted.
        let ends_ns = now_ns.saturating_add(1);
        self.window.cut(ends_ns);
        if let Some(schedule) = &mut self.schedule {
            schedule.end_at(ends_ns);
        }
    }

    /// The run is over and no request is in flight any more: what is still unsent is given up.
    pub(crate) fn conclude(mut self, now_ns: u64) -> StreamOutcome {
        self.advance_to(now_ns);
        self.population.advance(now_ns, &self.window);
        self.in_server.advance(now_ns, &self.window);
        self.record.window_s = self.window.length_ns() as f64 / 1e9;
        if let Some(schedule) = &self.schedule {
            self.record.paced.conclude(self.window.opens_ns, schedule.beyond_ns(), schedule.is_spent());
        }
        self.record.slices.end_at(self.window.length_ns());
        if let Some(timeline) = &mut self.record.timeline {
            timeline.end_at(self.window.length_ns());
        }
        if let Some(schedule) = &mut self.schedule {
            self.sojourn_ns += unsent::give_up(schedule, &self.window, &mut self.record, now_ns);
        }
        self.record.littles_law.integral_s = self.population.integral_s();
        self.record.littles_law.sojourn_s = self.sojourn_ns as f64 / 1e9;
        let residence = &mut self.record.residence;
        residence.in_server_s = self.in_server.integral_s();
        residence.in_generator_s = self.population.integral_s() - residence.in_server_s;
        residence.service_s = self.service_ns as f64 / 1e9;
        residence.lateness_s = self.lateness_ns as f64 / 1e9;
        self.record
    }

    /// An attempt to connect failed.
    pub(crate) fn connect_failed(&mut self, now_ns: u64, error: OsError) {
        self.errors_so_far += 1;
        self.record.failed_attempts.add(error);
        if self.window.contains(now_ns) {
            self.record.errors.add(ErrorKind::Connect);
            self.record.causes.add(ErrorKind::Connect, error);
            self.record.slices.failed(now_ns);
            if let Some(timeline) = &mut self.record.timeline {
                timeline.failed(now_ns, ErrorKind::Connect);
            }
        }
    }

    /// A connection was lost that no answer had announced the end of.
    pub(crate) fn lost(&mut self, at_ns: u64, how: Lost) {
        if let Some(timeline) = &mut self.record.timeline {
            timeline.lost(at_ns, how);
        }
    }

    /// How many requests may be in flight on its connections.
    pub(crate) fn slots(&self) -> usize {
        self.free.slots()
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
        self.record.counts.ok_in_all
    }

    pub(crate) fn errors_so_far(&self) -> u64 {
        self.errors_so_far
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

#[cfg(test)]
#[path = "lane_instants_tests.rs"]
mod instants_tests;
