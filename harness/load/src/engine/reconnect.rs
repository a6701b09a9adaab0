//! Opening connections: gradually at the start, at once after a close that followed an answer, and with growing
//! pauses after failures, so that a server that refuses is not hammered.

use std::{cmp::Reverse, collections::BinaryHeap};

use super::{Engine, NEVER};
use crate::{clock::nanoseconds, connection::State, control::RunError};

/// The most handshakes under way at once per thread while connections are first opened: below the smallest usual
/// accept queue (net.core.somaxconn was 128 before Linux 5.4).
const MAX_CONNECTING: usize = 64;

/// The pause after the first failure; it doubles up to `2^MAX_DOUBLINGS` times as long.
const FIRST_PAUSE_NS: u64 = 1_000_000;

/// 128 ms at most.
const MAX_DOUBLINGS: u32 = 7;

/// How long one wait lasts at most while connections are first opened.
const OPENING_TICK_NS: u64 = 10_000_000;

/// Connections that are to be opened, and when. Each is in it at most once.
#[derive(Debug)]
pub(crate) struct Reconnects(BinaryHeap<Reverse<(u64, u32)>>);

impl Reconnects {
    pub(crate) fn with_capacity(connections: usize) -> Self {
        Self(BinaryHeap::with_capacity(connections))
    }

    fn schedule(&mut self, connection: usize, fruitless: u32, now_ns: u64) {
        let pause_ns = FIRST_PAUSE_NS << fruitless.min(MAX_DOUBLINGS);
        self.0.push(Reverse((now_ns.saturating_add(pause_ns), connection as u32)));
    }

    fn take_due(&mut self, now_ns: u64) -> Option<usize> {
        if self.next_ns()? > now_ns {
            return None;
        }
        self.0.pop().map(|Reverse((_, connection))| connection as usize)
    }

    /// When the next one is to be opened.
    pub(crate) fn next_ns(&self) -> Option<u64> {
        self.0.peek().map(|Reverse((at_ns, _))| *at_ns)
    }

    /// The time axis starts anew: all that wait are due at its start.
    pub(crate) fn restart(&mut self) {
        let waiting: Vec<_> =
            self.0.drain().map(|Reverse((_, connection))| Reverse((0, connection))).collect();
        self.0.extend(waiting);
    }
}

impl Engine<'_> {
    /// Opens every connection once. Ends when each is open or has failed, or when the time is up: those that are
    /// missing are tried again while the run goes on.
    pub(super) fn open_all(&mut self) -> Result<(), RunError> {
        let until_ns = nanoseconds(self.plan.connect_within);
        let mut opened = 0;
        loop {
            let now_ns = self.clock.now_ns();
            while opened < self.connections.len() && self.connecting < MAX_CONNECTING {
                self.open(opened, now_ns);
                opened += 1;
            }
            if (opened == self.connections.len() && self.connecting == 0)
                || now_ns >= until_ns
                || self.stop.is_stopped()
            {
                (opened..self.connections.len()).for_each(|rest| self.reconnects.schedule(rest, 0, now_ns));
                return Ok(());
            }
            let timeout_ns = OPENING_TICK_NS.min(until_ns - now_ns);
            let ready = self.poller.wait(timeout_ns).map_err(RunError::system("wait for connections"))?;
            (0..ready).for_each(|event| self.handle(self.poller.ready(event)));
        }
    }

    /// Starts a handshake.
    fn open(&mut self, index: usize, now_ns: u64) {
        self.connecting += 1;
        let poller = &self.poller;
        let connection = &mut self.connections[index];
        let opened = connection
            .open(&self.plan.target, |socket, generation| poller.register(socket, index as u32, generation));
        match opened {
            Ok(()) if connection.state == State::Idle => self.connected(index, now_ns),
            Ok(()) => self.deadlines[index] = now_ns.saturating_add(self.timeout_ns),
            Err(_) => self.connect_failed(index, now_ns),
        }
    }

    /// A handshake succeeded.
    pub(super) fn connected(&mut self, index: usize, now_ns: u64) {
        self.connecting -= 1;
        self.deadlines[index] = NEVER;
        let lane = self.connections[index].lane;
        if now_ns < self.window.opens_ns || !self.started {
            self.lanes[lane].record_mut().connections.unreachable = false;
        }
        self.lanes[lane].connection_free(index as u32, now_ns);
        self.send_on(lane, now_ns);
    }

    /// A handshake failed, or could not even be started.
    pub(super) fn connect_failed(&mut self, index: usize, now_ns: u64) {
        self.connecting -= 1;
        self.deadlines[index] = NEVER;
        let connection = &mut self.connections[index];
        connection.close();
        self.lanes[connection.lane].connect_failed(now_ns);
        self.reconnects.schedule(index, connection.fruitless, now_ns);
        connection.fruitless += 1;
    }

    /// Opens a connection again whose socket is of no further use: at once, unless it never brought an answer.
    pub(super) fn reopen(&mut self, index: usize, now_ns: u64) {
        let connection = &mut self.connections[index];
        connection.close();
        let counts = &mut self.lanes[connection.lane].record_mut().connections;
        counts.reopened += u64::from(self.window.contains(now_ns));
        let fruitless = connection.fruitless;
        connection.fruitless += 1;
        if fruitless == 0 {
            self.open(index, now_ns);
        } else {
            self.reconnects.schedule(index, fruitless, now_ns);
        }
    }

    pub(super) fn closed_by_server(&mut self, index: usize, now_ns: u64) {
        let counts = &mut self.lanes[self.connections[index].lane].record_mut().connections;
        counts.closed_by_server += u64::from(self.window.contains(now_ns));
    }

    /// Opens what has paused long enough.
    pub(super) fn open_due(&mut self, now_ns: u64) {
        while let Some(index) = self.reconnects.take_due(now_ns) {
            self.open(index, now_ns);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_a_limit() {
        let mut reconnects = Reconnects::with_capacity(4);
        for (fruitless, pause_ms) in [(0, 1), (1, 2), (7, 128), (99, 128)] {
            reconnects.schedule(0, fruitless, 5);
            assert_eq!(reconnects.next_ns(), Some(5 + pause_ms * 1_000_000));
            assert_eq!(reconnects.take_due(4 + pause_ms * 1_000_000), None);
            assert_eq!(reconnects.take_due(5 + pause_ms * 1_000_000), Some(0));
        }
    }
}
