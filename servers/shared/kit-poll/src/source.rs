//! A socket that a thread reads, writes and waits for, and what is known of it.

use std::{
    os::fd::{AsFd, BorrowedFd, OwnedFd},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
};

/// A socket and what is known of it.
#[derive(Debug)]
pub struct Source {
    socket: OwnedFd,
    /// The last read emptied it. Used by one thread at a time; atomic because a connection may move.
    empty: AtomicBool,
}

impl Source {
    /// `socket` must not block.
    pub fn new(socket: OwnedFd) -> Arc<Self> {
        Arc::new(Self { socket, empty: AtomicBool::new(false) })
    }

    pub(crate) fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    pub(crate) fn may_have_more(&self) {
        self.empty.store(false, Relaxed);
    }

    /// Whether a read would find nothing, as far as is known.
    pub(crate) fn is_empty(&self) -> bool {
        self.empty.load(Relaxed)
    }

    pub(crate) fn set_empty(&self, empty: bool) {
        self.empty.store(empty, Relaxed);
    }
}
