//! What was read becomes answers: framed, judged while they come, and recorded.

use std::ops::Range;

use super::{Engine, NEVER};
use crate::{
    check::{Check, Mismatch},
    clocked::Receipt,
    errors::ErrorKind,
    judging::EXCERPT_BYTES,
    outcome::{UnreadableAnswer, WrongAnswer},
    response::{Progress, Response, ResponseError},
    ticket::Answer,
    witness::{End, Event, WholeAnswer},
};

impl Engine<'_> {
    /// Parses the first `bytes` of the buffer. False when that was the connection's end.
    #[inline]
    pub(super) fn digest(&mut self, index: usize, bytes: usize, receipt: Receipt) -> bool {
        let at_ns = receipt.at_ns;
        let mut from = 0;
        while from < bytes {
            let connection = &mut self.connections[index];
            if connection.in_flight.is_empty() {
                // Bytes that nobody asked for.
                self.closed_by_server(index, at_ns);
                self.reopen(index, at_ns, End::Unannounced);
                return false;
            }
            if self.plan.first_byte && !connection.parser.has_begun() {
                connection.first_byte_ns = at_ns;
            }
            match connection.parser.feed(&self.buffer[from..bytes]) {
                Ok(Progress::NeedMore) => return true,
                Ok(Progress::Content(piece)) => {
                    let content = piece.content(&self.buffer[from..bytes]);
                    let (lane, stream) = (connection.lane, &self.plan.streams[self.streams[connection.lane]]);
                    let is_wanted = || self.lanes[lane].wants_comparison(stream.verify);
                    connection.judging.take(&*stream.check, content, is_wanted);
                    from += piece.consumed;
                }
                Ok(Progress::Complete(response)) => {
                    let input = from..bytes;
                    from += response.consumed;
                    if from < bytes && connection.in_flight.len() == 1 {
                        // More bytes than were asked for make the answer before them doubtful.
                        self.failed(index, at_ns, ErrorKind::Malformed, None);
                        return false;
                    }
                    if !self.answered(index, &response, input, receipt) {
                        return false;
                    }
                }
                Err(error) => {
                    self.unreadable(index, at_ns, error);
                    return false;
                }
            }
        }
        true
    }

    /// The oldest request in flight got a whole answer. False when the connection cannot be used again.
    #[inline]
    pub(super) fn answered(
        &mut self,
        index: usize,
        response: &Response,
        input: Range<usize>,
        receipt: Receipt,
    ) -> bool {
        let at_ns = receipt.at_ns;
        let connection = &mut self.connections[index];
        let number = connection.lane;
        let lane = &mut self.lanes[number];
        let stream = &self.plan.streams[self.streams[number]];
        let whole_request_sent = connection.has_written_oldest(self.wires[number].request_bytes);
        let reusable = response.keep_alive && !connection.closing && whole_request_sent;
        let Some(ticket) = connection.in_flight.pop_front() else { return true };
        let body = response.content(&self.buffer[input]);
        let (judged, compared) = if response.in_pieces {
            connection.judging.take(&*stream.check, body, || true);
            connection.judging.conclude(&*stream.check, response.status)
        } else {
            let compared = lane.wants_comparison(stream.verify);
            (judge(&*stream.check, response.status, body, compared), compared)
        };
        let result = judged.map_err(|mismatch| {
            let kind = kind_of_mismatch(&mismatch, response.status);
            let body = if response.in_pieces { connection.judging.kept() } else { body };
            lane.record_mut()
                .first_wrong
                .get_or_insert_with(|| describe(kind, response.status, &mismatch, body));
            kind
        });
        if self.plan.live && result.is_ok() {
            self.board.response.record_ns(ticket.response_ns(at_ns));
        }
        let first_byte_ns = self.plan.first_byte.then_some(connection.first_byte_ns);
        let answer = Answer { receipt, first_byte_ns, status: response.status, result, compared };
        connection.fruitless = 0;
        connection.ok_in_window += u64::from(lane.answered(ticket, answer));
        self.deadlines[index] =
            connection.in_flight.front().map_or(NEVER, |next| next.sent_ns.saturating_add(self.timeout_ns));
        let whole = WholeAnswer {
            status: response.status,
            sent_ns: ticket.sent_ns,
            first_byte_ns,
            head_bytes: response.head_bytes as u64,
            content_bytes: response.content_bytes,
            keep_alive: response.keep_alive,
        };
        self.tell(index, at_ns, Event::Answered(whole));
        if !reusable {
            let end = if response.keep_alive { End::Unannounced } else { End::Announced };
            self.ended_with_answer(index, at_ns, end);
            return false;
        }
        let connection = &mut self.connections[index];
        if connection.allowance > 0 {
            self.offer(index, at_ns);
        } else if connection.has_carried_all() {
            self.completed(index, at_ns);
            return false;
        }
        true
    }

    /// What came is no answer, or none within the limits.
    pub(super) fn unreadable(&mut self, index: usize, at_ns: u64, error: ResponseError) {
        let kind = match error {
            ResponseError::Malformed(_) => ErrorKind::Malformed,
            ResponseError::HeadTooLarge { .. } | ResponseError::BodyTooLarge { .. } => ErrorKind::TooLarge,
            ResponseError::ClosedEarly => ErrorKind::ClosedEarly,
        };
        if kind != ErrorKind::ClosedEarly {
            let record = self.lanes[self.connections[index].lane].record_mut();
            let reason = || UnreadableAnswer { kind, reason: error.to_string() };
            record.first_unreadable.get_or_insert_with(reason);
        }
        self.failed(index, at_ns, kind, None);
    }
}

/// Judges a whole answer: its content only where that is to be compared.
#[inline]
fn judge(check: &dyn Check, status: u16, body: &[u8], compared: bool) -> Result<(), Mismatch> {
    if compared {
        check.check(status, body)
    } else if check.accepts(status) {
        Ok(())
    } else {
        Err(Mismatch::Status)
    }
}

fn kind_of_mismatch(mismatch: &Mismatch, status: u16) -> ErrorKind {
    match mismatch {
        Mismatch::Status => ErrorKind::of_status(status),
        Mismatch::Answer(_) => ErrorKind::WrongAnswer,
    }
}

fn describe(kind: ErrorKind, status: u16, mismatch: &Mismatch, body: &[u8]) -> WrongAnswer {
    let excerpt = String::from_utf8_lossy(&body[..body.len().min(EXCERPT_BYTES)]).into_owned();
    WrongAnswer { kind, status, reason: mismatch.to_string(), excerpt }
}
