//! One non-blocking TCP connection: its states, its socket, what it has to write and the parser of what comes back.
//!
//! It does what it is told and says what happened; when to send and what to record is for the lane.

use std::{collections::VecDeque, net::SocketAddr};

use rustix::{
    fd::OwnedFd,
    io::Errno,
    net::{
        AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, connect, ipproto, recv, send,
        socket_with, sockopt,
    },
};

use crate::{
    judging::Judging,
    policy::ConnectionPolicy,
    response::{Limits, ResponseParser},
    stamps::{self, Control},
    ticket::Ticket,
};

/// What a slow reader's kernel buffers at most, in bytes, so that the server feels how slow it is.
const SLOW_READERS_BUFFER_BYTES: usize = 4096;

/// Where a connection stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum State {
    /// No socket.
    Closed,
    /// The handshake is under way.
    Connecting,
    /// Open, with or without requests in flight.
    Open,
    /// It has had its time and is not opened again.
    Retired,
}

#[derive(Debug)]
pub(crate) struct Connection {
    pub(crate) state: State,
    /// Its number among all connections of the plan.
    pub(crate) number: u32,
    /// Which stream it belongs to, as a number of the engine's lanes. In a shared pool, that of its last request.
    pub(crate) lane: usize,
    /// Tells the events of this socket from those of an earlier one.
    pub(crate) generation: u32,
    /// The requests in flight, the oldest first.
    pub(crate) in_flight: VecDeque<Ticket>,
    /// How many requests its lane may still send on it.
    pub(crate) offered: u32,
    /// How many more this socket may carry beyond those.
    pub(crate) allowance: u32,
    /// How many the next socket may carry.
    pub(crate) left: u32,
    /// The peer has closed its side or broken the connection: no further event will come.
    pub(crate) closing: bool,
    /// When its first handshake began, that of the first socket where several share an allowance.
    pub(crate) opened_ns: u64,
    /// When the answer under way began to arrive.
    pub(crate) first_byte_ns: u64,
    /// The next portion of a slow sender, or of a slow reader, has its time already.
    pub(crate) send_planned: bool,
    pub(crate) receive_planned: bool,
    /// Right answers in the window.
    pub(crate) ok_in_window: u64,
    /// Sockets in a row that brought no answer: the next one waits longer.
    pub(crate) fruitless: u32,
    /// The last attempt to open it failed.
    pub(crate) failed_to_open: bool,
    pub(crate) parser: ResponseParser,
    pub(crate) judging: Judging,
    socket: Option<OwnedFd>,
    /// The kernel stamps what it receives.
    stamped: bool,
    /// Bytes of the requests in flight that are not written yet: the last ones.
    unwritten: usize,
}

/// What reading brought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Received {
    /// So many bytes, and the kernel's stamp of the last of them, in nanoseconds since 1970.
    Bytes { bytes: usize, stamp_ns: Option<u64> },
    /// Nothing yet.
    Nothing,
    /// The peer will send nothing more.
    End,
    /// The connection is broken, and the system said how.
    Broken(Errno),
}

/// How many system calls moved bytes.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct IoCalls {
    pub(crate) reads: u64,
    pub(crate) writes: u64,
}

impl Connection {
    pub(crate) fn new(number: u32, lane: usize, limits: Limits, policy: &ConnectionPolicy) -> Self {
        Self {
            state: State::Closed,
            number,
            lane,
            generation: 0,
            in_flight: VecDeque::with_capacity(policy.pipeline as usize),
            offered: 0,
            allowance: 0,
            left: policy.requests_each.unwrap_or(u32::MAX),
            closing: false,
            opened_ns: 0,
            first_byte_ns: 0,
            send_planned: false,
            receive_planned: false,
            ok_in_window: 0,
            fruitless: 0,
            failed_to_open: false,
            parser: ResponseParser::new(limits),
            judging: Judging::default(),
            socket: None,
            stamped: false,
            unwritten: 0,
        }
    }

    /// Opens a new socket, with stamps where they are wanted, and starts the handshake. `register` hands the socket, with its generation, to the poller.
    pub(crate) fn open(
        &mut self,
        target: &SocketAddr,
        policy: &ConnectionPolicy,
        with_stamps: bool,
        register: impl FnOnce(&OwnedFd, u32) -> Result<(), Errno>,
    ) -> Result<(), Errno> {
        self.close();
        let family = if target.is_ipv4() { AddressFamily::INET } else { AddressFamily::INET6 };
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let socket = socket_with(family, SocketType::STREAM, flags, Some(ipproto::TCP))?;
        sockopt::set_tcp_nodelay(&socket, true)?;
        if policy.read_bytes_per_second.is_some() {
            sockopt::set_socket_recv_buffer_size(&socket, SLOW_READERS_BUFFER_BYTES)?;
        }
        // A refusal shows in every answer, which then has no stamp.
        self.stamped = with_stamps && stamps::enable(&socket);
        self.generation = self.generation.wrapping_add(1);
        self.allowance = self.left;
        let state = match connect(&socket, target) {
            Ok(()) => State::Open,
            Err(Errno::INPROGRESS | Errno::INTR) => State::Connecting,
            Err(error) => return Err(error),
        };
        // Even if the handshake has ended meanwhile: registering a ready socket is an event.
        register(&socket, self.generation)?;
        self.state = state;
        self.socket = Some(socket);
        Ok(())
    }

    /// The handshake has ended: becomes open if it succeeded.
    pub(crate) fn finish_connecting(&mut self) -> Result<(), Errno> {
        let socket = self.socket.as_ref().ok_or(Errno::NOTCONN)?;
        sockopt::socket_error(socket)??;
        self.state = State::Open;
        Ok(())
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.state == State::Open && self.in_flight.is_empty()
    }

    /// Whether all that it may carry has been answered.
    pub(crate) fn has_carried_all(&self) -> bool {
        self.allowance == 0 && self.offered == 0 && self.in_flight.is_empty()
    }

    /// Takes a request of `bytes` bytes, none of which is written yet.
    #[inline]
    pub(crate) fn take(&mut self, ticket: Ticket, bytes: usize, answer_has_body: bool) {
        if self.in_flight.is_empty() {
            self.parser.expect(answer_has_body);
        }
        self.in_flight.push_back(ticket);
        self.unwritten += bytes;
    }

    /// Whether some of what it has taken is still to be written.
    pub(crate) fn is_writing(&self) -> bool {
        self.unwritten > 0
    }

    /// Whether the oldest request in flight, of `bytes` bytes like the others, has been written completely.
    pub(crate) fn has_written_oldest(&self, bytes: usize) -> bool {
        self.unwritten <= self.in_flight.len().saturating_sub(1) * bytes
    }

    /// Writes what is still to be written, as far as the socket takes it and at most `most` bytes. `wire` repeats the
    /// request, of `request_bytes` bytes, as often as may be in flight.
    ///
    /// # Errors
    /// The socket broke. The answer may have come before: reading tells.
    #[inline]
    pub(crate) fn write(
        &mut self,
        wire: &[u8],
        request_bytes: usize,
        most: usize,
        calls: &mut IoCalls,
    ) -> Result<(), Errno> {
        let Some(socket) = &self.socket else { return Err(Errno::NOTCONN) };
        let goal = self.unwritten.saturating_sub(most);
        while self.unwritten > goal {
            // Requests repeat: the place to go on from is where the rest ends with a request's end.
            let start = (request_bytes - self.unwritten % request_bytes) % request_bytes;
            let end = wire.len().min(start + self.unwritten - goal);
            calls.writes += 1;
            match send(socket, &wire[start..end], SendFlags::NOSIGNAL) {
                Ok(bytes) => self.unwritten -= bytes,
                Err(Errno::INTR) => {}
                Err(Errno::AGAIN) => return Ok(()),
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads once, into `buffer` and, where there are stamps, `control`.
    #[inline]
    pub(crate) fn receive(&self, buffer: &mut [u8], control: &mut Control, calls: &mut IoCalls) -> Received {
        let Some(socket) = &self.socket else { return Received::Nothing };
        loop {
            calls.reads += 1;
            let read = if self.stamped {
                stamps::receive(socket, buffer, control)
            } else {
                recv(socket, &mut *buffer, RecvFlags::empty()).map(|(bytes, _)| (bytes, None))
            };
            return match read {
                Ok((0, _)) => Received::End,
                Ok((bytes, stamp_ns)) => Received::Bytes { bytes, stamp_ns },
                Err(Errno::INTR) => continue,
                Err(Errno::AGAIN) => Received::Nothing,
                Err(error) => Received::Broken(error),
            };
        }
    }

    pub(crate) fn close(&mut self) {
        self.socket = None;
        self.state = State::Closed;
        self.in_flight.clear();
        self.parser.reset();
        self.judging.reset();
        self.offered = 0;
        self.allowance = 0;
        self.closing = false;
        self.send_planned = false;
        self.receive_planned = false;
        self.unwritten = 0;
    }
}
