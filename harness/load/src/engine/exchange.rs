//! What happens on a connection: events become answers, failures and the next requests.

use rustix::io::Errno;

use super::{
    Engine,
    agenda::{Appointment, Task},
    poller::Ready,
    waiting::MOST_UNREAD_BYTES,
};
use crate::{
    clocked::{Receipt, ReceivedBy, Timing},
    connection::{Received, State},
    errors::ErrorKind,
    os_error::OsError,
    timeline::Lost,
    witness::{End, Event},
};

/// So many full reads in a row, and a connection waits until others have had their turn: an answer without an end must keep
/// neither them nor whoever asks the run to end.
const MOST_READS_IN_A_ROW: u32 = 16;

impl Engine<'_> {
    #[inline]
    pub(super) fn handle(&mut self, ready: Ready) {
        let index = ready.connection as usize;
        let connection = &mut self.connections[index];
        if connection.generation != ready.generation {
            return;
        }
        connection.closing |= ready.is_closing();
        if connection.state == State::Connecting {
            self.handshake_ended(index);
            // The event may tell of the connection's end too, and no other will.
            if !ready.is_closing() || self.connections[index].generation != ready.generation {
                return;
            }
        }
        let connection = &self.connections[index];
        match connection.state {
            State::Closed | State::Connecting | State::Retired => {}
            State::Open if connection.in_flight.is_empty() => self.idle_event(index, ready),
            State::Open => self.busy_event(index, ready),
        }
    }

    fn handshake_ended(&mut self, index: usize) {
        let now_ns = self.clock.now_ns();
        match self.connections[index].finish_connecting() {
            Ok(()) => self.connected(index, now_ns),
            Err(error) => self.connect_failed(index, now_ns, error),
        }
    }

    /// Nothing is expected: whatever there is to read, bytes or an end, ends the connection.
    fn idle_event(&mut self, index: usize, ready: Ready) {
        if !ready.is_readable() {
            return;
        }
        let received = self.connections[index].receive(&mut self.buffer, &mut self.control, &mut self.calls);
        if received != Received::Nothing {
            let now_ns = self.clock.now_ns();
            let was_reset = matches!(received, Received::Broken(_));
            self.lost(index, now_ns, if was_reset { Lost::Reset } else { Lost::ClosedIdle });
            self.closed_by_server(index, now_ns);
            self.reopen(index, now_ns, End::Unannounced);
        }
    }

    #[inline]
    fn busy_event(&mut self, index: usize, ready: Ready) {
        if ready.is_writable() && self.connections[index].is_writing() {
            let generation = self.connections[index].generation;
            self.write(index, self.clock.now_ns());
            if self.connections[index].generation != generation {
                return;
            }
        }
        if ready.is_readable() && !self.connections[index].receive_planned {
            self.receive(index, None);
        }
    }

    /// Writes what the connection has to write, as far as it goes.
    #[inline]
    pub(super) fn write(&mut self, index: usize, now_ns: u64) {
        let connection = &mut self.connections[index];
        if !connection.is_writing() || connection.send_planned {
            return;
        }
        let wire = &self.wires[connection.lane];
        let written = connection.write(&wire.bytes, wire.request_bytes, wire.most_written(), &mut self.calls);
        if let Err(error) = written {
            // The answer may have come before the server closed.
            self.receive(index, Some(error));
        } else if let Some(throttle) = wire.sending
            && connection.is_writing()
        {
            connection.send_planned = true;
            let generation = connection.generation;
            let at_ns = now_ns + throttle.every_ns;
            self.agenda.add(Appointment { at_ns, connection: index as u32, generation, task: Task::Send });
        }
    }

    /// Reads what has come and, when that completes an answer, judges it and sends what an open loop has due meanwhile.
    /// A connection that is `broken`, as the system said, is read for the last time.
    #[inline]
    pub(super) fn receive(&mut self, index: usize, broken: Option<Errno>) {
        let throttle = self.wires[self.connections[index].lane].receiving;
        let most = throttle.map_or(self.buffer.len(), |throttle| throttle.bytes.min(self.buffer.len()));
        for reads in 1.. {
            let connection = &self.connections[index];
            let received = connection.receive(&mut self.buffer[..most], &mut self.control, &mut self.calls);
            let (receipt, read_ns) = self.receipt(index, received);
            if self.deadlines[index] <= receipt.at_ns && received != Received::Nothing {
                // Too late is too late, whether or not the sweep has come by.
                return self.failed(index, receipt.at_ns, ErrorKind::Timeout, None);
            }
            match received {
                Received::Bytes { bytes, .. } => {
                    self.dozes &= bytes <= MOST_UNREAD_BYTES;
                    if !self.digest(index, bytes, receipt) {
                        return;
                    }
                    let more = bytes == most || self.connections[index].closing;
                    if let Some(throttle) = throttle.filter(|_| more && broken.is_none()) {
                        self.receive_at(index, read_ns + throttle.every_ns);
                    } else if more && broken.is_none() && reads == MOST_READS_IN_A_ROW {
                        self.receive_at(index, self.clock.now_ns() + 1);
                    } else if more || broken.is_some() {
                        continue;
                    }
                    self.send_on_time(read_ns);
                    return;
                }
                Received::Nothing => {
                    if broken.is_some() {
                        self.failed(index, read_ns, ErrorKind::Reset, broken);
                    }
                    return;
                }
                Received::Broken(error) => {
                    return self.failed(index, read_ns, ErrorKind::Reset, Some(error));
                }
                Received::End => return self.ended(index, receipt),
            }
        }
    }

    /// Reads on at `at_ns`, whatever comes until then.
    fn receive_at(&mut self, index: usize, at_ns: u64) {
        let connection = &mut self.connections[index];
        if !std::mem::replace(&mut connection.receive_planned, true) {
            let (generation, task) = (connection.generation, Task::Receive);
            self.agenda.add(Appointment { at_ns, connection: index as u32, generation, task });
        }
    }

    /// When what was just read had been received, and what time it is. A stamp outside the time in which it can have been is
    /// none.
    #[inline]
    fn receipt(&self, index: usize, received: Received) -> (Receipt, u64) {
        /// How far two comparisons of the clocks may be apart, which a stamp is put right by.
        const TOLERANCE_NS: u64 = 1_000;
        let connection = &self.connections[index];
        let read = |timing| {
            let read_ns = self.clock.now_ns();
            (Receipt { at_ns: read_ns, timing }, read_ns)
        };
        if self.received_by[connection.lane] != ReceivedBy::Stamp {
            return read(Timing::Read);
        }
        let stamp_ns = match received {
            Received::Bytes { stamp_ns: Some(stamp_ns), .. } => stamp_ns,
            Received::Bytes { stamp_ns: None, .. } => return read(Timing::Unstamped),
            Received::Nothing | Received::End | Received::Broken(_) => return read(Timing::End),
        };
        let sent_ns = connection.in_flight.front().map_or(0, |ticket| ticket.sent_ns);
        let at_ns = self.axis.as_ref().and_then(|axis| axis.instant_of(stamp_ns));
        let Some(at_ns) = at_ns.filter(|at_ns| *at_ns >= sent_ns.saturating_sub(TOLERANCE_NS)) else {
            return read(Timing::Strayed);
        };
        // Where nothing is due by the clock, a stamp that lies before the last look at it needs no other.
        let read_ns =
            if self.has_open_loop || at_ns > self.woken_ns { self.clock.now_ns() } else { self.woken_ns };
        if at_ns > read_ns + TOLERANCE_NS {
            return read(Timing::Strayed);
        }
        (Receipt { at_ns: at_ns.min(read_ns).max(sent_ns), timing: Timing::Stamp }, read_ns)
    }

    /// A connection cannot be used again after a whole answer.
    pub(super) fn ended_with_answer(&mut self, index: usize, at_ns: u64, end: End) {
        let has_carried_all = self.connections[index].has_carried_all();
        self.abort(index, at_ns, ErrorKind::ClosedEarly, None);
        if end == End::Unannounced {
            self.lost(index, at_ns, Lost::ClosedIdle);
        }
        self.closed_by_server(index, at_ns);
        if has_carried_all {
            self.completed(index, at_ns);
        } else {
            self.reopen(index, at_ns, end);
        }
    }

    /// A connection has carried all that it may.
    pub(super) fn completed(&mut self, index: usize, at_ns: u64) {
        let connection = &self.connections[index];
        let lifetime_ns = at_ns.saturating_sub(connection.opened_ns);
        let lane = connection.lane;
        self.counts(index).completed += 1;
        if let Some(lifetime) = &mut self.lanes[lane].record_mut().lifetime {
            lifetime.record_ns(lifetime_ns);
        }
        self.reopen(index, at_ns, End::Completed);
    }

    /// Lets the connection's lane send one more request on it; in a shared pool, the lane is drawn first.
    #[inline]
    pub(super) fn offer(&mut self, index: usize, now_ns: u64) {
        let connection = &mut self.connections[index];
        if connection.allowance == 0 {
            return;
        }
        if connection.allowance != u32::MAX {
            connection.allowance -= 1;
        }
        if let Some(pool) = &mut self.pool {
            connection.lane = pool.draw(|lane| self.lanes[lane].has_more());
        }
        connection.offered += 1;
        self.lanes[connection.lane].connection_free(index as u32, now_ns);
    }

    /// Takes back what the connection's lane may still send on it.
    pub(super) fn withdraw(&mut self, index: usize) {
        let connection = &mut self.connections[index];
        if connection.offered > 0 {
            self.lanes[connection.lane].connection_lost(index as u32);
            connection.offered = 0;
        }
    }

    /// The server will send nothing more.
    fn ended(&mut self, index: usize, receipt: Receipt) {
        let at_ns = receipt.at_ns;
        let connection = &mut self.connections[index];
        if connection.in_flight.is_empty() {
            self.lost(index, at_ns, Lost::ClosedIdle);
            self.closed_by_server(index, at_ns);
            return self.reopen(index, at_ns, End::Unannounced);
        }
        match connection.parser.end_of_input() {
            Ok(response) => {
                connection.closing = true;
                self.answered(index, &response, 0..0, receipt);
            }
            Err(error) => self.unreadable(index, at_ns, error),
        }
    }

    /// The oldest request in flight failed for good, and with it its connection. `error` is what the system said.
    pub(super) fn failed(&mut self, index: usize, at_ns: u64, kind: ErrorKind, error: Option<Errno>) {
        let is_idle = self.connections[index].in_flight.is_empty();
        if kind == ErrorKind::Reset {
            self.lost(index, at_ns, Lost::Reset);
        } else if is_idle {
            self.lost(index, at_ns, Lost::ClosedIdle);
        }
        self.abort(index, at_ns, kind, error);
        self.reopen(index, at_ns, if is_idle { End::Unannounced } else { End::Failed });
    }

    fn lost(&mut self, index: usize, at_ns: u64, how: Lost) {
        self.lanes[self.connections[index].lane].lost(at_ns, how);
    }

    /// All requests in flight on a connection failed alike.
    fn abort(&mut self, index: usize, at_ns: u64, kind: ErrorKind, error: Option<Errno>) {
        let lane = self.connections[index].lane;
        let os_error = error.map(Errno::raw_os_error);
        while let Some(ticket) = self.connections[index].in_flight.pop_front() {
            self.lanes[lane].failed(ticket, at_ns, kind, error.map(OsError::from));
            self.tell(index, at_ns, Event::Failed { kind, os_error });
        }
    }
}
