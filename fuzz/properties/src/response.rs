//! The load generator's response parser, whatever a server sends and however it arrives.
//!
//! An input is a [`Delivery`]; the lowest bit of its flags says that the answers are to HEAD. What must hold: the verdict is the
//! same for every cutting; it is that of a decoder of whole bytes; nothing exceeds the limits. Where bytes are incomplete that
//! decoder does not look whether they can still become a response, so the parser may have refused them already.

mod answer;
mod whole;

use answer::MOST_CONTENT_BYTES;
pub use answer::{Answer, LIMITS};
use load::response::{Progress, Response, ResponseError, ResponseParser};

use crate::{Violation, delivery::Delivery, violation};

/// What a parser made of a delivery.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Transcript {
    /// The final answers.
    pub answers: Vec<Answer>,
    /// What came after the last.
    pub end: End,
}

/// How a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// After a whole answer.
    Clean,
    /// Within one.
    Incomplete,
    /// With bytes that are no answer within the limits.
    Refused(ResponseError),
}

/// Checks the parser of `load`.
///
/// # Errors
/// What is wrong with it.
pub fn check(input: &[u8]) -> Result<(), Violation> {
    check_parser(parse, input)
}

/// Checks any parser of responses; it is told whether they are to HEAD.
///
/// # Errors
/// What is wrong with it.
pub fn check_parser(
    parser: impl Fn(Delivery<'_>, bool) -> Transcript,
    input: &[u8],
) -> Result<(), Violation> {
    let delivery = Delivery::parse(input);
    let is_to_head = delivery.flags & 1 != 0;
    let transcript = parser(delivery.whole(), is_to_head);
    if !delivery.cuts.is_empty() {
        let cut = parser(delivery, is_to_head);
        if cut != transcript {
            return violation!("delivered whole: {transcript:?}, cut: {cut:?}");
        }
    }
    for answer in &transcript.answers {
        if answer.head_bytes > LIMITS.max_head_bytes || answer.body.len() > MOST_CONTENT_BYTES {
            return violation!("beyond the limits: {answer:?}");
        }
    }
    let expected = whole::decode(delivery.bytes, is_to_head);
    let is_right = transcript.answers == expected.answers
        && match transcript.end {
            End::Clean => expected.end == whole::End::Clean,
            End::Incomplete => expected.end == whole::End::Incomplete,
            End::Refused(_) => expected.end != whole::End::Clean,
        };
    if is_right { Ok(()) } else { violation!("{transcript:?}, but {expected:?}") }
}

/// Has the parser of `load` read a delivery, after which the server closes.
pub fn parse(delivery: Delivery<'_>, is_to_head: bool) -> Transcript {
    let mut parser = ResponseParser::new(LIMITS);
    parser.expect(!is_to_head);
    let (mut answers, mut content, mut end) = (Vec::new(), Vec::new(), 0);
    for piece in delivery.pieces() {
        let mut rest = piece.bytes;
        while !rest.is_empty() {
            match parser.feed(rest) {
                Ok(Progress::NeedMore) => {
                    end += rest.len();
                    break;
                }
                Ok(Progress::Content(piece)) => {
                    content.extend_from_slice(piece.content(rest));
                    end += piece.consumed;
                    rest = &rest[piece.consumed..];
                }
                Ok(Progress::Complete(response)) => {
                    end += response.consumed;
                    answers.push(answer(&response, &mut content, rest, end));
                    rest = &rest[response.consumed..];
                }
                Err(error) => return Transcript { answers, end: End::Refused(error) },
            }
        }
    }
    let has_begun = parser.has_begun();
    match parser.end_of_input() {
        Ok(response) => {
            answers.push(answer(&response, &mut content, b"", end));
            Transcript { answers, end: End::Clean }
        }
        Err(_) => Transcript { answers, end: if has_begun { End::Incomplete } else { End::Clean } },
    }
}

/// What is complete, with the content that was told before, which is taken.
fn answer(response: &Response, content: &mut Vec<u8>, rest: &[u8], end: usize) -> Answer {
    content.extend_from_slice(response.content(rest));
    Answer {
        status: response.status,
        keep_alive: response.keep_alive,
        head_bytes: response.head_bytes,
        body: std::mem::take(content),
        end,
    }
}
