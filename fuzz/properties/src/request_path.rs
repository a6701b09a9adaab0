//! A server's connection, whatever a client sends and however it arrives.
//!
//! An input is a [`Delivery`] whose flags a [`Script`] reads. What must hold, with [`requests::read`] as the judge of what was
//! sent:
//! - all that is written is whole, valid responses, at most one for each message, in their order, each the right one;
//! - each valid message is answered, until the server announces that it closes; nothing follows that;
//! - what is no valid message gets at most a refusal, and the connection closes: no success beyond it;
//! - the answers do not depend on how bytes arrive or are taken;
//! - the connection comes to rest, and ends when its client or its time is gone.
//!
//! Two differences are allowed: a head that is malformed and has no end either may be refused at once or at the timeout, and
//! where only empty lines were sent the timeout may be told or not.

use crate::{
    Violation,
    answers::{Answer, split},
    connection::{End, Frugal, Played, Script, play},
    delivery::Delivery,
    expected::expected,
    requests::{self, Reading, Stop},
    violation,
};

/// Checks kit's connection.
///
/// # Errors
/// What it does that the contract forbids.
pub fn check(input: &[u8]) -> Result<(), Violation> {
    check_server(|script| play(Frugal, script), input)
}

/// Checks any server of which one connection can be played.
///
/// # Errors
/// What it does that the contract forbids.
pub fn check_server(
    server: impl Fn(Script<'_>) -> Result<Played, Violation>,
    input: &[u8],
) -> Result<(), Violation> {
    let script = Script::of(Delivery::parse(input));
    let reading = requests::read(script.delivery.bytes);
    let whole = server(script.whole())?;
    let answers = judge(&reading, script, &whole)?;
    if script == script.whole() {
        return Ok(());
    }
    let cut = server(script)?;
    let others = judge(&reading, script, &cut)?;
    compare(&reading, &answers, &others)
}

/// Whether what a server wrote are the answers to what it was sent, which `reading` tells.
///
/// # Errors
/// Why they are not.
pub fn judge<'a>(
    reading: &Reading<'_>,
    script: Script<'_>,
    played: &'a Played,
) -> Result<Vec<Answer<'a>>, Violation> {
    let answers = answers_of(reading, script.delivery.bytes, script.end, &played.written)?;
    whether_all_is_answered(reading, script.end, played.is_over, &answers)
        .map_err(|Violation(what)| Violation(format!("{what} ({} bytes unread)", played.unread)))?;
    Ok(answers)
}

/// The answers that `written` is, each judged as the one to its message of `bytes`.
///
/// # Errors
/// One of them is wrong, or stands where none may.
pub fn answers_of<'a>(
    reading: &Reading<'_>,
    bytes: &[u8],
    end: End,
    written: &'a [u8],
) -> Result<Vec<Answer<'a>>, Violation> {
    let messages = &reading.messages;
    // What is not a message may still begin like one to HEAD, and be refused as one.
    let next_is_head = bytes[reading.at..].starts_with(b"HEAD ");
    let is_to_head = |position: usize| match messages.get(position) {
        Some(message) => Some(message.method == "HEAD"),
        None if reading.stop == Stop::Unclear => None,
        None => Some(next_is_head),
    };
    let answers = split(written, is_to_head)?;

    for (position, answer) in answers.iter().enumerate() {
        if position > 0 && answers[position - 1].closes {
            return violation!("answer {position} ({}) follows one that closes", answer.status);
        }
        if position < messages.len() {
            judge_answer(reading, position, answer)?;
        } else {
            judge_refusal(reading, end, position, answer)?;
        }
    }
    Ok(answers)
}

/// Whether every message has its answer, and the connection ends when its client does.
///
/// # Errors
/// The first message without one, or that it does not.
pub fn whether_all_is_answered(
    reading: &Reading<'_>,
    end: End,
    is_over: bool,
    answers: &[Answer<'_>],
) -> Result<(), Violation> {
    let messages = &reading.messages;
    let ends_early = answers.last().is_some_and(|answer| answer.closes)
        || (is_over && answers.len().checked_sub(1).is_some_and(|last| messages[last].is_http_10));
    if answers.len() < messages.len() && !ends_early {
        let message = &messages[answers.len()];
        return violation!(
            "message {} ({} {}) got no answer (the connection is {}over)",
            answers.len(),
            message.method,
            message.target,
            if is_over { "" } else { "not " },
        );
    }
    if end != End::Silence && !is_over {
        return violation!("the connection outlives its client ({end:?})");
    }
    Ok(())
}

/// The answer to a valid message.
fn judge_answer(reading: &Reading<'_>, position: usize, answer: &Answer<'_>) -> Result<(), Violation> {
    let message = &reading.messages[position];
    let what = || format!("message {position} ({} {})", message.method, message.target);
    // RFC 9110 section 6.2.
    if !answer.is_http_11 {
        return violation!("{}: the answer is of HTTP/1.0", what());
    }
    if answer.continues > usize::from(message.expects_continue) {
        return violation!("{}: {} times 100 (Continue)", what(), answer.continues);
    }
    if message.refusable && (400..500).contains(&answer.status) && answer.closes {
        return Ok(());
    }
    let expected = expected(message);
    if answer.status != expected.status {
        return violation!("{}: status {}, not {}", what(), answer.status, expected.status);
    }
    let is_last =
        position + 1 == reading.messages.len() && !matches!(reading.stop, Stop::End | Stop::EmptyLines);
    if expected.closes && !answer.closes {
        return violation!("{}: the connection should close", what());
    }
    // RFC 9110 section 10.1.1: instead of 100 (Continue) the refusal, after which the content need not be read.
    let is_without_leave = message.expects_continue && answer.continues == 0 && answer.status >= 300;
    if answer.closes && !(expected.closes || is_last || message.is_http_10 || is_without_leave) {
        return violation!("{}: no reason to close", what());
    }
    let Some(content) = expected.content else { return Ok(()) };
    if answer.status != 204 && answer.stated_length != Some(content.len() as u64) {
        return violation!("{}: {:?} bytes, not {}", what(), answer.stated_length, content.len());
    }
    if message.method != "HEAD" && answer.content != content {
        let (found, content) = (answer.content.escape_ascii(), content.escape_ascii());
        return violation!("{}: answered {found}, not {content}", what());
    }
    Ok(())
}

/// The answer to what is no valid message.
fn judge_refusal(
    reading: &Reading<'_>,
    end: End,
    position: usize,
    answer: &Answer<'_>,
) -> Result<(), Violation> {
    let (status, at, stop) = (answer.status, reading.at, reading.stop);
    let is_refusal = match stop {
        // A client that has begun to send, if only empty lines, is told that its time is over.
        Stop::EmptyLines => end == End::Timeouts && status == 408,
        Stop::End | Stop::Closed | Stop::Unclear => false,
        Stop::IncompleteHead | Stop::IncompleteContent | Stop::Invalid(_) => (400..600).contains(&status),
    };
    if !is_refusal {
        return violation!("answer {position} is {status} to what is no message: {stop:?} at byte {at}");
    }
    // hyper refuses by itself what is malformed, in the version of the last request that was not.
    let is_of_its_last_version = reading.messages.last().is_some_and(|message| message.is_http_10);
    if !answer.is_http_11 && !is_of_its_last_version {
        return violation!("answer {position} ({status}) is of HTTP/1.0: {stop:?} at byte {at}");
    }
    if !answer.closes {
        return violation!("answer {position} ({status}) does not close: {stop:?} at byte {at}");
    }
    Ok(())
}

/// Whether the same bytes got the same answers.
///
/// # Errors
/// They did not.
pub fn compare(reading: &Reading<'_>, whole: &[Answer<'_>], cut: &[Answer<'_>]) -> Result<(), Violation> {
    // The allowed difference: see the module's documentation.
    let compared = match reading.stop {
        Stop::EmptyLines | Stop::IncompleteHead | Stop::Unclear => reading.messages.len(),
        _ => usize::MAX,
    };
    let (whole, cut) = (&whole[..whole.len().min(compared)], &cut[..cut.len().min(compared)]);
    if whole.len() != cut.len() {
        return violation!("{} answers when delivered whole, {} when cut", whole.len(), cut.len());
    }
    for (position, (whole, cut)) in whole.iter().zip(cut).enumerate() {
        if !whole.is_alike(cut) {
            return violation!("answer {position} delivered whole: {whole:?}, cut: {cut:?}");
        }
    }
    Ok(())
}
