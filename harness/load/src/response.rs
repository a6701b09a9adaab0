//! An incremental HTTP/1.1 response parser (RFC 9112) that copies and allocates nothing when a response arrives in
//! one piece, and reuses one buffer when it does not.
//!
//! It knows no socket: bytes go in, and any split of them gives the same result.

use std::mem::MaybeUninit;

use crate::chunked::ChunkDecoder;
pub use crate::response_error::ResponseError;

/// The most header fields of one response.
const MAX_HEADERS: usize = 64;

/// How large a response may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of a head: status line, header fields and the empty line.
    pub max_head_bytes: usize,
    /// The most bytes of content, transfer coding removed.
    pub max_body_bytes: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_head_bytes: 16 * 1024, max_body_bytes: 16 * 1024 * 1024 }
    }
}

/// What the bytes so far amount to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Progress {
    /// All bytes were used, and more are needed.
    NeedMore,
    /// The response is complete.
    Complete(Response),
}

/// A complete response. Its content is fetched with [`ResponseParser::body`].
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
    /// Where the content lies in the last input; `None` when it was gathered in the parser.
    in_input: Option<(usize, usize)>,
}

/// Parses the responses of one connection, one after the other.
#[derive(Debug)]
pub struct ResponseParser {
    limits: Limits,
    answers_have_bodies: bool,
    stage: Stage,
    /// A head until it is complete, then content.
    gathered: Vec<u8>,
    /// How long the head was whose content is gathered.
    head_bytes: usize,
    /// `gathered` is the content of the last response, kept until the next bytes arrive.
    holds_body: bool,
}

#[derive(Clone, Debug)]
enum Stage {
    Head,
    Length { status: u16, keep_alive: bool, left: usize },
    Chunked { status: u16, keep_alive: bool, decoder: ChunkDecoder },
    UntilClose { status: u16 },
}

/// How the content of a response is delimited (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Framing {
    Length(usize),
    Chunked,
    UntilClose,
}

#[derive(Clone, Copy, Debug)]
struct Head {
    bytes: usize,
    status: u16,
    keep_alive: bool,
    framing: Framing,
}

impl ResponseParser {
    /// A parser for the answers to requests that are not HEAD, unless [`ResponseParser::expect`] says otherwise.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            answers_have_bodies: true,
            stage: Stage::Head,
            gathered: Vec::new(),
            head_bytes: 0,
            holds_body: false,
        }
    }

    /// Says whether the next responses may carry content: those to HEAD do not. Forgets a response under way.
    pub fn expect(&mut self, answers_have_bodies: bool) {
        self.reset();
        self.answers_have_bodies = answers_have_bodies;
    }

    /// Forgets a response under way and keeps the memory.
    pub fn reset(&mut self) {
        self.stage = Stage::Head;
        self.gathered.clear();
        self.holds_body = false;
    }

    /// Whether some bytes of the current response have arrived.
    pub fn has_begun(&self) -> bool {
        !matches!(self.stage, Stage::Head) || !(self.gathered.is_empty() || self.holds_body)
    }

    /// Takes the next bytes. After [`Progress::Complete`] the parser expects the next response, whose bytes start at
    /// [`Response::consumed`]; the content must be fetched before it is fed again.
    ///
    /// # Errors
    /// The bytes are not a response within the limits. The parser must be reset.
    pub fn feed(&mut self, input: &[u8]) -> Result<Progress, ResponseError> {
        if self.holds_body {
            self.reset();
        }
        if !self.has_begun()
            && let Some(response) = self.parse_in_place(input)?
        {
            return Ok(Progress::Complete(response));
        }
        self.gather(input)
    }

    /// Says that the server closed the connection: the end of content that has no other end.
    ///
    /// # Errors
    /// The response was not complete.
    pub fn end_of_input(&mut self) -> Result<Response, ResponseError> {
        match self.stage {
            Stage::UntilClose { status } => Ok(self.complete(status, false, 0)),
            _ => Err(ResponseError::ClosedEarly),
        }
    }

    /// The content of the response just completed; `input` is what was last fed.
    pub fn body<'a>(&'a self, response: &Response, input: &'a [u8]) -> &'a [u8] {
        match response.in_input {
            Some((start, end)) => &input[start..end],
            None => &self.gathered,
        }
    }

    /// The common case: the whole response, with a known length, in one piece.
    fn parse_in_place(&self, input: &[u8]) -> Result<Option<Response>, ResponseError> {
        let Some(head) = self.parse_head(input)? else { return Ok(None) };
        let Framing::Length(length) = head.framing else { return Ok(None) };
        let end = head.bytes + length;
        if is_informational(head.status) || end > input.len() {
            return Ok(None);
        }
        let Head { status, keep_alive, bytes, .. } = head;
        Ok(Some(Response {
            status,
            keep_alive,
            consumed: end,
            head_bytes: bytes,
            in_input: Some((bytes, end)),
        }))
    }

    /// The general case, through the parser's own buffer.
    fn gather(&mut self, input: &[u8]) -> Result<Progress, ResponseError> {
        let mut rest = input;
        loop {
            let consumed = |rest: &[u8]| input.len() - rest.len();
            match &mut self.stage {
                Stage::Head => {
                    let before = self.gathered.len();
                    let taken = rest.len().min(self.limits.max_head_bytes - before);
                    self.gathered.extend_from_slice(&rest[..taken]);
                    let Some(head) = self.parse_head(&self.gathered)? else { return Ok(Progress::NeedMore) };
                    rest = &rest[head.bytes - before..];
                    self.gathered.clear();
                    self.head_bytes = head.bytes;
                    if !is_informational(head.status) {
                        self.stage = Stage::after(head);
                    } else if rest.is_empty() {
                        return Ok(Progress::NeedMore);
                    }
                }
                Stage::Length { status, keep_alive, left } => {
                    let taken = rest.len().min(*left);
                    self.gathered.extend_from_slice(&rest[..taken]);
                    rest = &rest[taken..];
                    *left -= taken;
                    if *left > 0 {
                        return Ok(Progress::NeedMore);
                    }
                    let (status, keep_alive) = (*status, *keep_alive);
                    return Ok(Progress::Complete(self.complete(status, keep_alive, consumed(rest))));
                }
                Stage::Chunked { status, keep_alive, decoder } => {
                    let (used, done) =
                        decoder.decode(rest, &mut self.gathered, self.limits.max_body_bytes)?;
                    rest = &rest[used..];
                    if !done {
                        return Ok(Progress::NeedMore);
                    }
                    let (status, keep_alive) = (*status, *keep_alive);
                    return Ok(Progress::Complete(self.complete(status, keep_alive, consumed(rest))));
                }
                Stage::UntilClose { .. } => {
                    if rest.len() > self.limits.max_body_bytes - self.gathered.len() {
                        return Err(ResponseError::BodyTooLarge);
                    }
                    self.gathered.extend_from_slice(rest);
                    return Ok(Progress::NeedMore);
                }
            }
        }
    }

    fn complete(&mut self, status: u16, keep_alive: bool, consumed: usize) -> Response {
        self.stage = Stage::Head;
        self.holds_body = true;
        Response { status, keep_alive, consumed, head_bytes: self.head_bytes, in_input: None }
    }

    /// The head at the start of `bytes`, or `None` when it is not complete.
    fn parse_head(&self, bytes: &[u8]) -> Result<Option<Head>, ResponseError> {
        let within_limit = &bytes[..bytes.len().min(self.limits.max_head_bytes)];
        let mut storage = [MaybeUninit::uninit(); MAX_HEADERS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = httparse::ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            within_limit,
            &mut storage,
        );
        let bytes = match parsed {
            Ok(httparse::Status::Complete(bytes)) => bytes,
            Ok(httparse::Status::Partial) if within_limit.len() == self.limits.max_head_bytes => {
                return Err(ResponseError::HeadTooLarge);
            }
            Ok(httparse::Status::Partial) => return Ok(None),
            Err(httparse::Error::TooManyHeaders) => return Err(ResponseError::HeadTooLarge),
            Err(_) => return Err(ResponseError::Malformed("the head is not one of HTTP/1.x")),
        };
        let status = response.code.unwrap_or(0);
        if !(100..1_000).contains(&status) || status == 101 {
            return Err(ResponseError::Malformed("the status is not a final one"));
        }
        let fields = Fields::read(response.headers)?;
        let framing = self.framing(status, &fields)?;
        let persistent = match response.version {
            Some(1) => !fields.connection_close,
            _ => fields.connection_keep_alive && !fields.connection_close,
        };
        let keep_alive = persistent && framing != Framing::UntilClose && !fields.is_ambiguous();
        Ok(Some(Head { bytes, status, keep_alive, framing }))
    }

    fn framing(&self, status: u16, fields: &Fields) -> Result<Framing, ResponseError> {
        if !self.answers_have_bodies || is_informational(status) || matches!(status, 204 | 304) {
            return Ok(Framing::Length(0));
        }
        if fields.chunked {
            return Ok(Framing::Chunked);
        }
        match fields.content_length {
            Some(length) => match usize::try_from(length) {
                Ok(length) if length <= self.limits.max_body_bytes => Ok(Framing::Length(length)),
                _ => Err(ResponseError::BodyTooLarge),
            },
            None => Ok(Framing::UntilClose),
        }
    }
}

impl Stage {
    fn after(head: Head) -> Self {
        let Head { status, keep_alive, .. } = head;
        match head.framing {
            Framing::Length(left) => Stage::Length { status, keep_alive, left },
            Framing::Chunked => Stage::Chunked { status, keep_alive, decoder: ChunkDecoder::new() },
            Framing::UntilClose => Stage::UntilClose { status },
        }
    }
}

/// The header fields that decide framing and reuse.
#[derive(Debug, Default)]
struct Fields {
    content_length: Option<u64>,
    chunked: bool,
    connection_close: bool,
    connection_keep_alive: bool,
}

impl Fields {
    fn read(headers: &[httparse::Header<'_>]) -> Result<Self, ResponseError> {
        let mut fields = Self::default();
        for header in headers {
            // The length first: most names are ruled out by it.
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    let length = decimal(header.value)?;
                    if fields.content_length.is_some_and(|other| other != length) {
                        return Err(ResponseError::Malformed("two content lengths differ"));
                    }
                    fields.content_length = Some(length);
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    if fields.chunked || !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                        return Err(ResponseError::Malformed("the transfer coding is not `chunked`"));
                    }
                    fields.chunked = true;
                }
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    for option in header.value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                        fields.connection_close |= option.eq_ignore_ascii_case(b"close");
                        fields.connection_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                _ => {}
            }
        }
        Ok(fields)
    }

    /// RFC 9112, section 6.1: with both, chunked decides and the connection should not be reused.
    fn is_ambiguous(&self) -> bool {
        self.chunked && self.content_length.is_some()
    }
}

fn decimal(value: &[u8]) -> Result<u64, ResponseError> {
    const BAD: ResponseError = ResponseError::Malformed("the content length is not a number");
    let digits = value.trim_ascii();
    if digits.is_empty() {
        return Err(BAD);
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(BAD);
        }
        sum.checked_mul(10).and_then(|sum| sum.checked_add(u64::from(digit))).ok_or(BAD)
    })
}

fn is_informational(status: u16) -> bool {
    (100..200).contains(&status)
}

#[cfg(test)]
#[path = "response_tests.rs"]
mod tests;
