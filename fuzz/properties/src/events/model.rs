//! When each answer is due: a model of one connection that knows neither kit nor hyper.
//!
//! Requests of a connection are served one after the other. Each is whole at the event that brings its last byte, is begun when the one
//! before it is answered, and takes as long as its operation does: nothing, a delay, or [`OPERATION_MS`] on a pool.

use std::{ops::RangeInclusive, time::Duration};

use app::{Operation, Request};

use super::{
    event::{Event, Events},
    row::{Place, Row},
};
use crate::{
    connection::{End, Frugal, MAX_CONTENT_BYTES},
    expected::{expected, path_and_query},
    requests::{self, Message, Reading, Stop},
    route::{Verdict, contract},
};

/// How long a CPU-bound operation takes on a pool, milliseconds.
pub const OPERATION_MS: u64 = 10;

/// What a sequence of events demands of a row.
#[derive(Clone, Debug)]
pub struct Course<'a> {
    /// All that is sent.
    pub bytes: &'a [u8],
    /// What that is.
    pub reading: Reading<'a>,
    /// When each message is answered, since the beginning.
    pub due: Vec<Duration>,
    /// The client ends its sending half.
    pub ends: bool,
    /// When the client resets the connection, since the beginning.
    pub reset_at: Option<Duration>,
}

impl<'a> Course<'a> {
    /// Of `events`, which send `bytes` in all.
    pub fn of(events: &Events, bytes: &'a [u8], row: &Row) -> Self {
        let mut reading = requests::read(bytes);
        if events.room.is_some() && !matches!(reading.stop, Stop::End | Stop::EmptyLines | Stop::Closed) {
            // A client that takes its answers slowly may be cut off within a refusal: nothing behind the messages is judged.
            reading.stop = Stop::Unclear;
        }
        let (mut now, mut sent) = (Duration::ZERO, 0);
        let (mut whole_at, mut ends, mut reset_at) = (Vec::new(), false, None);
        for event in &events.events {
            match event {
                Event::Wait(time) => now += *time,
                Event::Bytes(more) => {
                    sent += more.len();
                    let whole = requests::read(&bytes[..sent]).messages.len();
                    whole_at.resize(whole.max(whole_at.len()), now);
                }
                Event::End => ends = true,
                Event::Reset => reset_at = Some(now),
                Event::Take(_) => {}
            }
        }
        let mut before = Duration::ZERO;
        let due = reading.messages.iter().zip(whole_at).map(|(message, whole_at)| {
            before = before.max(whole_at) + takes(message, row);
            before
        });
        let due = due.collect();
        Self { bytes, reading, due, ends, reset_at }
    }

    /// How the client ends, as [`request_path`](crate::request_path) judges it.
    pub fn end(&self) -> End {
        if self.ends || self.reset_at.is_some() { End::Close } else { End::Silence }
    }

    /// How many answers must, and how many may have been written before the reset. What is due at its very moment may go either
    /// way, and so may all from a message on that may be refused or be the last.
    pub fn due_before_reset(&self) -> RangeInclusive<usize> {
        let Some(reset_at) = self.reset_at else { return 0..=self.due.len() };
        let is_plain = |message: &&Message<'_>| {
            let may_close = message.refusable || message.is_http_10 || message.expects_continue;
            !may_close && !expected(message).closes
        };
        let certain = self.reading.messages.iter().take_while(is_plain).count();
        let must = self.due.iter().take(certain).filter(|&&due| due < reset_at).count();
        let may = self.due.iter().filter(|&&due| due <= reset_at).count();
        // What is no message may be refused as soon as those before it are answered.
        let refusal = usize::from(may == self.due.len() || certain < self.due.len());
        must..=may + refusal
    }
}

/// How long the answer to `message` takes.
fn takes(message: &Message<'_>, row: &Row) -> Duration {
    let (path, query) = path_and_query(message);
    let milliseconds = match contract(message.method, path, query) {
        _ if message.content.len() > MAX_CONTENT_BYTES => 0,
        Verdict::Accepted(Request::Operation(Operation::Delay { milliseconds })) => milliseconds,
        Verdict::Accepted(Request::Operation(
            operation @ (Operation::Complex { .. } | Operation::Randoms { .. }),
        )) if row.place == Place::Pool && Frugal::computes(&operation) => OPERATION_MS,
        _ => 0,
    };
    Duration::from_millis(milliseconds)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::events::{event::PARTS, row::ROWS};

    #[test]
    fn answers_are_due_one_after_the_other_and_as_their_requests_become_whole() {
        let ms = Duration::from_millis;
        let bytes = |part: usize| Event::Bytes(PARTS[part].into());
        let events = vec![
            bytes(1),
            bytes(2),
            Event::Wait(ms(20)),
            bytes(19),
            Event::Wait(ms(100)),
            Event::Bytes(b"\r\n".to_vec()),
            Event::End,
            Event::Wait(ms(20)),
            Event::Reset,
        ];
        let events = Events { room: None, events };
        let sent = events.sent();
        let course = |row| Course::of(&events, &sent, &ROWS[row]);
        assert_eq!(course(0).due, [ms(50), ms(50), ms(170)]);
        assert_eq!(course(3).due, [ms(50), ms(60), ms(170)]);
        assert_eq!((course(0).ends, course(0).reset_at), (true, Some(ms(140))));
        assert_eq!(course(0).due_before_reset(), 2..=2);
    }
}
