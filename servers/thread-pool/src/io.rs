//! Sockets that never block: they try first, and have the thread wait where there is nothing to be done.
//!
//! A read that brings less than it had room for has emptied the socket, as a rule. The next one then does not try before
//! poll(2) has said that there is more: a request on a connection that stays open costs one read, one write and
//! one poll. Nothing is lost where the rule does not hold: poll(2) looks at what is there, not at what came since.

use std::{
    io,
    mem::MaybeUninit,
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU8, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use rustix::{
    event::PollFlags,
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown, SocketFlags, accept_with, recv, send, shutdown},
};

use crate::park;

/// The most that one read takes: what hyper has room for at first.
const SCRATCH_BYTES: usize = 8 * 1024;

const WANTS_READ: u8 = 1;
const WANTS_WRITE: u8 = 2;
const EMPTY: u8 = 4;

/// A socket and what is known of it. Used by one thread at a time; atomic because it may move from one to another.
#[derive(Debug)]
pub(crate) struct Source {
    socket: OwnedFd,
    state: AtomicU8,
}

impl Source {
    /// `socket` must not block.
    pub(crate) fn new(socket: OwnedFd) -> Arc<Self> {
        Arc::new(Self { socket, state: AtomicU8::new(0) })
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn interest(&self) -> PollFlags {
        let mut interest = PollFlags::empty();
        interest.set(PollFlags::IN, self.has(WANTS_READ));
        interest.set(PollFlags::OUT, self.has(WANTS_WRITE));
        interest
    }

    /// Takes what poll(2) said. What was wanted and is there is wanted no longer, so that a source whose owner has no use
    /// for it at present does not end the next wait at once.
    pub(crate) fn reported(&self, events: PollFlags) {
        let ended = PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL;
        if events.intersects(PollFlags::IN | ended) {
            self.clear(WANTS_READ | EMPTY);
        }
        if events.intersects(PollFlags::OUT | ended) {
            self.clear(WANTS_WRITE);
        }
    }

    pub(crate) fn may_have_more(&self) {
        self.clear(EMPTY);
    }

    fn has(&self, bit: u8) -> bool {
        self.state.load(Relaxed) & bit != 0
    }

    fn set(&self, bits: u8) {
        self.state.store(self.state.load(Relaxed) | bits, Relaxed);
    }

    fn clear(&self, bits: u8) {
        self.state.store(self.state.load(Relaxed) & !bits, Relaxed);
    }

    fn wait<T>(self: &Arc<Self>, wants: u8) -> Poll<T> {
        self.set(wants);
        park::watch(self);
        Poll::Pending
    }

    /// `operation` on the socket, again where a signal interrupted it; where it would block, has the thread wait.
    fn attempt<T>(
        self: &Arc<Self>,
        wants: u8,
        mut operation: impl FnMut(BorrowedFd<'_>) -> Result<T, Errno>,
    ) -> Poll<io::Result<T>> {
        loop {
            match operation(self.as_fd()) {
                Err(Errno::AGAIN) => return self.wait(wants),
                Err(Errno::INTR) => {}
                outcome => return Poll::Ready(outcome.map_err(io::Error::from)),
            }
        }
    }

    /// The next connection of a listening socket.
    pub(crate) fn poll_accept(self: &Arc<Self>) -> Poll<io::Result<Stream>> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accepted = self.attempt(WANTS_READ, |listener| accept_with(listener, flags));
        accepted.map_ok(|socket| Stream(Self::new(socket)))
    }
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) struct Stream(Arc<Source>);

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let source = &self.0;
        if source.has(EMPTY) {
            return source.wait(WANTS_READ);
        }
        // A copy of the hundred bytes of a request costs less than to zero hyper's buffer, and needs no unsafe code.
        let mut scratch = [MaybeUninit::<u8>::uninit(); SCRATCH_BYTES];
        let room = buffer.remaining().min(SCRATCH_BYTES);
        let read = source.attempt(WANTS_READ, |socket| {
            let ((bytes, _), _) = recv(socket, &mut scratch[..room], RecvFlags::empty())?;
            buffer.put_slice(bytes);
            Ok(bytes.len())
        });
        if let Poll::Ready(Ok(1..)) = read
            && !matches!(read, Poll::Ready(Ok(count)) if count == room)
        {
            source.set(EMPTY);
        }
        read.map_ok(|_| ())
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.attempt(WANTS_WRITE, |socket| send(socket, bytes, SendFlags::NOSIGNAL))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        match shutdown(self.0.as_fd(), Shutdown::Write) {
            // The client went first.
            Ok(()) | Err(Errno::NOTCONN) => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }
}
