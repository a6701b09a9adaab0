//! What may knows of a socket, and how a coroutine waits for more.

use std::{
    io,
    os::fd::{AsRawFd, RawFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

use may::io::{CoIo, WaitIo as _, WaitIoWaker};
use rustix::event::epoll::EventFlags;

/// What may leave unread bytes or an end of the stream behind.
const READABLE: EventFlags = EventFlags::IN.union(ENDED);
const ENDED: EventFlags = EventFlags::RDHUP.union(EventFlags::HUP).union(EventFlags::ERR);

/// A socket's registration with may, by its number alone: dropped before the socket is closed, or may would take the next
/// socket with that number out of its epoll.
#[derive(Debug)]
pub(crate) struct Readiness {
    registered: CoIo<RawFd>,
    readable: AtomicBool,
    ended: AtomicBool,
}

impl Readiness {
    pub(crate) fn of(socket: &impl AsRawFd) -> io::Result<Arc<Self>> {
        let registered = CoIo::new(socket.as_raw_fd())?;
        Ok(Arc::new(Self { registered, readable: AtomicBool::new(true), ended: AtomicBool::new(false) }))
    }

    /// Suspends the calling coroutine until something happened at the socket since the last wait, or its waker was used.
    pub(crate) fn wait(&self) {
        let happened = EventFlags::from_bits_truncate(self.registered.wait_io() as u32);
        if happened.intersects(READABLE) {
            self.readable.store(true, Relaxed);
        }
        if happened.intersects(ENDED) {
            self.ended.store(true, Relaxed);
        }
    }

    pub(crate) fn waker(&self) -> WaitIoWaker {
        self.registered.waker()
    }

    /// Whether a read may find something.
    pub(crate) fn may_be_readable(&self) -> bool {
        self.readable.load(Relaxed)
    }

    /// A read found less than it had room for. What came since has set its own event.
    pub(crate) fn emptied(&self) {
        self.readable.store(self.ended.load(Relaxed), Relaxed);
    }
}
