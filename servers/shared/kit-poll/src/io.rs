//! Sockets that never block: they try first, and have the thread wait where there is nothing to be done.
//!
//! A read that brings less than it had room for has emptied the socket, as a rule. The next one then does not try before
//! poll(2) has said that there is more: a request on a connection that stays open costs one read, one write and
//! one poll. Nothing is lost where the rule does not hold: poll(2) looks at what is there, not at what came since.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use host::peer::Peer;
use hyper::rt::{Read, ReadBufCursor, Write};
use rustix::{
    event::PollFlags,
    io::Errno,
    net::{RecvFlags, SendFlags, Shutdown, SocketFlags, accept_with, recv, send, shutdown},
};

use crate::{park, source::Source};

/// The most that one read takes: what hyper has room for at first.
const SCRATCH_BYTES: usize = 8 * 1024;

impl Source {
    /// The outcome of a try; has the thread wait until the socket is ready for `wanted` where it would block.
    fn or_wait<T>(self: &Arc<Self>, wanted: PollFlags, tried: Result<T, Errno>) -> Poll<io::Result<T>> {
        if let Err(Errno::AGAIN) = tried {
            park::watch(self, wanted);
            return Poll::Pending;
        }
        Poll::Ready(tried.map_err(io::Error::from))
    }

    /// The next connection of a listening socket.
    pub fn poll_accept(self: &Arc<Self>) -> Poll<io::Result<Stream>> {
        let flags = SocketFlags::NONBLOCK | SocketFlags::CLOEXEC;
        let accepted = accept_with(self.as_fd(), flags).map(|socket| Stream(Self::new(socket)));
        self.or_wait(PollFlags::IN, accepted)
    }
}

/// An accepted connection.
#[derive(Debug)]
pub struct Stream(Arc<Source>);

impl Stream {
    /// What the kernel knows of its client: what the thread does not wait for while it wants nothing of the socket.
    pub fn peer(&self) -> Peer {
        Peer::of(self.0.as_fd())
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let source = &self.0;
        if source.is_empty() {
            return source.or_wait(PollFlags::IN, Err(Errno::AGAIN));
        }
        // A copy of the hundred bytes of a request costs less than to zero hyper's buffer, and needs no unsafe code.
        let mut scratch = [MaybeUninit::<u8>::uninit(); SCRATCH_BYTES];
        let room = buffer.remaining().min(SCRATCH_BYTES);
        let read = recv(source.as_fd(), &mut scratch[..room], RecvFlags::empty()).map(|((bytes, _), _)| {
            source.set_empty((1..room).contains(&bytes.len()));
            buffer.put_slice(bytes);
        });
        source.or_wait(PollFlags::IN, read)
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.or_wait(PollFlags::OUT, send(self.0.as_fd(), bytes, SendFlags::NOSIGNAL))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(shutdown(self.0.as_fd(), Shutdown::Write)?))
    }
}
