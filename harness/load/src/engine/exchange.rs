//! What happens on a connection: events become answers, failures and the next requests.

use super::{Engine, NEVER, poller::Ready};
use crate::{
    check::Mismatch,
    connection::{Received, State},
    errors::ErrorKind,
    outcome::WrongAnswer,
    response::Response,
};

impl Engine<'_> {
    #[inline]
    pub(super) fn handle(&mut self, ready: Ready) {
        let index = ready.connection as usize;
        if self.connections[index].generation != ready.generation {
            return;
        }
        match self.connections[index].state {
            State::Closed => {}
            State::Connecting => self.handshake_ended(index),
            State::Idle => self.idle_event(index, ready),
            State::Busy => self.busy_event(index, ready),
        }
    }

    fn handshake_ended(&mut self, index: usize) {
        let now_ns = self.clock.now_ns();
        match self.connections[index].finish_connecting() {
            Ok(()) => self.connected(index, now_ns),
            Err(_) => self.connect_failed(index, now_ns),
        }
    }

    fn idle_event(&mut self, index: usize, ready: Ready) {
        if !ready.is_readable() || self.connections[index].is_quiet(&mut self.buffer, &mut self.calls) {
            return;
        }
        let now_ns = self.clock.now_ns();
        let lane = self.connections[index].lane;
        self.lanes[lane].connection_lost(index as u32);
        self.closed_by_server(index, now_ns);
        self.reopen(index, now_ns);
    }

    #[inline]
    fn busy_event(&mut self, index: usize, ready: Ready) {
        let stream = &self.plan.streams[self.streams[self.connections[index].lane]];
        let connection = &mut self.connections[index];
        let mut closing = ready.is_closing();
        let mut broken = false;
        if ready.is_writable() && connection.is_writing(stream.request.bytes().len()) {
            broken = !connection.write(stream.request.bytes(), &mut self.calls);
            closing |= broken;
        }
        if ready.is_readable() || broken {
            self.receive(index, closing, broken);
        }
    }

    /// Reads an answer and, when it is complete, judges it and sends whatever has become due meanwhile.
    #[inline]
    fn receive(&mut self, index: usize, closing: bool, broken: bool) {
        let connection = &mut self.connections[index];
        match connection.receive(&mut self.buffer, closing, &self.clock, &mut self.calls) {
            Received::Pending if broken => {
                let now_ns = self.clock.now_ns();
                self.failed(index, now_ns, ErrorKind::Reset);
            }
            Received::Pending => {}
            Received::Failed { kind, at_ns } => self.failed(index, at_ns, kind),
            Received::Answer { response, input_bytes, at_ns, reusable } => {
                self.answered(index, &response, input_bytes, at_ns, reusable);
            }
        }
    }

    #[inline]
    fn answered(
        &mut self,
        index: usize,
        response: &Response,
        input_bytes: usize,
        at_ns: u64,
        reusable: bool,
    ) {
        let connection = &mut self.connections[index];
        let lane = &mut self.lanes[connection.lane];
        let stream = &self.plan.streams[self.streams[connection.lane]];
        let body = connection.body(response, &self.buffer[..input_bytes]);
        let result = stream.check.check(response.status, body).map_err(|mismatch| {
            let kind = kind_of(&mismatch, response.status);
            lane.record_mut()
                .first_wrong
                .get_or_insert_with(|| describe(kind, response.status, &mismatch, body));
            kind
        });
        connection.fruitless = 0;
        connection.ok_in_window += u64::from(lane.finish(connection.ticket, at_ns, result));
        let whole_request_sent = !connection.is_writing(stream.request.bytes().len());
        self.deadlines[index] = NEVER;
        if reusable && whole_request_sent {
            connection.state = State::Idle;
            lane.connection_free(index as u32, at_ns);
            self.send_due(at_ns);
        } else {
            self.closed_by_server(index, at_ns);
            self.reopen(index, at_ns);
        }
    }

    /// A request failed for good, and with it its connection.
    pub(super) fn failed(&mut self, index: usize, at_ns: u64, kind: ErrorKind) {
        let connection = &mut self.connections[index];
        self.lanes[connection.lane].finish(connection.ticket, at_ns, Err(kind));
        self.deadlines[index] = NEVER;
        self.reopen(index, at_ns);
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
            let index = connection as usize;
            self.deadlines[index] = at_ns.saturating_add(self.timeout_ns);
            sent = true;
            let request = &self.plan.streams[self.streams[lane]].request;
            if !self.connections[index].start(ticket, request.bytes(), &mut self.calls) {
                self.receive(index, true, true);
            }
        }
        sent
    }
}

fn kind_of(mismatch: &Mismatch, status: u16) -> ErrorKind {
    match mismatch {
        Mismatch::Status => ErrorKind::of_status(status),
        Mismatch::Answer(_) => ErrorKind::WrongAnswer,
    }
}

fn describe(kind: ErrorKind, status: u16, mismatch: &Mismatch, body: &[u8]) -> WrongAnswer {
    /// Enough to recognise an error page.
    const EXCERPT_BYTES: usize = 200;
    let excerpt = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]).into_owned();
    WrongAnswer { kind, status, reason: mismatch.to_string(), excerpt }
}
