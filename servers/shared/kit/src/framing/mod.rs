//! Where messages begin and end in the bytes that a client sends, what may not stand between, and how long a head may be.
//!
//! hyper finds the boundaries by itself, and refuses nearly everything that RFC 9112 has refused. What it lets pass
//! or hides from the service is noticed here, on the way to it: a Content-Length beside a Transfer-Encoding (section 6.1), a
//! fragment in the request target (section 3.2), blanks and other bytes in a chunk's size line that are no extension
//! (section 7.1.1), a line after the last chunk that ends in LF alone, behind which it swallows the next request
//! (section 7.1.2), fields in a trailer section that frame or route (RFC 9110 section 6.5.1). Each is a place where two readers of
//! the same bytes may disagree, which is how requests are smuggled. And what hyper does refuse, but not with the status or
//! the answer that is due: a protocol of another major version, above all HTTP/2's preface, a length beyond what it counts with, and
//! heads that are too long.
//!
//! [`Framing`] reads along and says what hyper is to see [`Instead`] of what was sent; [`Strict`](crate::strict::Strict) is the
//! stream that gives it that. In the place of a byte that may not be there it is given `REFUSED`, which no part of a message may
//! hold, so that it refuses. In the place of what makes a head too long it is given the shortest end of a head: the
//! request reaches the service, in its turn, which is told the [`Excess`] and refuses with the status that this has. The minor version of
//! HTTP/1.2 and later is given as 1, as which they are to be served (RFC 9110 section 2.5).
//!
//! So there is one parser whose verdict counts, answers keep their order, and this one only has to agree with it on where
//! messages end. That is tested against hyper byte by byte (`fuzz/properties`) and fuzzed. What hyper refuses anyway is
//! not looked at here.

mod chunk;
mod trailer;

use chunk::{ChunkLine, Next};
use trailer::Name;

/// The longest head: request line and header fields, and the empty lines before them.
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most fields of a head: what hyper parses on the stack.
pub const MAX_FIELDS: u8 = 100;

/// What hyper is given beyond [`MAX_HEAD_BYTES`] of a head that is too long: at most the end of one, and a line's own end.
pub(crate) const MAX_END_BYTES: usize = 32;

/// The longest Content-Length that hyper counts with: with a longer one it would say that the head is too large.
const MAX_LENGTH: u64 = u64::MAX - 2;

/// What hyper is given in the place of a byte that may not be there: a byte that no head and no trailer may hold, one that
/// no chunk's line may hold, and the end of whatever it waits for.
const REFUSED: &[u8] = b"\0\n\r\n\r\n";

/// What follows a target, where nothing else follows.
const VERSION: &[u8] = b"HTTP/1.1\r\n\r\n";

/// What hyper is to see instead of what was sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Instead {
    /// One byte instead of another. What is behind it is still to be read.
    Byte {
        /// Where it is, in the bytes that were read.
        at: usize,
        /// What it is to be.
        byte: u8,
    },
    /// An end instead of all that is left. Nothing more is to be read.
    End {
        /// Where that begins, in the bytes that were read.
        at: usize,
        /// The end.
        bytes: &'static [u8],
        /// What the request was too long by, if that is why.
        excess: Option<Excess>,
    },
}

/// The part of a head with which it became longer than [`MAX_HEAD_BYTES`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Excess {
    /// The method.
    Method,
    /// The target: without a single field the head is too long.
    Target,
    /// A field; or there are more than [`MAX_FIELDS`].
    Fields,
}

/// Reads along with the bytes of one connection.
#[derive(Clone, Copy, Debug)]
pub struct Framing {
    state: State,
    length: Option<u64>,
    chunked: bool,
    /// How many bytes the head may still have.
    room: usize,
    /// How many fields it has.
    fields: u8,
    requests: u32,
}

impl Default for Framing {
    fn default() -> Self {
        Self {
            state: State::Between,
            length: None,
            chunked: false,
            room: MAX_HEAD_BYTES,
            fields: 0,
            requests: 0,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Between messages, where empty lines are skipped (RFC 9112 section 2.2).
    Between,
    Method,
    Target,
    /// In what should be the version and the end of its line, of which there are so many bytes so far.
    Version(usize),
    /// The rest of a line of the head that says nothing about framing.
    RestOfLine,
    /// At the first byte of a line of the head.
    LineStart,
    /// After the CR of what should be the empty line.
    HeadEnd,
    /// In a field name that has agreed with `field` so far.
    Name {
        field: Field,
        matched: usize,
    },
    /// In the value of a Content-Length.
    Length,
    /// In a body of this many more bytes.
    Body(u64),
    /// In the line before a chunk.
    Line(ChunkLine),
    /// In a chunk of this many more bytes.
    Data(u64),
    /// In the line end after a chunk.
    DataEnd,
    /// At the first byte of a line after the last chunk.
    TrailerStart,
    /// In the name of a trailer field.
    TrailerName(Name),
    /// In its value.
    Trailer,
    /// After a CR in a trailer field.
    TrailerEnd,
    /// After the CR of what should be the last line.
    BodyEnd,
    /// Something is wrong that hyper refuses too: nothing more is to be known of this connection.
    Lost,
}

impl State {
    /// Whether the next byte counts among those of a head.
    fn is_of_a_head(self) -> bool {
        matches!(
            self,
            Self::Between
                | Self::Method
                | Self::Target
                | Self::Version(_)
                | Self::RestOfLine
                | Self::LineStart
                | Self::HeadEnd
                | Self::Name { .. }
                | Self::Length
        )
    }
}

/// The fields that decide where a body ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Field {
    ContentLength,
    TransferEncoding,
}

impl Field {
    fn starting_with(byte: u8) -> Option<Self> {
        match byte {
            b'c' | b'C' => Some(Self::ContentLength),
            b't' | b'T' => Some(Self::TransferEncoding),
            _ => None,
        }
    }

    fn name(self) -> &'static [u8] {
        match self {
            Self::ContentLength => b"content-length",
            Self::TransferEncoding => b"transfer-encoding",
        }
    }
}

impl Framing {
    /// Reads on; what hyper is to see instead, where there is something first.
    pub fn read(&mut self, bytes: &[u8]) -> Option<Instead> {
        let mut at = 0;
        while let [byte, ..] = bytes[at..] {
            let before = self.state;
            let mut rest = &bytes[at..];
            if before.is_of_a_head() {
                if self.room == 0
                    && let Some((end, excess)) = self.end_of_what_is_too_long(byte)
                {
                    return self.end(at, end, excess);
                }
                rest = &rest[..rest.len().min(self.room.max(1))];
            }
            let (taken, state) = match before {
                State::Between if matches!(byte, b'\r' | b'\n') => (1, State::Between),
                State::Between => {
                    (self.length, self.chunked, self.fields) = (None, false, 0);
                    self.requests = self.requests.wrapping_add(1);
                    (0, State::Method)
                }
                State::Method => match memchr::memchr2(b' ', b'\n', rest) {
                    None => (rest.len(), State::Method),
                    Some(end) if rest[end] == b' ' => (end + 1, State::Target),
                    Some(end) => (end + 1, State::LineStart),
                },
                State::Target => match memchr::memchr3(b' ', b'#', b'\n', rest) {
                    None => (rest.len(), State::Target),
                    Some(end) if rest[end] == b'#' => return self.refuse(at + end),
                    Some(end) if rest[end] == b' ' => (end + 1, State::Version(0)),
                    Some(end) => (end + 1, State::LineStart),
                },
                // As nearly every request has it.
                State::Version(0) if rest.starts_with(b"HTTP/1.1\r\n") => (10, State::LineStart),
                State::Version(7) if matches!(byte, b'2'..=b'9') => {
                    self.move_on(1, State::Version(8));
                    return Some(Instead::Byte { at, byte: b'1' });
                }
                State::Version(7) if byte == b'0' => (1, State::Version(8)),
                State::Version(8 | 9) if byte == b'\n' => (1, State::LineStart),
                State::Version(read) if byte == VERSION[read] => (1, State::Version(read + 1)),
                State::Version(8 | 9) => (0, State::Lost),
                State::Version(_) => return self.refuse(at),
                State::RestOfLine => match memchr::memchr(b'\n', rest) {
                    None => (rest.len(), State::RestOfLine),
                    Some(end) => (end + 1, State::LineStart),
                },
                State::LineStart => match (byte, Field::starting_with(byte)) {
                    (b'\r', _) => (1, State::HeadEnd),
                    (b'\n', _) => (1, self.body()),
                    _ if self.fields == MAX_FIELDS => return self.end(at, b"\r\n", Some(Excess::Fields)),
                    (_, field) => {
                        self.fields += 1;
                        match field {
                            Some(field) => (1, State::Name { field, matched: 1 }),
                            None => (0, State::RestOfLine),
                        }
                    }
                },
                State::HeadEnd if byte == b'\n' => (1, self.body()),
                State::Name { field, matched } => match (field.name().get(matched), byte) {
                    (Some(expected), byte) if byte.eq_ignore_ascii_case(expected) => {
                        (1, State::Name { field, matched: matched + 1 })
                    }
                    (None, b':') => match self.framed_by(field) {
                        Some(state) => (1, state),
                        None => return self.refuse(at),
                    },
                    _ => (0, State::RestOfLine),
                },
                State::Length => match byte {
                    b'\n' => (1, State::LineStart),
                    b'0'..=b'9' => {
                        let length = self.length.unwrap_or(0).saturating_mul(10);
                        let length = length.saturating_add(u64::from(byte - b'0'));
                        if length > MAX_LENGTH {
                            return self.refuse(at);
                        }
                        self.length = Some(length);
                        (1, State::Length)
                    }
                    // Blanks around the number; what else may stand here, hyper knows.
                    _ => (1, State::Length),
                },
                State::Body(left) => skip(left, rest, State::Body, State::Between),
                State::Line(line) => match line.next(byte) {
                    Next::Line(line) => (1, State::Line(line)),
                    Next::Chunk { size: 0 } => (1, State::TrailerStart),
                    Next::Chunk { size } => (1, State::Data(size)),
                    Next::Refused => return self.refuse(at),
                    Next::Lost => (0, State::Lost),
                },
                State::Data(left) => skip(left, rest, State::Data, State::DataEnd),
                State::DataEnd => match byte {
                    b'\r' => (1, State::DataEnd),
                    b'\n' => (1, State::Line(ChunkLine::default())),
                    _ => (0, State::Lost),
                },
                State::TrailerStart if byte == b'\r' => (1, State::BodyEnd),
                State::TrailerStart => (0, State::TrailerName(Name::default())),
                State::TrailerName(name) => match byte {
                    b':' if name.frames_or_routes() => return self.refuse(at),
                    b':' | b'\r' | b'\n' => (0, State::Trailer),
                    _ => (1, State::TrailerName(name.and(byte))),
                },
                State::Trailer => match memchr::memchr2(b'\r', b'\n', rest) {
                    None => (rest.len(), State::Trailer),
                    Some(end) if rest[end] == b'\n' => return self.refuse(at + end),
                    Some(end) => (end + 1, State::TrailerEnd),
                },
                State::TrailerEnd if byte == b'\n' => (1, State::TrailerStart),
                State::BodyEnd if byte == b'\n' => (1, State::Between),
                State::HeadEnd | State::TrailerEnd | State::BodyEnd => (0, State::Lost),
                State::Lost => return None,
            };
            self.move_on(taken, state);
            at += taken;
        }
        None
    }

    /// Whether all messages that began have ended.
    pub fn is_between_messages(&self) -> bool {
        self.state == State::Between
    }

    /// How many messages have begun, modulo 2^32.
    pub fn requests(&self) -> u32 {
        self.requests
    }

    fn move_on(&mut self, taken: usize, state: State) {
        let ended = matches!(self.state, State::LineStart | State::HeadEnd)
            && matches!(state, State::Between | State::Body(_) | State::Line(_));
        if ended {
            self.room = MAX_HEAD_BYTES;
        } else if self.state.is_of_a_head() {
            // A line's end is let through where there is no room for it.
            self.room = self.room.saturating_sub(taken);
        }
        self.state = state;
    }

    fn refuse(&mut self, at: usize) -> Option<Instead> {
        self.end(at, REFUSED, None)
    }

    fn end(&mut self, at: usize, bytes: &'static [u8], excess: Option<Excess>) -> Option<Instead> {
        self.state = State::Lost;
        Some(Instead::End { at, bytes, excess })
    }

    /// The shortest end of a head for which there is no room left; `None` where `byte` is the end of its line, with which
    /// that is shorter.
    fn end_of_what_is_too_long(&self, byte: u8) -> Option<(&'static [u8], Option<Excess>)> {
        let line = if self.fields == 0 { Excess::Target } else { Excess::Fields };
        let (end, excess): (&[u8], _) = match self.state {
            State::Method => (b" / HTTP/1.1\r\n\r\n", Excess::Method),
            State::Target => (b" HTTP/1.1\r\n\r\n", Excess::Target),
            State::Version(read) => (&VERSION[read..], Excess::Target),
            State::LineStart => (b"\r\n", line),
            State::HeadEnd => (b"\n", line),
            State::RestOfLine | State::Length if byte == b'\n' => return None,
            State::Length => (b"\r\n\r\n", Excess::Fields),
            // Whether this was a name or a value, it is a field now.
            State::RestOfLine | State::Name { .. } => (b"x:\r\n\r\n", Excess::Fields),
            // Nothing but empty lines.
            _ => return Some((REFUSED, None)),
        };
        Some((end, Some(excess)))
    }

    /// Notes a field that says how the body is framed; `None` where the other one did so already.
    fn framed_by(&mut self, field: Field) -> Option<State> {
        match field {
            Field::ContentLength if !self.chunked => {
                // Repeated and equal it counts once; unequal, hyper refuses it.
                self.length = Some(0);
                Some(State::Length)
            }
            Field::TransferEncoding if self.length.is_none() => {
                self.chunked = true;
                Some(State::RestOfLine)
            }
            _ => None,
        }
    }

    /// What follows the head.
    fn body(&self) -> State {
        match self.length {
            _ if self.chunked => State::Line(ChunkLine::default()),
            Some(length @ 1..) => State::Body(length),
            _ => State::Between,
        }
    }
}

/// Skips what is there of `left` bytes.
fn skip(left: u64, rest: &[u8], within: fn(u64) -> State, after: State) -> (usize, State) {
    let taken = usize::try_from(left).map_or(rest.len(), |left| left.min(rest.len()));
    match left - taken as u64 {
        0 => (taken, after),
        left => (taken, within(left)),
    }
}

#[cfg(test)]
mod tests;
