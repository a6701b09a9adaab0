//! Where messages begin and end in the bytes that a client sends, and what may not stand between.
//!
//! hyper finds the boundaries by itself, and refuses nearly everything that RFC 9112 has refused. What it lets pass
//! or hides from the service is noticed here, on the way to it: a Content-Length beside a Transfer-Encoding (section 6.1), a
//! fragment in the request target (section 3.2), blanks and other bytes in a chunk's size line that are no extension
//! (section 7.1.1), a line after the last chunk that ends in LF alone, behind which it swallows the next request
//! (section 7.1.2). Each is a place where two readers of the same bytes may disagree, which is how requests are smuggled.
//!
//! [`Framing`] reads along and names the first byte that may not be there; [`Strict`](crate::strict::Strict) is the stream that then makes hyper
//! refuse: it lets the bytes before it through, and in its place `REFUSED`, which no part of a message may hold. So
//! there is one parser whose verdict counts, answers keep their order, and this one only has to agree with it on where
//! messages end. That is tested against hyper byte by byte (`fuzz/properties`) and fuzzed. What hyper refuses anyway is
//! not looked at here.

mod chunk;

use chunk::{ChunkLine, Next};

/// What hyper is given in the place of a byte that may not be there: a byte that no head and no trailer may hold, one that
/// no chunk's line may hold, and the end of whatever it waits for.
pub(crate) const REFUSED: &[u8] = b"\0\n\r\n\r\n";

/// Reads along with the bytes of one connection.
#[derive(Clone, Copy, Debug, Default)]
pub struct Framing {
    state: State,
    length: Option<u64>,
    chunked: bool,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum State {
    /// Between messages, where empty lines are skipped (RFC 9112 section 2.2).
    #[default]
    Between,
    Method,
    Target,
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
    /// In a trailer field.
    Trailer,
    /// After a CR in a trailer field.
    TrailerEnd,
    /// After the CR of what should be the last line.
    BodyEnd,
    /// Something is wrong that hyper refuses too: nothing more is to be known of this connection.
    Lost,
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
    /// Reads on.
    ///
    /// # Errors
    /// The position in `bytes` of the first byte that may not be there. Nothing is to be read after it.
    pub fn read(&mut self, bytes: &[u8]) -> Result<(), usize> {
        let mut at = 0;
        while let [byte, ..] = bytes[at..] {
            let rest = &bytes[at..];
            let (taken, state) = match self.state {
                State::Between if matches!(byte, b'\r' | b'\n') => (1, State::Between),
                State::Between => {
                    (self.length, self.chunked) = (None, false);
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
                    Some(end) if rest[end] == b' ' => (end + 1, State::RestOfLine),
                    Some(end) => (end + 1, State::LineStart),
                },
                State::RestOfLine => match memchr::memchr(b'\n', rest) {
                    None => (rest.len(), State::RestOfLine),
                    Some(end) => (end + 1, State::LineStart),
                },
                State::LineStart => match (byte, Field::starting_with(byte)) {
                    (b'\r', _) => (1, State::HeadEnd),
                    (b'\n', _) => (1, self.body()),
                    (_, Some(field)) => (1, State::Name { field, matched: 1 }),
                    (_, None) => (0, State::RestOfLine),
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
                        let length = self.length.unwrap_or(0);
                        self.length = Some(length.saturating_mul(10).saturating_add(u64::from(byte - b'0')));
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
                State::TrailerStart => (0, State::Trailer),
                State::Trailer => match memchr::memchr2(b'\r', b'\n', rest) {
                    None => (rest.len(), State::Trailer),
                    Some(end) if rest[end] == b'\n' => return self.refuse(at + end),
                    Some(end) => (end + 1, State::TrailerEnd),
                },
                State::TrailerEnd if byte == b'\n' => (1, State::TrailerStart),
                State::BodyEnd if byte == b'\n' => (1, State::Between),
                State::HeadEnd | State::TrailerEnd | State::BodyEnd => (0, State::Lost),
                State::Lost => return Ok(()),
            };
            self.state = state;
            at += taken;
        }
        Ok(())
    }

    /// Whether all messages that began have ended.
    pub fn is_between_messages(&self) -> bool {
        self.state == State::Between
    }

    fn refuse(&mut self, at: usize) -> Result<(), usize> {
        self.state = State::Lost;
        Err(at)
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
mod tests {
    use super::*;

    /// Where it stops, and whether it is between messages if it does not.
    fn read(text: &str) -> Result<bool, usize> {
        let mut framing = Framing::default();
        framing.read(text.as_bytes()).map(|()| framing.is_between_messages())
    }

    #[test]
    fn messages_end_where_their_framing_says() {
        for whole in [
            "",
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "\r\n\nGET / HTTP/1.1\nHost: a\n\n",
            "POST / HTTP/1.1\r\ncontent-LENGTH: 5\r\n\r\nhello",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n",
            "GET / HTTP/1.1\r\nContent-Lengthy: 5\r\nTransfer: x\r\nC: c\r\n\r\n",
        ] {
            assert_eq!(read(whole), Ok(true), "{whole:?}");
            assert_eq!(read(&format!("{whole}G")), Ok(false), "{whole:?}");
        }
        for part in [
            "GET / HTTP/1.1\r\nHost: a\r\n",
            "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell",
            "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
        ] {
            assert_eq!(read(part), Ok(false), "{part:?}");
        }
    }

    #[test]
    fn what_hyper_lets_pass_is_named_by_its_place() {
        for (before, after) in [
            ("GET /simple", "#top HTTP/1.1\r\n\r\n"),
            ("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding", ": chunked\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length", ": 5\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5 ", "\r\nhello\r\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;", "\r\nhello\r\n0\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "\nGET / HTTP/1.1\r\n\r\n"),
            ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b", "\n\r\n"),
        ] {
            assert_eq!(read(&format!("{before}{after}")), Err(before.len()), "{before:?}");
        }
    }

    #[test]
    fn a_hash_in_a_method_is_none_in_a_target() {
        assert_eq!(read("G#T / HTTP/1.1\r\nA: #\r\n\r\n"), Ok(true));
    }

    proptest::proptest! {
        #[test]
        fn the_cutting_of_the_bytes_changes_nothing(
            pieces in proptest::collection::vec("[\\PC\r\n]{0,20}|GET / HTTP/1.1\r\n|Transfer-Encoding: chunked\r\n|Content-Length: 3\r\n|\r\n|5;a\r\n", 0..12),
        ) {
            let whole = pieces.concat();
            let mut framing = Framing::default();
            let mut at = 0;
            let cut = pieces.iter().try_for_each(|piece| {
                let outcome = framing.read(piece.as_bytes()).map_err(|place| at + place);
                at += piece.len();
                outcome
            });
            let cut = cut.map(|()| framing.is_between_messages());
            proptest::prop_assert_eq!(cut, read(&whole));
        }
    }
}
