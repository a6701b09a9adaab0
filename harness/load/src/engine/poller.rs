//! Edge-triggered epoll, counted.

use rustix::{
    event::{Timespec, epoll},
    fd::OwnedFd,
    io::Errno,
};

/// The most events of one wait. The kernel looks at every socket of a batch before the first is read: with more of them, the
/// first have left the processor's caches again by then.
const BATCH: usize = 128;

pub(crate) struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
    pub(crate) waits: u64,
    pub(crate) empty_waits: u64,
    has_left_some: bool,
}

/// What became of one socket.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ready {
    pub(crate) connection: u32,
    pub(crate) generation: u32,
    flags: epoll::EventFlags,
}

impl Ready {
    /// There is something to read, or nothing will ever come again.
    #[inline]
    pub(crate) fn is_readable(self) -> bool {
        self.flags.intersects(epoll::EventFlags::IN) || self.is_closing()
    }

    #[inline]
    pub(crate) fn is_writable(self) -> bool {
        self.flags.intersects(epoll::EventFlags::OUT)
    }

    /// The peer has closed its side, or the connection is broken: no further event will say so.
    #[inline]
    pub(crate) fn is_closing(self) -> bool {
        self.flags.intersects(epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR)
    }
}

impl Poller {
    pub(crate) fn new() -> Result<Self, Errno> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(BATCH), waits: 0, empty_waits: 0, has_left_some: false })
    }

    /// Follows `socket` until it is closed. Both directions at once and edge-triggered, so that a connection costs one
    /// registration in its life and a request none.
    pub(crate) fn register(&self, socket: &OwnedFd, connection: u32, generation: u32) -> Result<(), Errno> {
        let flags =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        let key = u64::from(generation) << 32 | u64::from(connection);
        epoll::add(&self.epoll, socket, epoll::EventData::new_u64(key), flags)
    }

    /// Waits until a socket is ready or `timeout_ns` has passed. Returns how many events there are; an interruption
    /// by a signal is none.
    #[inline]
    pub(crate) fn wait(&mut self, timeout_ns: u64) -> Result<usize, Errno> {
        self.events.clear();
        self.waits += 1;
        let timeout = Timespec {
            tv_sec: i64::try_from(timeout_ns / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: (timeout_ns % 1_000_000_000) as _,
        };
        let ready = match epoll::wait(
            &self.epoll,
            rustix::buffer::spare_capacity(&mut self.events),
            Some(&timeout),
        ) {
            Ok(ready) => ready,
            Err(Errno::INTR) => 0,
            Err(error) => return Err(error),
        };
        self.empty_waits += u64::from(ready == 0);
        self.has_left_some = ready >= BATCH;
        Ok(ready)
    }

    /// Whether the last wait brought as many events as it may: there are more.
    #[inline]
    pub(crate) fn has_left_some(&self) -> bool {
        self.has_left_some
    }

    /// Event number `index` of the last wait.
    #[inline]
    pub(crate) fn ready(&self, index: usize) -> Ready {
        let event = self.events[index];
        let key = event.data.u64();
        Ready { connection: key as u32, generation: (key >> 32) as u32, flags: event.flags }
    }
}
