//! What rings in the primary's poll(2) when the server is to stop.

use std::{
    io,
    os::fd::{AsFd, BorrowedFd},
    pin::Pin,
    sync::Arc,
    task::{Context, Waker},
};

use kit::shutdown::{Shutdown, Wait};

/// Rings when the server is to stop.
#[derive(Debug)]
pub(super) struct Bell {
    bell: Arc<host::waker::Bell>,
    /// The bell's registration with the shutdown.
    _stop: Wait,
}

impl Bell {
    /// Has `stopping` ring, also when it is raised already.
    pub(super) fn new(stopping: &Shutdown) -> io::Result<Self> {
        let bell = Arc::new(host::waker::Bell::new()?);
        let mut stop = stopping.wait();
        if Pin::new(&mut stop).poll(&mut Context::from_waker(&Waker::from(Arc::clone(&bell)))).is_ready() {
            bell.ring();
        }
        Ok(Self { bell, _stop: stop })
    }

    pub(super) fn silence(&self) {
        self.bell.silence();
    }
}

impl AsFd for Bell {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.bell.as_fd()
    }
}
