//! Opening connections: gradually at the start, at once after a close that followed an answer, and with growing
//! pauses after failures, so that a server that refuses is not hammered.

use rustix::io::Errno;

use super::{
    Engine, NEVER,
    agenda::{Appointment, Task},
};
use crate::{
    clock::nanoseconds,
    clocked::ReceivedBy,
    connection::State,
    counts::ConnectionCounts,
    policy::{Afterwards, Opening},
    run_error::RunError,
    witness::{End, Event},
};

/// The most handshakes under way at once per thread while connections are first opened: below the smallest usual
/// accept queue (net.core.somaxconn was 128 before Linux 5.4).
const MAX_CONNECTING: usize = 64;

/// The pause after the first failure; it doubles up to the plan's longest.
const FIRST_PAUSE_NS: u64 = 1_000_000;

/// A pause of half an hour doubles no more.
const MAX_DOUBLINGS: u32 = 21;

/// How long one wait lasts at most while connections are first opened.
const OPENING_TICK_NS: u64 = 10_000_000;

impl Engine<'_> {
    /// Opens every connection once that is to be opened ahead. Ends when each is open or has failed, or when the time
    /// is up: those that are missing are tried again while the run goes on.
    pub(super) fn open_all(&mut self) -> Result<(), RunError> {
        let until_ns = nanoseconds(self.plan.connect_within);
        let mut next = 0;
        loop {
            let now_ns = self.clock.now_ns();
            while next < self.connections.len() && self.connecting < MAX_CONNECTING && !self.stop.is_stopped()
            {
                if self.policy(next).opening == Opening::Ahead {
                    self.open(next, now_ns);
                }
                next += 1;
            }
            if (next == self.connections.len() && self.connecting == 0)
                || now_ns >= until_ns
                || self.stop.is_stopped()
            {
                (next..self.connections.len()).for_each(|rest| self.open_at(rest, now_ns));
                return Ok(());
            }
            let timeout_ns = OPENING_TICK_NS.min(until_ns - now_ns);
            let ready = self.poller.wait(timeout_ns).map_err(RunError::system("wait for connections"))?;
            (0..ready).for_each(|event| self.handle(self.poller.ready(event)));
        }
    }

    /// Makes the appointments of connections that are opened one by one while the run goes on.
    pub(super) fn plan_gradual_opening(&mut self) {
        let mut seen = vec![0_u64; self.lanes.len()];
        for index in 0..self.connections.len() {
            let lane = self.connections[index].lane;
            let position = seen[lane];
            seen[lane] += 1;
            if let Opening::Over(length) = self.policy(index).opening {
                let share = self.shares[lane];
                let number = position * u64::from(share.of) + u64::from(share.index);
                let at = length.mul_f64(number as f64 / self.connections_of_stream(lane).max(1) as f64);
                self.open_at(index, nanoseconds(at));
            }
        }
    }

    fn open_at(&mut self, index: usize, at_ns: u64) {
        let connection = index as u32;
        self.agenda.add(Appointment { at_ns, connection, generation: 0, task: Task::Open });
    }

    /// Starts a handshake.
    pub(super) fn open(&mut self, index: usize, now_ns: u64) {
        self.connecting += 1;
        self.tell(index, now_ns, Event::Opening);
        let policy = self.policy(index);
        let poller = &self.poller;
        let connection = &mut self.connections[index];
        let with_stamps = self.received_by[connection.lane] == ReceivedBy::Stamp;
        let opened = connection.open(&self.plan.target, policy, with_stamps, |socket, generation| {
            poller.register(socket, index as u32, generation)
        });
        if connection.left == policy.requests_each.unwrap_or(u32::MAX) {
            connection.opened_ns = now_ns;
        }
        match opened {
            Ok(()) if connection.state == State::Open => self.connected(index, now_ns),
            Ok(()) => self.deadlines[index] = now_ns.saturating_add(self.timeout_ns),
            Err(error) => self.connect_failed(index, now_ns, error),
        }
    }

    /// A handshake succeeded.
    pub(super) fn connected(&mut self, index: usize, now_ns: u64) {
        self.connecting -= 1;
        self.deadlines[index] = NEVER;
        self.connections[index].failed_to_open = false;
        self.tell(index, now_ns, Event::Open);
        let depth = self.policy(index).pipeline;
        self.counts(index).unreachable = false;
        (0..depth).for_each(|_| self.offer(index, now_ns));
        let lane = self.connections[index].lane;
        self.send_on(lane, now_ns);
    }

    /// A handshake failed, or could not even be started.
    pub(super) fn connect_failed(&mut self, index: usize, now_ns: u64, error: Errno) {
        self.connecting -= 1;
        self.dozes = false;
        self.deadlines[index] = NEVER;
        self.lanes[self.connections[index].lane].connect_failed(now_ns, error.into());
        self.connections[index].close();
        // What happens to it behind the window's end says nothing of the run.
        self.connections[index].failed_to_open |= now_ns < self.window.closes_ns;
        self.tell(index, now_ns, Event::OpenFailed { os_error: error.raw_os_error() });
        if self.policy(index).then.retires() {
            return self.retire(index, now_ns);
        }
        let fruitless = self.connections[index].fruitless;
        self.connections[index].fruitless += 1;
        self.open_at(index, now_ns.saturating_add(self.pause_ns(fruitless)));
    }

    /// How long the next attempt waits after so many that brought nothing.
    fn pause_ns(&self, fruitless: u32) -> u64 {
        pause_ns(fruitless, nanoseconds(self.plan.longest_pause))
    }

    /// Gives up a socket that is of no further use, and opens another where the policy says so: at once, unless this one
    /// never brought an answer.
    pub(super) fn reopen(&mut self, index: usize, now_ns: u64, end: End) {
        self.tell(index, now_ns, Event::Ended(end));
        // Where connections come and go, a request may wait for the next one.
        self.dozes = false;
        let connection = &self.connections[index];
        let left = connection.allowance.saturating_add(connection.offered);
        self.withdraw(index);
        self.deadlines[index] = NEVER;
        self.connections[index].close();
        let goes_on = match self.policy(index).then {
            Afterwards::Reopen => true,
            Afterwards::ReopenIfAnnounced => {
                self.connections[index].left = left;
                end == End::Announced && left > 0
            }
            Afterwards::Retire => false,
        };
        if !goes_on {
            return self.retire(index, now_ns);
        }
        let in_window = self.window.contains(now_ns);
        self.counts(index).reopened += u64::from(in_window);
        let fruitless = self.connections[index].fruitless;
        self.connections[index].fruitless += 1;
        if fruitless == 0 {
            self.open(index, now_ns);
        } else {
            self.open_at(index, now_ns.saturating_add(self.pause_ns(fruitless)));
        }
    }

    fn retire(&mut self, index: usize, now_ns: u64) {
        self.tell(index, now_ns, Event::Retired);
        self.connections[index].state = State::Retired;
        self.retired += 1;
    }

    pub(super) fn closed_by_server(&mut self, index: usize, now_ns: u64) {
        let in_window = self.window.contains(now_ns);
        self.counts(index).closed_by_server += u64::from(in_window);
    }

    /// Where a connection is counted: with its stream, or with the first of those that share it.
    pub(super) fn counts(&mut self, index: usize) -> &mut ConnectionCounts {
        let lane = if self.pool.is_some() { 0 } else { self.connections[index].lane };
        &mut self.lanes[lane].record_mut().connections
    }

    /// Does what the agenda says is to be done by now.
    pub(super) fn keep_appointments(&mut self, now_ns: u64) {
        while !self.stop.is_stopped()
            && let Some(Appointment { connection, generation, task, .. }) = self.agenda.take_due(now_ns)
        {
            let index = connection as usize;
            if task == Task::Open {
                self.open(index, now_ns);
            } else if self.connections[index].generation == generation {
                match task {
                    Task::Send => {
                        self.connections[index].send_planned = false;
                        self.write(index, now_ns);
                    }
                    _ => {
                        self.connections[index].receive_planned = false;
                        self.receive(index, None);
                    }
                }
            }
        }
    }
}

fn pause_ns(fruitless: u32, longest_ns: u64) -> u64 {
    (FIRST_PAUSE_NS << fruitless.min(MAX_DOUBLINGS)).min(longest_ns.max(1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let pauses =
            |longest_ms: u64| [0, 1, 7, 99].map(|fruitless| pause_ns(fruitless, longest_ms * 1_000_000));
        assert_eq!(pauses(128), [1, 2, 128, 128].map(|ms| ms * 1_000_000));
        assert_eq!(pauses(4), [1, 2, 4, 4].map(|ms| ms * 1_000_000));
    }
}
