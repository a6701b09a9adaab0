//! An incremental HTTP/1.1 response parser (RFC 9112) that keeps no content: it says where in its input content lies.
//!
//! A response that arrives in one piece is read where it lies, and nothing is copied; of others only a head that is not
//! complete is kept. It knows no socket: bytes go in, and any split of them gives the same result.

pub use crate::response_error::ResponseError;
use crate::{
    chunked::{ChunkDecoder, Decoded},
    head::{Framing, Head},
};

/// How large a response may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a head (status line, header fields and the empty line), of a chunk's line, and of a trailer section.
    /// A head that comes in pieces is kept until it is complete.
    pub max_head_bytes: usize,
    /// The most bytes of content, transfer coding removed; no limit where nothing is said, since none of it is kept.
    pub max_body_bytes: Option<u64>,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_head_bytes: 256 * 1024, max_body_bytes: None }
    }
}

/// What the next bytes amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All bytes were used, and more are needed.
    NeedMore,
    /// Some of the content, and not the last. What follows is to be fed next, if anything does.
    Content(Piece),
    /// The response is complete, with all of its content or the last of it.
    Complete(Response),
}

/// A piece of the content of a response under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// How many bytes of the last input are used with it.
    pub consumed: usize,
    lies: Span,
}

/// A complete response.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Response {
    /// The final status; informational ones are skipped.
    pub status: u16,
    /// Whether the server leaves the connection open for another request.
    pub keep_alive: bool,
    /// How many bytes of the last input belong to this response.
    pub consumed: usize,
    /// How long the head is, with the empty line.
    pub head_bytes: usize,
    /// How long the content is, transfer coding removed.
    pub content_bytes: u64,
    /// Whether some of the content was told before, as [`Progress::Content`].
    pub in_pieces: bool,
    lies: Span,
}

/// Where something lies in the last input.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Span {
    start: usize,
    end: usize,
}

impl Piece {
    /// The content; `input` is what was last fed.
    pub fn content<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        &input[self.lies.start..self.lies.end]
    }
}

impl Response {
    /// The content, or the last of it where some was told before; `input` is what was last fed.
    pub fn content<'a>(&self, input: &'a [u8]) -> &'a [u8] {
        &input[self.lies.start..self.lies.end]
    }
}

/// Parses the responses of one connection, one after the other.
#[derive(Debug)]
pub struct ResponseParser {
    limits: Limits,
    answers_have_bodies: bool,
    /// A head until it is complete, where it did not come in one piece.
    unfinished: Vec<u8>,
    /// The response whose head has been read.
    under_way: Option<UnderWay>,
}

#[derive(Clone, Debug)]
struct UnderWay {
    status: u16,
    keep_alive: bool,
    head_bytes: usize,
    /// How much of its content was told.
    told: u64,
    rest: Rest,
}

/// What is still to come of it.
#[derive(Clone, Debug)]
enum Rest {
    Length(u64),
    Chunked(ChunkDecoder),
    UntilClose,
}

impl ResponseParser {
    /// A parser for the answers to requests that are not HEAD, unless [`ResponseParser::expect`] says otherwise.
    pub fn new(limits: Limits) -> Self {
        Self { limits, answers_have_bodies: true, unfinished: Vec::new(), under_way: None }
    }

    /// Says whether the next responses may carry content: those to HEAD do not. Forgets a response under way.
    pub fn expect(&mut self, answers_have_bodies: bool) {
        self.reset();
        self.answers_have_bodies = answers_have_bodies;
    }

    /// Forgets a response under way and keeps the memory.
    pub fn reset(&mut self) {
        self.unfinished.clear();
        self.under_way = None;
    }

    /// Whether some bytes of the current response have arrived.
    pub fn has_begun(&self) -> bool {
        self.under_way.is_some() || !self.unfinished.is_empty()
    }

    /// Takes the next bytes, up to the end of the first piece of content in them. After [`Progress::Complete`] the parser
    /// expects the next response, whose bytes start at [`Response::consumed`].
    ///
    /// # Errors
    /// The bytes are not a response within the limits. The parser must be reset.
    pub fn feed(&mut self, input: &[u8]) -> Result<Progress, ResponseError> {
        if self.under_way.is_some() {
            return self.content(input, 0);
        }
        let mut used = 0;
        loop {
            let left = &input[used..];
            let before = self.unfinished.len();
            if before > 0 {
                let room = self.limits.max_head_bytes - before;
                self.unfinished.extend_from_slice(&left[..left.len().min(room)]);
            }
            let head = self.head_in(if before > 0 { &self.unfinished } else { left })?;
            let Some(head) = head else {
                if before == 0 {
                    self.unfinished.extend_from_slice(left);
                }
                return Ok(Progress::NeedMore);
            };
            // The common case: the whole response, with a known length, in one piece.
            if before == 0
                && let Some(response) = whole(&head, used, input.len(), self.most_content())
            {
                return Ok(Progress::Complete(response));
            }
            self.unfinished.clear();
            used += head.bytes - before;
            if !head.is_informational() {
                self.under_way = Some(self.after(head)?);
                return self.content(input, used);
            }
            // The final response comes after it, or after others of its kind.
            if used == input.len() {
                return Ok(Progress::NeedMore);
            }
        }
    }

    /// Says that the server closed the connection: the end of content that has no other end.
    ///
    /// # Errors
    /// The response was not complete.
    pub fn end_of_input(&mut self) -> Result<Response, ResponseError> {
        match self.under_way.take_if(|under_way| matches!(under_way.rest, Rest::UntilClose)) {
            Some(under_way) => Ok(under_way.completed(Span { start: 0, end: 0 }, 0)),
            None => Err(ResponseError::ClosedEarly),
        }
    }

    fn head_in(&self, bytes: &[u8]) -> Result<Option<Head>, ResponseError> {
        Head::read(bytes, self.limits.max_head_bytes, self.answers_have_bodies)
    }

    fn most_content(&self) -> u64 {
        self.limits.max_body_bytes.unwrap_or(u64::MAX)
    }

    /// What follows a head.
    fn after(&self, head: Head) -> Result<UnderWay, ResponseError> {
        let most = self.most_content();
        let rest = match head.framing {
            Framing::Length(length) if length > most => {
                return Err(ResponseError::BodyTooLarge { limit: most });
            }
            Framing::Length(length) => Rest::Length(length),
            Framing::Chunked => Rest::Chunked(ChunkDecoder::new(self.limits.max_head_bytes, most)),
            Framing::UntilClose => Rest::UntilClose,
        };
        let Head { status, keep_alive, bytes: head_bytes, .. } = head;
        Ok(UnderWay { status, keep_alive, head_bytes, told: 0, rest })
    }

    /// What of the content of the response under way lies in `input` behind the first `used` bytes.
    fn content(&mut self, input: &[u8], used: usize) -> Result<Progress, ResponseError> {
        let most = self.most_content();
        let Some(under_way) = &mut self.under_way else { return Ok(Progress::NeedMore) };
        let left = &input[used..];
        match &mut under_way.rest {
            Rest::Length(length) => {
                let taken = usize::try_from(*length).map_or(left.len(), |length| length.min(left.len()));
                *length -= taken as u64;
                let lies = Span { start: used, end: used + taken };
                if *length == 0 {
                    return Ok(self.completed(lies, lies.end));
                }
                Ok(under_way.tell(lies))
            }
            Rest::Chunked(decoder) => match decoder.decode(left)? {
                Decoded::NeedMore => Ok(Progress::NeedMore),
                Decoded::Data { start, end } => {
                    Ok(under_way.tell(Span { start: used + start, end: used + end }))
                }
                Decoded::End { used: more } => {
                    let end = used + more;
                    Ok(self.completed(Span { start: end, end }, end))
                }
            },
            Rest::UntilClose => {
                if left.len() as u64 > most - under_way.told {
                    return Err(ResponseError::BodyTooLarge { limit: most });
                }
                Ok(under_way.tell(Span { start: used, end: input.len() }))
            }
        }
    }

    fn completed(&mut self, lies: Span, consumed: usize) -> Progress {
        match self.under_way.take() {
            Some(under_way) => Progress::Complete(under_way.completed(lies, consumed)),
            None => Progress::NeedMore,
        }
    }
}

/// The response whose head begins at `from`, if it is a final one with a known length, at most `most`, and lies in the first
/// `available` bytes of the input.
#[inline]
fn whole(head: &Head, from: usize, available: usize, most: u64) -> Option<Response> {
    let Framing::Length(length) = head.framing else { return None };
    let start = from + head.bytes;
    let end = usize::try_from(length).ok()?.checked_add(start)?;
    (end <= available && length <= most && !head.is_informational()).then_some(Response {
        status: head.status,
        keep_alive: head.keep_alive,
        consumed: end,
        head_bytes: head.bytes,
        content_bytes: length,
        in_pieces: false,
        lies: Span { start, end },
    })
}

impl UnderWay {
    /// All of the last input up to the end of `lies` is used.
    fn tell(&mut self, lies: Span) -> Progress {
        if lies.start == lies.end {
            return Progress::NeedMore;
        }
        self.told += (lies.end - lies.start) as u64;
        Progress::Content(Piece { consumed: lies.end, lies })
    }

    /// It is complete with what `lies` in the last input.
    fn completed(self, lies: Span, consumed: usize) -> Response {
        Response {
            status: self.status,
            keep_alive: self.keep_alive,
            consumed,
            head_bytes: self.head_bytes,
            content_bytes: self.told + (lies.end - lies.start) as u64,
            in_pieces: self.told > 0,
            lies,
        }
    }
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
