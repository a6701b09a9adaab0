//! One non-blocking TCP connection: its states, its socket and the parser of what comes back.
//!
//! It does what it is told and says what happened; when to send and what to record is for the lane.

use std::net::SocketAddr;

use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send,
        socket_with, sockopt,
    },
};

use crate::{
    clock::Clock,
    errors::ErrorKind,
    lane::Ticket,
    response::{Limits, Progress, Response, ResponseError, ResponseParser},
};

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No socket.
    Closed,
    /// The handshake is under way.
    Connecting,
    /// Open, without a request.
    Idle,
    /// A request is in flight.
    Busy,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) state: State,
    /// Which stream it belongs to, as a number of the engine's lanes.
    pub(crate) lane: usize,
    /// Tells the events of this socket from those of an earlier one.
    pub(crate) generation: u32,
    /// The request in flight.
    pub(crate) ticket: Ticket,
    /// Right answers in the window.
    pub(crate) ok_in_window: u64,
    /// Sockets in a row that brought no answer: the next one waits longer.
    pub(crate) fruitless: u32,
    socket: Option<OwnedFd>,
    parser: ResponseParser,
    written: usize,
}

/// What reading brought.
#[derive(Debug)]
pub(crate) enum Received {
    /// The answer is not complete.
    Pending,
    /// The answer is complete; its content is fetched with [`Connection::body`].
    Answer {
        response: Response,
        /// How many bytes the last read brought.
        input_bytes: usize,
        at_ns: u64,
        reusable: bool,
    },
    /// There will be no answer.
    Failed { kind: ErrorKind, at_ns: u64 },
}

/// How many system calls moved bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IoCalls {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

impl Connection {
    pub(crate) fn new(lane: usize, limits: Limits, answers_have_bodies: bool) -> Self {
        Self {
            state: State::Closed,
            lane,
            generation: 0,
            ticket: Ticket::default(),
            ok_in_window: 0,
            fruitless: 0,
            socket: None,
            parser: ResponseParser::new(limits, answers_have_bodies),
            written: 0,
        }
    }

    /// Opens a new socket and starts the handshake. `register` hands the socket, with its generation, to the poller.
    pub(crate) fn open(
        &mut self,
        target: &SocketAddr,
        register: impl FnOnce(&OwnedFd, u32) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        self.close();
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        self.generation = self.generation.wrapping_add(1);
        let state = match connect(&socket, target) {
            Ok(()) => State::Idle,
            Err(Errno::INPROGRESS | Errno::INTR) => State::Connecting,
            Err(error) => return Err(error),
        };
        // Even if the handshake has ended meanwhile: registering a ready socket is an event.
        register(&socket, self.generation)?;
        self.state = state;
        self.socket = Some(socket);
        Ok(())
    }

    /// The handshake has ended: becomes idle if it succeeded.
    pub(crate) fn finish_connecting(&mut self) -> Result<(), Errno> {
        let socket = self.socket.as_ref().ok_or(Errno::NOTCONN)?;
        sockopt::socket_error(socket)??;
        self.state = State::Idle;
        Ok(())
    }

    /// Starts sending `request`. False when the socket broke.
    #[inline]
    pub(crate) fn start(&mut self, ticket: Ticket, request: &[u8], calls: &mut IoCalls) -> bool {
        self.ticket = ticket;
        self.state = State::Busy;
        self.written = 0;
        self.parser.reset();
        self.write(request, calls)
    }

    /// Sends what is left of `request`, as far as the socket takes it. False when the socket broke.
    #[inline]
    pub(crate) fn write(&mut self, request: &[u8], calls: &mut IoCalls) -> bool {
        let Some(socket) = &self.socket else { return false };
        while self.written < request.len() {
            calls.writes += 1;
            match send(socket, &request[self.written..], SendFlags::NOSIGNAL) {
                Ok(bytes) => self.written += bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return true,
                // The answer may have come before the server closed: reading tells.
                Err(_) => return false,
            }
        }
        true
    }

    /// Whether part of a request of `request_bytes` is still to be written.
    pub(crate) fn is_writing(&self, request_bytes: usize) -> bool {
        self.state == State::Busy && self.written < request_bytes
    }

    /// Reads the answer as far as it has come, in one system call when it is complete or the buffer not full.
    /// `closing` says that the peer has closed or broken the connection, so that no further event will come.
    #[inline]
    pub(crate) fn receive(
        &mut self,
        buffer: &mut [u8],
        closing: bool,
        clock: &Clock,
        calls: &mut IoCalls,
    ) -> Received {
        let Some(socket) = &self.socket else { return Received::Pending };
        loop {
            calls.reads += 1;
            let read = recv(socket, &mut *buffer, RecvFlags::empty());
            let at_ns = clock.now_ns();
            match read {
                Ok((0, _)) => return self.end_of_input(at_ns),
                Ok((input_bytes, _)) => match self.parser.feed(&buffer[..input_bytes]) {
                    Ok(Progress::NeedMore) if input_bytes == buffer.len() || closing => {}
                    Ok(Progress::NeedMore) => return Received::Pending,
                    Ok(Progress::Complete(response)) if response.consumed < input_bytes => {
                        return Received::Failed { kind: ErrorKind::Malformed, at_ns };
                    }
                    Ok(Progress::Complete(response)) => {
                        let reusable = response.keep_alive && !closing;
                        return Received::Answer { response, input_bytes, at_ns, reusable };
                    }
                    Err(error) => return Received::Failed { kind: kind_of(error), at_ns },
                },
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Received::Pending,
                Err(_) => return Received::Failed { kind: ErrorKind::Reset, at_ns },
            }
        }
    }

    fn end_of_input(&mut self, at_ns: u64) -> Received {
        match self.parser.end_of_input() {
            Ok(response) => Received::Answer { response, input_bytes: 0, at_ns, reusable: false },
            Err(error) => Received::Failed { kind: kind_of(error), at_ns },
        }
    }

    /// The content of an answer just received; `input` is what the last read brought.
    pub(crate) fn body<'a>(&'a self, response: &Response, input: &'a [u8]) -> &'a [u8] {
        self.parser.body(response, input)
    }

    /// Whether an idle connection is still good: nothing has come that nobody asked for, neither bytes nor an end.
    pub(crate) fn is_quiet(&self, buffer: &mut [u8], calls: &mut IoCalls) -> bool {
        let Some(socket) = &self.socket else { return false };
        calls.reads += 1;
        matches!(recv(socket, buffer, RecvFlags::empty()), Err(Errno::AGAIN | Errno::INTR))
    }

    pub(crate) fn close(&mut self) {
        self.socket = None;
        self.state = State::Closed;
    }
}

fn kind_of(error: ResponseError) -> ErrorKind {
    match error {
        ResponseError::Malformed(_) => ErrorKind::Malformed,
        ResponseError::HeadTooLarge | ResponseError::BodyTooLarge => ErrorKind::TooLarge,
        ResponseError::ClosedEarly => ErrorKind::ClosedEarly,
    }
}
