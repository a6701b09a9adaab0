//! What is due goes out on free connections.

use super::Engine;
use crate::{ticket::Ticket, witness::Event};

impl Engine<'_> {
    /// Sends whatever is due on the lanes of open loops, which must not wait for the rest of a batch. Those of closed loops do:
    /// to read all answers of a batch and then to write all requests takes less time than to alternate.
    #[inline]
    pub(super) fn send_on_time(&mut self, now_ns: u64) {
        for lane in 0..self.lanes.len() {
            if self.lanes[lane].is_open_loop() {
                self.send_on(lane, now_ns);
            }
        }
    }

    /// Sends whatever is due on any lane. Returns whether anything was sent.
    #[inline]
    pub(super) fn send_due(&mut self, now_ns: u64) -> bool {
        (0..self.lanes.len()).fold(false, |sent, lane| self.send_on(lane, now_ns) | sent)
    }

    /// Sends whatever is due on one lane, as far as it has free connections. `now_ns` may be a little old.
    #[inline]
    pub(super) fn send_on(&mut self, lane: usize, now_ns: u64) -> bool {
        if !self.started {
            return false;
        }
        self.lanes[lane].advance(now_ns);
        let mut sent = false;
        while self.lanes[lane].has_work(now_ns) {
            let at_ns = self.clock.now_ns();
            let Some((connection, ticket)) = self.lanes[lane].assign(at_ns) else { break };
            if self.plan.live && self.lanes[lane].is_open_loop() {
                self.board.lag.record_ns(ticket.lateness_ns());
            }
            sent = true;
            self.start(connection as usize, ticket);
        }
        if sent && self.wires[lane].pipelined {
            self.write_collected(now_ns);
        }
        sent
    }

    #[inline]
    fn start(&mut self, index: usize, ticket: Ticket) {
        self.tell(index, ticket.sent_ns, Event::Sent);
        let connection = &mut self.connections[index];
        let wire = &self.wires[connection.lane];
        if connection.in_flight.is_empty() {
            self.deadlines[index] = ticket.sent_ns.saturating_add(self.timeout_ns);
        }
        connection.offered -= 1;
        connection.take(ticket, wire.request_bytes, wire.answer_has_body);
        if wire.pipelined {
            self.collected.push(index as u32);
        } else {
            self.write(index, ticket.sent_ns);
        }
    }

    /// Writes what pipelining connections were given, each in one go.
    fn write_collected(&mut self, now_ns: u64) {
        let mut collected = std::mem::take(&mut self.collected);
        collected.drain(..).for_each(|index| self.write(index as usize, now_ns));
        self.collected = collected;
    }
}
