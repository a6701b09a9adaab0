//! One connection: finds the ends of heads, and writes answers in the order of their requests.

use std::{
    io::{self, ErrorKind, Read, Write},
    net::TcpStream,
};

/// What a head ends with (RFC 9112 section 2.1).
const END_OF_HEAD: [u8; 4] = *b"\r\n\r\n";

pub(super) struct Connection {
    stream: TcpStream,
    /// How many bytes of [`END_OF_HEAD`] the stream so far ends with.
    matched: usize,
    /// Answers that are held back.
    pub(super) held: usize,
}

/// What reading brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Arrived {
    /// So many heads ended.
    Requests(usize),
    /// The client has closed.
    End,
}

impl Connection {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, matched: 0, held: 0 }
    }

    /// Reads what there is. A read that does not fill `buffer` took all of it.
    ///
    /// # Errors
    /// The connection broke.
    pub(super) fn read(&mut self, buffer: &mut [u8]) -> io::Result<Arrived> {
        let mut requests = 0;
        loop {
            let count = match self.stream.read(buffer) {
                Ok(0) => return Ok(Arrived::End),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    return Ok(Arrived::Requests(requests));
                }
                Err(error) => return Err(error),
            };
            requests += self.ended_in(&buffer[..count]);
            if count < buffer.len() {
                return Ok(Arrived::Requests(requests));
            }
        }
    }

    /// Writes one answer.
    ///
    /// # Errors
    /// The client is gone, or takes no more bytes: a hundred always fit, unless it does not read at all.
    pub(super) fn write(&mut self, answer: &[u8]) -> io::Result<()> {
        self.stream.write_all(answer)
    }

    fn ended_in(&mut self, bytes: &[u8]) -> usize {
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
