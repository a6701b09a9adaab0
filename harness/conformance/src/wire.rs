//! One client connection on a plain socket, with a deadline on everything that it waits for.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use rustix::io::Errno;
use rustix::net::{SendFlags, send, sockopt::set_socket_linger};

use crate::response::{self, Response};
use crate::transcript::{End, Transcript};

/// How long the pieces of a request are held apart, so that a server reads them one by one. Nothing is
/// synchronised by it: a server that reads several at once is only tested less.
pub(crate) const PIECE_GAP: Duration = Duration::from_millis(1);

/// Why there is no response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Broken {
    /// The server closed, or reset, before the first byte of one.
    Closed,
    /// The server closed in the middle.
    Truncated(usize),
    /// Nothing, or not all, came in time.
    TimedOut(Duration),
    /// What came is not a response.
    Malformed(String),
    /// The socket failed otherwise.
    Io(String),
}

impl fmt::Display for Broken {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Closed => f.write_str("closed without an answer"),
            Self::Truncated(bytes) => write!(f, "closed in the middle of an answer, after {bytes} bytes"),
            Self::TimedOut(patience) => write!(f, "no whole answer within {patience:?}"),
            Self::Malformed(what) => f.write_str(what),
            Self::Io(error) => f.write_str(error),
        }
    }
}

/// A connection from the client's end.
#[derive(Debug)]
pub(crate) struct Client {
    stream: TcpStream,
    /// Bytes received and not yet taken as a response.
    received: Vec<u8>,
    patience: Duration,
    /// Where what is received is noted, if it is.
    transcript: Option<Transcript>,
}

/// How a connection went on after its last expected answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum After {
    /// The server closed, or reset, and said nothing more.
    Closed,
    /// It said nothing more, and did not close in time.
    Open(Duration),
    /// It said more, of which this is the start.
    More(String),
    /// The socket failed otherwise.
    Broken(String),
}

impl Client {
    /// Connects, and will wait at most `patience` for this and for each later step.
    pub(crate) fn connect(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream, received: Vec::new(), patience, transcript: None })
    }

    /// Notes everything that it receives in `transcript`.
    pub(crate) fn recording(self, transcript: &Transcript) -> Self {
        transcript.connection();
        Self { transcript: Some(transcript.clone()), ..self }
    }

    /// The longest wait for each step.
    pub(crate) fn patience(&self) -> Duration {
        self.patience
    }

    /// The socket, for what a client that is no client does with it.
    pub(crate) fn stream(&self) -> &TcpStream {
        &self.stream
    }

    /// Whether there is something to read, be it the end of the stream. Does not wait.
    pub(crate) fn has_input(&self) -> io::Result<bool> {
        self.stream.set_nonblocking(true)?;
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_nonblocking(false)?;
        match peeked {
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(!self.received.is_empty()),
            _ => Ok(true),
        }
    }

    pub(crate) fn send(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes)
    }

    /// Sends `bytes` in pieces of `size`, each in a segment of its own.
    pub(crate) fn send_in_pieces(&mut self, bytes: &[u8], size: usize) -> io::Result<()> {
        for piece in bytes.chunks(size) {
            self.stream.write_all(piece)?;
            thread::sleep(PIECE_GAP);
        }
        Ok(())
    }

    fn note(&self, what: impl FnOnce(&Transcript)) {
        if let Some(transcript) = &self.transcript {
            what(transcript);
        }
    }

    /// Sends `bytes` and says that nothing more will be sent, in the segment of the last byte.
    pub(crate) fn send_with_the_end(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut rest = bytes;
        while !rest.is_empty() {
            // What is left of them waits for more, which is the end.
            match send(&self.stream, rest, SendFlags::MORE | SendFlags::NOSIGNAL) {
                Ok(count) => rest = &rest[count..],
                Err(Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        self.finish_sending()
    }

    /// Leaves by a reset: whatever the server writes or waits for, nobody will read it.
    pub(crate) fn reset(self) -> io::Result<()> {
        set_socket_linger(&self.stream, Some(Duration::ZERO))?;
        Ok(())
    }

    /// Tells the server that nothing more will be sent; answers can still come.
    pub(crate) fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// The next response.
    pub(crate) fn receive(&mut self, to_head: bool) -> Result<Response, Broken> {
        let outcome = self.receive_within(to_head, self.patience);
        if let Err(Broken::TimedOut(_)) = outcome {
            self.note(|transcript| transcript.end(End::TimedOut));
        }
        outcome
    }

    /// The next response that is not an interim one (RFC 9110 section 15.2).
    pub(crate) fn receive_final(&mut self) -> Result<Response, Broken> {
        loop {
            let response = self.receive(false)?;
            if response.status >= 200 {
                return Ok(response);
            }
        }
    }

    /// The next response, with another patience than usual. That nothing came in time is not noted in the transcript:
    /// whoever asks in this way may ask again.
    pub(crate) fn receive_within(&mut self, to_head: bool, patience: Duration) -> Result<Response, Broken> {
        let deadline = Instant::now() + patience;
        let mut ended = false;
        loop {
            match response::parse(&self.received, to_head, ended) {
                Err(what) => {
                    self.note(|transcript| transcript.rest(&self.received, End::Malformed));
                    return Err(Broken::Malformed(what));
                }
                Ok(Some((response, length))) => {
                    self.note(|transcript| transcript.response(&self.received[..length], &response, to_head));
                    self.received.drain(..length);
                    return Ok(response);
                }
                Ok(None) if !ended => {}
                Ok(None) if self.received.is_empty() => {
                    self.note(|transcript| transcript.end(End::Closed));
                    return Err(Broken::Closed);
                }
                Ok(None) => {
                    self.note(|transcript| transcript.rest(&self.received, End::Truncated));
                    return Err(Broken::Truncated(self.received.len()));
                }
            }
            match self.read_more(deadline) {
                Ok(0) => ended = true,
                Ok(_) => {}
                Err(error) if is_reset(&error) => ended = true,
                Err(error) if is_timeout(&error) => return Err(Broken::TimedOut(patience)),
                Err(error) => return Err(Broken::Io(error.to_string())),
            }
        }
    }

    /// Waits until the server closes.
    ///
    /// # Errors
    ///
    /// It sent more instead, or nothing happened in time.
    pub(crate) fn closes(&mut self) -> Result<(), String> {
        match self.after(self.patience) {
            After::Closed => Ok(()),
            After::Open(patience) => Err(format!("the connection is still open after {patience:?}")),
            After::More(start) => Err(format!("desync: instead of a close came {start:?}")),
            After::Broken(error) => Err(error),
        }
    }

    /// Waits until the server closes or says more, at most for `patience`.
    pub(crate) fn after(&mut self, patience: Duration) -> After {
        let deadline = Instant::now() + patience;
        let outcome = if self.received.is_empty() { self.read_more(deadline) } else { Ok(1) };
        match outcome {
            Ok(0) => self.ended(End::Closed, After::Closed),
            Ok(_) => {
                let start = &self.received[..self.received.len().min(60)];
                let start = String::from_utf8_lossy(start).into_owned();
                self.note(|transcript| transcript.rest(&self.received, End::More));
                After::More(start)
            }
            Err(error) if is_reset(&error) => self.ended(End::Closed, After::Closed),
            Err(error) if is_timeout(&error) => self.ended(End::Open, After::Open(patience)),
            Err(error) => After::Broken(error.to_string()),
        }
    }

    fn ended(&self, end: End, after: After) -> After {
        self.note(|transcript| transcript.end(end));
        after
    }

    /// Reads what there is, waiting for it until `deadline`; 0 at the end of the stream.
    fn read_more(&mut self, deadline: Instant) -> io::Result<usize> {
        let remaining = deadline.saturating_duration_since(Instant::now());
        if remaining.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(remaining))?;
        let mut buffer = [0; 16 * 1024];
        loop {
            match self.stream.read(&mut buffer) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
                Ok(count) => {
                    self.received.extend_from_slice(&buffer[..count]);
                    return Ok(count);
                }
            }
        }
    }
}

fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Whether the server ended the connection without ceremony, which closes it all the same.
fn is_reset(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::ConnectionReset | ErrorKind::ConnectionAborted | ErrorKind::BrokenPipe)
}
