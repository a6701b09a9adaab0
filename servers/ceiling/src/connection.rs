//! One connection: counts the heads that end in what it reads, and writes as many answers.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
};

use crate::ANSWER;

/// Answers that one write can take; a longer pipeline takes more writes.
const BATCH: usize = 64;

/// What a head ends with (RFC 9112 section 2.1).
const END_OF_HEAD: [u8; 4] = *b"\r\n\r\n";

pub(crate) struct Connection {
    stream: TcpStream,
    heads: Heads,
    /// Bytes of answers that are due and not written.
    unwritten: usize,
}

/// Whether a connection goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Next {
    Wait,
    Close,
}

impl Connection {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream, heads: Heads::default(), unwritten: 0 }
    }

    /// Whether answers are still due.
    pub(crate) fn is_busy(&self) -> bool {
        self.unwritten > 0
    }

    /// Reads what there is and answers it. `buffer` is scratch space, `answers` is [`answers`].
    ///
    /// A read that does not fill the buffer took all there was, and more will be a new event: so there is one
    /// read for a request, and none to be told that there is no more.
    pub(crate) fn on_ready(&mut self, buffer: &mut [u8], answers: &[u8]) -> io::Result<Next> {
        if self.unwritten > 0 && !self.write(answers)? {
            // Reads nothing more from a client that does not take its answers.
            return Ok(Next::Wait);
        }
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Ok(Next::Close),
                Ok(count) => count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Next::Wait),
                Err(error) => return Err(error),
            };
            self.unwritten += self.heads.ended_in(&buffer[..count]) * ANSWER.len();
            if self.unwritten > 0 && !self.write(answers)? {
                return Ok(Next::Wait);
            }
            if count < buffer.len() {
                return Ok(Next::Wait);
            }
        }
    }

    /// Writes what is due; whether that was all.
    fn write(&mut self, answers: &[u8]) -> io::Result<bool> {
        while self.unwritten > 0 {
            // The answers repeat, so the place to go on from is where the rest ends with an answer's end.
            let start = (ANSWER.len() - self.unwritten % ANSWER.len()) % ANSWER.len();
            let end = answers.len().min(start + self.unwritten);
            match self.stream.write(&answers[start..end]) {
                Ok(count) => self.unwritten -= count,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }
}

/// The bytes of many answers in a row.
pub(crate) fn answers() -> Vec<u8> {
    ANSWER.repeat(BATCH).into_bytes()
}

/// Finds the ends of heads in a stream that is cut anywhere.
#[derive(Debug, Default)]
struct Heads {
    /// How many bytes of [`END_OF_HEAD`] the stream so far ends with.
    matched: usize,
}

impl Heads {
    fn ended_in(&mut self, bytes: &[u8]) -> usize {
        // The common case: one whole head, whose end is the end of the read, and no other.
        let mut ended = 0;
        for &byte in bytes {
            self.matched = match (self.matched, byte) {
                (matched, byte) if byte == END_OF_HEAD[matched] => matched + 1,
                (_, b'\r') => 1,
                _ => 0,
            };
            if self.matched == END_OF_HEAD.len() {
                ended += 1;
                self.matched = 0;
            }
        }
        ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn heads_are_counted_alike_however_the_stream_is_cut(
            heads in 0_usize..5, tail in 0_usize..20, cuts: Vec<proptest::sample::Index>,
        ) {
            const HEAD: &[u8] = b"GET /simple HTTP/1.1\r\nHost: a\r\n\r\n";
            let stream = [&HEAD.repeat(heads), &HEAD[..tail]].concat();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
            cuts.push(stream.len());
            cuts.sort_unstable();
            let (mut state, mut from, mut ended) = (Heads::default(), 0, 0);
            for cut in cuts {
                ended += state.ended_in(&stream[from..cut]);
                from = cut;
            }
            proptest::prop_assert_eq!(ended, heads);
        }
    }

    #[test]
    fn an_end_is_found_after_a_false_beginning() {
        assert_eq!(Heads::default().ended_in(b"\r\n\r\r\n\r\n"), 1);
        assert_eq!(Heads::default().ended_in(b"\r\r\n\r\n\n\r\n"), 1);
    }
}
