//! One client connection on a plain socket, with a deadline on everything that it waits for.

use std::fmt;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use crate::response::{self, Response};

/// How long the pieces of a request are held apart, so that a server reads them one by one. Nothing is
/// synchronised by it: a server that reads several at once is only tested less.
const PIECE_GAP: Duration = Duration::from_millis(1);

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
}

impl Client {
    /// Connects, and will wait at most `patience` for this and for each later step.
    pub(crate) fn connect(address: SocketAddr, patience: Duration) -> io::Result<Self> {
        let stream = TcpStream::connect_timeout(&address, patience)?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(patience))?;
        Ok(Self { stream, received: Vec::new(), patience })
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

    /// Tells the server that nothing more will be sent; answers can still come.
    pub(crate) fn finish_sending(&mut self) -> io::Result<()> {
        self.stream.shutdown(Shutdown::Write)
    }

    /// The next response.
    pub(crate) fn receive(&mut self, to_head: bool) -> Result<Response, Broken> {
        self.receive_within(to_head, self.patience)
    }

    /// The next response, with another patience than usual.
    pub(crate) fn receive_within(&mut self, to_head: bool, patience: Duration) -> Result<Response, Broken> {
        let deadline = Instant::now() + patience;
        let mut ended = false;
        loop {
            match response::parse(&self.received, to_head, ended) {
                Err(what) => return Err(Broken::Malformed(what)),
                Ok(Some((response, length))) => {
                    self.received.drain(..length);
                    return Ok(response);
                }
                Ok(None) if !ended => {}
                Ok(None) if self.received.is_empty() => return Err(Broken::Closed),
                Ok(None) => return Err(Broken::Truncated(self.received.len())),
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
        let deadline = Instant::now() + self.patience;
        if self.received.is_empty() {
            match self.read_more(deadline) {
                Ok(0) => return Ok(()),
                Ok(_) => {}
                Err(error) if is_reset(&error) => return Ok(()),
                Err(error) if is_timeout(&error) => {
                    return Err(format!("the connection is still open after {:?}", self.patience));
                }
                Err(error) => return Err(error.to_string()),
            }
        }
        let start = &self.received[..self.received.len().min(60)];
        Err(format!("instead of a close came {:?}", String::from_utf8_lossy(start)))
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
