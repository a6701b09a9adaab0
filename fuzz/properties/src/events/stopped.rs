//! What a connection makes of a stop of its server, which may come between any two events.
//!
//! The same events are played twice, without the stop and with it; an input's first byte says how long the linger is, and its second before which event the
//! stop comes. What must hold:
//! - the answers with the stop are the first of those without it, apart from the close that the last one announces;
//! - a request of which a byte was sent before the stop is answered, if it is without it, wherever that byte lay;
//! - the first answer due after the stop behind which nothing has been sent is the last one, and says so;
//! - with a linger longer than the sequence, no connection ends without having said so;
//! - the connection ends by itself, and no operation is left in flight.

use std::time::Duration;

use super::{
    event::{Event, Events, Halt},
    model::Course,
    play::{Sight, play, play_stopped},
    played::Played,
    row::{ROWS, Row},
};
use crate::{
    Violation,
    answers::Answer,
    request_path::answers_of,
    requests::{self, Stop},
    violation,
};

/// Checks kit's connection.
///
/// # Errors
/// What it does that the contract forbids.
pub fn check(input: &[u8]) -> Result<(), Violation> {
    check_server(|row, events, halt| play_stopped(row, events, halt, Sight::Good), input)
}

/// Checks any server of which one connection can be played.
///
/// # Errors
/// What it does that the contract forbids.
pub fn check_server(
    server: impl Fn(&Row, &Events, Halt) -> Result<Played, Violation>,
    input: &[u8],
) -> Result<(), Violation> {
    let (halt, rest) = Halt::parse(input);
    let mut events = Events::parse(rest);
    // A reset is what a client makes of its connection, stop or no stop: `events` has that.
    events.events.retain(|event| *event != Event::Reset);
    let halt = Halt { before: halt.before % (events.events.len() + 1), ..halt };
    let bytes = events.sent();
    let sent = Sent::of(&events, &bytes, halt);
    for row in ROWS {
        let course = Course::of(&events, &bytes, row);
        let plain = play(row, &events, Sight::Good)?;
        let stopped = server(row, &events, halt)?;
        judge(&course, &sent, events.room.is_some(), &plain, &stopped)
            .map_err(|Violation(what)| Violation(format!("{}, {halt:?}: {what}", row.name)))?;
    }
    Ok(())
}

/// What had been sent at each event, and at the stop.
struct Sent {
    /// Since the beginning; requests of which a byte was sent by then, with the event included.
    begun: Vec<(Duration, usize)>,
    /// When the stop came.
    stopped_at: Duration,
    /// Requests of which a byte was sent before it.
    begun_before_stop: usize,
    /// The linger is longer than the sequence.
    outlasts: bool,
}

impl Sent {
    fn of(events: &Events, bytes: &[u8], halt: Halt) -> Self {
        let (mut now, mut sent) = (Duration::ZERO, 0);
        let mut begun = vec![(now, 0)];
        let (mut stopped_at, mut begun_before_stop) = (now, 0);
        for (number, event) in events.events.iter().enumerate() {
            if number == halt.before {
                (stopped_at, begun_before_stop) = (now, begun_in(&bytes[..sent]));
            }
            match event {
                Event::Wait(time) => now += *time,
                Event::Bytes(more) => sent += more.len(),
                Event::Take(_) | Event::End | Event::Reset => {}
            }
            begun.push((now, begun_in(&bytes[..sent])));
        }
        if halt.before >= events.events.len() {
            (stopped_at, begun_before_stop) = (now, begun_in(bytes));
        }
        Self { begun, stopped_at, begun_before_stop, outlasts: halt.linger == Halt::LONGEST }
    }

    /// How many requests have begun at `time`, at the end of it.
    fn begun_at(&self, time: Duration) -> usize {
        self.begun.iter().take_while(|(at, _)| *at <= time).last().map_or(0, |(_, begun)| *begun)
    }
}

fn begun_in(bytes: &[u8]) -> usize {
    let reading = requests::read(bytes);
    let is_more = bytes[reading.at..].iter().any(|byte| !matches!(byte, b'\r' | b'\n'));
    reading.messages.len() + usize::from(is_more)
}

fn judge(
    course: &Course<'_>,
    sent: &Sent,
    is_slow: bool,
    plain: &Played,
    stopped: &Played,
) -> Result<(), Violation> {
    if !stopped.is_over_at_last || stopped.left_in_flight > 0 || stopped.begun_for_nobody > 0 {
        return violation!("it is never over, or leaves operations behind: {stopped:?}");
    }
    let expected = answers_of(&course.reading, course.bytes, course.end(), &plain.written)?;
    let answers = split(course, &stopped.written)?;
    for (position, (answer, expected)) in answers.iter().zip(&expected).enumerate() {
        if !is_alike(answer, expected) {
            return violation!("answer {position} is {answer:?} at a stop, and {expected:?} without one");
        }
        if position + 1 < answers.len() && answer.closes {
            return violation!("answer {position} closes, and others follow");
        }
    }
    if answers.len() > expected.len() {
        return violation!("{} answers at a stop, and {} without one", answers.len(), expected.len());
    }

    let owed = sent.begun_before_stop.min(expected.len());
    if answers.len() < owed {
        return violation!("{} answers, and {owed} requests had begun before the stop", answers.len());
    }
    let has_said_so = answers.last().is_some_and(|answer| answer.closes);
    if sent.outlasts && answers.len() < expected.len() && !has_said_so {
        return violation!("the last of {} answers does not say that it is", answers.len());
    }
    // When a slow client has room for an answer is not in the model.
    if is_slow {
        return Ok(());
    }
    for (position, &due) in course.due.iter().enumerate() {
        // At the very moment of the stop it may be either.
        if due <= sent.stopped_at || sent.begun_at(due) > position + 1 {
            continue;
        }
        if answers.len() > position + 1 {
            return violation!(
                "an answer follows number {position}, which was due at {due:?} with nothing behind it"
            );
        }
        let blank_lines_alone = course.reading.stop == Stop::EmptyLines;
        if answers.len() == position + 1 && !has_said_so && !blank_lines_alone {
            return violation!("answer {position}, due at {due:?}, does not say that it is the last");
        }
    }
    Ok(())
}

fn split<'a>(course: &Course<'_>, written: &'a [u8]) -> Result<Vec<Answer<'a>>, Violation> {
    let next_is_head = course.bytes[course.reading.at..].starts_with(b"HEAD ");
    crate::answers::split(written, |position| match course.reading.messages.get(position) {
        Some(message) => Some(message.method == "HEAD"),
        None if course.reading.stop == Stop::Unclear => None,
        None => Some(next_is_head),
    })
}

/// Whether both are the same answer, whatever they say of the connection.
fn is_alike(one: &Answer<'_>, other: &Answer<'_>) -> bool {
    let bare = |answer: &Answer<'_>| {
        let mut fields: Vec<_> =
            answer.fields.iter().map(|(name, value)| (name.to_lowercase(), value.to_vec())).collect();
        fields.retain(|(name, _)| name != "connection");
        (answer.status, answer.is_http_11, fields, answer.content.to_vec())
    };
    bare(one) == bare(other)
}
