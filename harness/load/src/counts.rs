//! What became of a stream's requests and connections, in numbers.

use serde::Serialize;

/// A send is late when its schedule lag exceeds this, in nanoseconds: less is no visible part of any tail that is printed
/// (METHODOLOGY.md, "Which windows count").
pub const LATE_AFTER_NS: u64 = 100_000;

/// What became of requests.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Due in the window.
    pub due: u64,
    /// Of these, sent.
    pub sent: u64,
    /// Of these, answered completely, rightly or not.
    pub completed: u64,
    /// Of these, answered rightly.
    pub ok: u64,
    /// Of those answered completely, how many had their content compared with the expected one.
    pub compared: u64,
    /// Sent, and still unanswered when the drain ended.
    pub in_flight_at_end: u64,
    /// Due, and still unsent when the drain ended.
    pub unsent_at_end: u64,
    /// Open loop: sent more than [`LATE_AFTER_NS`] late, waits for a free connection not counted.
    pub late: u64,
    /// Open loop: sent so late, waits for a free connection not counted, that the next of the same thread was due by then.
    pub overtaken: u64,
    /// Right answers that arrived during the window, whenever their requests were due: the throughput.
    pub ok_in_window: u64,
    /// Right answers since the run's start, those before the window and after it included: what a server's CPU time over the
    /// whole run was spent on.
    pub ok_in_all: u64,
}

/// What became of connections.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct ConnectionCounts {
    /// How many the plan asks for.
    pub planned: u64,
    /// How many were open when the warm-up began.
    pub open_at_start: u64,
    /// None was ever open.
    pub unreachable: bool,
    /// At the end, with requests still to be sent, the last attempt to open each of them had failed.
    pub lost: bool,
    /// How many were opened again during the window.
    pub reopened: u64,
    /// How many the server closed during the window, while idle or with an answer.
    pub closed_by_server: u64,
    /// How many carried all the requests that their policy lets them and had them all answered, since the run's start,
    /// whoever closed them then.
    pub completed: u64,
    /// Right answers in the window on the connection that got fewest.
    pub least_answers: u64,
    /// Right answers in the window on the connection that got most.
    pub most_answers: u64,
}

impl Counts {
    pub(crate) fn merge(&mut self, other: &Counts) {
        self.due += other.due;
        self.sent += other.sent;
        self.completed += other.completed;
        self.ok += other.ok;
        self.compared += other.compared;
        self.in_flight_at_end += other.in_flight_at_end;
        self.unsent_at_end += other.unsent_at_end;
        self.late += other.late;
        self.overtaken += other.overtaken;
        self.ok_in_window += other.ok_in_window;
        self.ok_in_all += other.ok_in_all;
    }
}

impl ConnectionCounts {
    pub(crate) fn merge(&mut self, other: &ConnectionCounts) {
        self.planned += other.planned;
        self.open_at_start += other.open_at_start;
        self.unreachable &= other.unreachable;
        self.lost &= other.lost;
        self.reopened += other.reopened;
        self.closed_by_server += other.closed_by_server;
        self.completed += other.completed;
        self.least_answers = self.least_answers.min(other.least_answers);
        self.most_answers = self.most_answers.max(other.most_answers);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_add_up_and_extremes_are_kept() {
        let mut sum = Counts { due: 3, overtaken: 1, ..Counts::default() };
        sum.merge(&Counts { due: 2, overtaken: 4, ..Counts::default() });
        assert_eq!((sum.due, sum.overtaken), (5, 5));
        let of = |least_answers, most_answers| ConnectionCounts {
            least_answers,
            most_answers,
            unreachable: least_answers == 0,
            ..ConnectionCounts::default()
        };
        let mut connections = of(0, 2);
        connections.merge(&of(1, 9));
        assert_eq!(
            (connections.least_answers, connections.most_answers, connections.unreachable),
            (0, 9, false)
        );
    }
}
