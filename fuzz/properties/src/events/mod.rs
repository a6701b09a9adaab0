//! What a connection makes of what happens to it: bytes, the end of its client's sending half, a reset, and time, in any order.
//!
//! An input is a sequence of [`Event`](event::Event)s, which a client in memory plays to a server's connection on a clock that only the
//! events move. The same sequence is played to each of the [`ROWS`]: the ways in which rows differ in where operations
//! run and in how their streams tell of what has come. What must hold, with a model that reads the bytes by itself
//! ([`requests`](crate::requests)) and knows when each answer is due:
//! - all that is written is right, whole and in order, as [`request_path`] has it;
//! - what came whole before the client ended its half is answered, and then the connection ends, by itself and at once;
//! - what was due before a reset was answered, what was not due is not, and the connection ends within [`LAST_LOOK`]; no operation begins
//!   for it afterwards, and none is left in flight;
//! - all rows answer alike, but where a reset cuts some off sooner.
//!
//! What a stop of the server between two events may change of that, is in [`stopped`].
//!
//! Timeouts are not reached: the whole of a sequence is shorter than any of them.

pub mod event;
pub mod model;
pub mod row;
pub mod stopped;

mod client;
mod play;
mod played;
mod thread;
mod time;

use std::ops::RangeInclusive;

use kit::connection::LAST_LOOK;

use crate::{
    Violation,
    answers::Answer,
    connection::End,
    request_path::{self, answers_of, whether_all_is_answered},
    violation,
};
pub use client::Client;
use event::Events;
use model::Course;
pub use play::{Sight, play, play_stopped};
pub use played::Played;
use row::{ROWS, Row};

/// Checks kit's connection.
///
/// # Errors
/// What it does that the contract forbids.
pub fn check(input: &[u8]) -> Result<(), Violation> {
    check_server(|row, events| play(row, events, Sight::Good), input)
}

/// Checks any server of which one connection can be played.
///
/// # Errors
/// What it does that the contract forbids.
pub fn check_server(
    server: impl Fn(&Row, &Events) -> Result<Played, Violation>,
    input: &[u8],
) -> Result<(), Violation> {
    let events = Events::parse(input);
    let bytes = events.sent();
    let mut first: Option<(&Row, Played)> = None;
    for row in ROWS {
        let course = Course::of(&events, &bytes, row);
        let played = server(row, &events)?;
        judge(&course, &events, &played)
            .map_err(|Violation(what)| Violation(format!("{}: {what}", row.name)))?;
        match &first {
            None => first = Some((row, played)),
            Some(_) if course.reset_at.is_some() => {}
            Some((other, others)) => {
                let [one, another] = [others, &played].map(|played| answers(&course, played));
                request_path::compare(&course.reading, &one?, &another?).map_err(|Violation(what)| {
                    Violation(format!("{} (whole) against {} (cut): {what}", other.name, row.name))
                })?;
            }
        }
    }
    Ok(())
}

fn answers<'a>(course: &Course<'_>, played: &'a Played) -> Result<Vec<Answer<'a>>, Violation> {
    answers_of(&course.reading, course.bytes, course.end(), &played.written)
}

/// Whether `played` is what the course demands.
fn judge(course: &Course<'_>, events: &Events, played: &Played) -> Result<(), Violation> {
    if !played.is_over_at_last {
        return violation!("the connection is never over");
    }
    if played.left_in_flight > 0 || played.begun_for_nobody > 0 {
        return violation!(
            "{} operations are left in flight, {} begin when the connection is over",
            played.left_in_flight,
            played.begun_for_nobody
        );
    }
    let Some(reset_at) = course.reset_at else {
        let answers = answers(course, played)?;
        // An end that the client has told is answered by an end, without any timeout.
        return whether_all_is_answered(&course.reading, course.end(), played.over_at.is_some(), &answers);
    };
    match played.over_at {
        Some(over_at) if over_at <= reset_at + LAST_LOOK => {}
        _ => return violation!("the connection outlives its client, who reset it at {reset_at:?}"),
    }
    // A client that takes few bytes at a time was cut off somewhere.
    if events.room.is_some() {
        return Ok(());
    }
    let answered = answers_of(&course.reading, course.bytes, End::Close, &played.written)?.len();
    let due: RangeInclusive<usize> = course.due_before_reset();
    if !due.contains(&answered) {
        return violation!("{answered} answers before the reset at {reset_at:?}, {due:?} were due");
    }
    Ok(())
}
