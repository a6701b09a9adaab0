//! One user's connection: a non-blocking socket, the request under way and the parser of its answer.
//!
//! It does what it is told and says what happened; what that means for the user is not known here.

use std::{borrow::Cow, net::SocketAddr};

use load::{
    Limits,
    response::{Progress, ResponseError, ResponseParser},
};
use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send,
        socket_with, sockopt,
    },
};

/// The original has no limit on content. It is held in memory until it is complete.
const LIMITS: Limits = Limits { max_head_bytes: 64 * 1024, max_body_bytes: 1 << 30 };

/// What reading brought.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Received {
    /// Nothing, or part of an answer.
    Pending,
    /// A whole answer.
    Answer(Answer),
    /// There will be no answer, for a reason that has a name.
    Failed(Cow<'static, str>),
}

/// A whole answer.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) first_byte_at_ns: u64,
    /// When its last byte came.
    pub(super) at_ns: u64,
    /// How long its content is, transfer coding removed.
    pub(super) content_bytes: u64,
    /// The server leaves the connection open.
    pub(super) keep_alive: bool,
}

/// Where a connection stands.
#[derive(Debug)]
pub(super) struct Connection {
    socket: Option<OwnedFd>,
    connected: bool,
    parser: ResponseParser,
    written: usize,
    first_byte_at_ns: Option<u64>,
}

impl Connection {
    pub(super) fn new() -> Self {
        let parser = ResponseParser::new(LIMITS);
        Self { socket: None, connected: false, parser, written: 0, first_byte_at_ns: None }
    }

    /// Starts a handshake on a new socket. `follow` hands the socket to whoever waits for it.
    ///
    /// # Errors
    /// It cannot even be started, or was refused at once.
    pub(super) fn open(
        &mut self,
        address: &SocketAddr,
        follow: impl FnOnce(&OwnedFd) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        self.close();
        let family = if address.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        // As Node does.
        sockopt::set_tcp_nodelay(&socket, true)?;
        match connect(&socket, address) {
            Ok(()) => self.connected = true,
            Err(Errno::INPROGRESS | Errno::INTR) => {}
            Err(error) => return Err(error),
        }
        // Even if the handshake has ended meanwhile: a socket that is ready when it is registered is an event.
        follow(&socket)?;
        self.socket = Some(socket);
        Ok(())
    }

    /// Whether the handshake has succeeded.
    pub(super) fn is_connected(&self) -> bool {
        self.connected
    }

    /// The handshake has ended.
    ///
    /// # Errors
    /// Why it failed.
    pub(super) fn finish_connecting(&mut self) -> Result<(), Errno> {
        let socket = self.socket.as_ref().ok_or(Errno::NOTCONN)?;
        sockopt::socket_error(socket)??;
        self.connected = true;
        Ok(())
    }

    /// Starts a request; its bytes follow with [`Connection::write`].
    pub(super) fn begin(&mut self) {
        self.parser.reset();
        self.written = 0;
        self.first_byte_at_ns = None;
    }

    /// Sends what is left of `request`, as far as the socket takes it.
    ///
    /// # Errors
    /// The socket broke. An answer may have come before: reading tells.
    pub(super) fn write(&mut self, request: &[u8]) -> Result<(), Errno> {
        let Some(socket) = &self.socket else { return Err(Errno::NOTCONN) };
        while self.written < request.len() {
            match send(socket, &request[self.written..], SendFlags::NOSIGNAL) {
                Ok(bytes) => self.written += bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads as far as the answer has come. `clock` tells the time.
    pub(super) fn read(&mut self, buffer: &mut [u8], clock: impl Fn() -> u64) -> Received {
        let Some(socket) = &self.socket else { return Received::Pending };
        loop {
            let read = recv(socket, &mut *buffer, RecvFlags::empty());
            let at_ns = clock();
            let (parsed, input): (_, &[u8]) = match read {
                Ok((0, _)) => (self.parser.end_of_input().map(Progress::Complete), &[]),
                Ok((bytes, _)) => {
                    self.first_byte_at_ns.get_or_insert(at_ns);
                    (self.parser.feed(&buffer[..bytes]), &buffer[..bytes])
                }
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => return Received::Pending,
                Err(error) => return Received::Failed(name_of(error)),
            };
            return match parsed {
                Ok(Progress::NeedMore) => continue,
                Ok(Progress::Complete(response)) if response.consumed < input.len() => {
                    Received::Failed(MALFORMED)
                }
                Ok(Progress::Complete(response)) => Received::Answer(Answer {
                    status: response.status,
                    first_byte_at_ns: self.first_byte_at_ns.unwrap_or(at_ns),
                    at_ns,
                    content_bytes: self.parser.body(&response, input).len() as u64,
                    keep_alive: response.keep_alive,
                }),
                // To Node a connection that ends within an answer was reset.
                Err(ResponseError::ClosedEarly) => Received::Failed(name_of(Errno::CONNRESET)),
                Err(ResponseError::Malformed(_)) => Received::Failed(MALFORMED),
                Err(ResponseError::HeadTooLarge | ResponseError::BodyTooLarge) => Received::Failed(TOO_LARGE),
            };
        }
    }

    /// Whether part of the answer has come.
    pub(super) fn answer_has_begun(&self) -> bool {
        self.first_byte_at_ns.is_some()
    }

    pub(super) fn close(&mut self) {
        self.socket = None;
        self.connected = false;
    }
}

/// Not HTTP/1.x, or bytes after an answer that nobody asked for.
const MALFORMED: Cow<'static, str> = Cow::Borrowed("MALFORMED_RESPONSE");
const TOO_LARGE: Cow<'static, str> = Cow::Borrowed("RESPONSE_TOO_LARGE");

/// The name that Node and the manual pages give an error.
pub(super) fn name_of(error: Errno) -> Cow<'static, str> {
    Cow::Borrowed(match error {
        Errno::CONNREFUSED => "ECONNREFUSED",
        Errno::CONNRESET => "ECONNRESET",
        Errno::CONNABORTED => "ECONNABORTED",
        Errno::PIPE => "EPIPE",
        Errno::TIMEDOUT => "ETIMEDOUT",
        Errno::HOSTUNREACH => "EHOSTUNREACH",
        Errno::NETUNREACH => "ENETUNREACH",
        Errno::ADDRNOTAVAIL => "EADDRNOTAVAIL",
        Errno::MFILE => "EMFILE",
        Errno::NFILE => "ENFILE",
        Errno::ACCESS => "EACCES",
        Errno::PERM => "EPERM",
        other => return Cow::Owned(format!("ERRNO_{}", other.raw_os_error())),
    })
}
