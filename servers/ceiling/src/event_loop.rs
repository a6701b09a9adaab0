//! The event loop: one epoll, one listener, its connections.
//!
//! Connections are registered once, edge-triggered: level-triggered, the kernel would look at each ready one again at
//! the next wait. Readiness to write is in the same registration and causes events only after a write that
//! did not fit. The listener is level-triggered, so that it can be left alone while there are too many connections.

use std::{
    io,
    net::TcpListener,
    os::fd::OwnedFd,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use host::waker::Bell;
use kit::shutdown::Shutdown;
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
};
use slab::Slab;

use crate::{
    OUT_OF_FILES_PAUSE,
    connection::{Connection, Next, answers},
};

const LISTENER: u64 = u64::MAX;
const STOP: u64 = u64::MAX - 1;

/// Longer than any head that a generator sends, so that no read fills it.
const BUFFER_BYTES: usize = 16 * 1024;

/// Connections whose readiness one wait can report. The kernel looks at each of them before the first is read: with a
/// thousand, the first have left the processor's caches again by then (under 1,000 connections, 128 made 1.08 times the
/// requests of 1,024).
const BATCH: usize = 128;

pub(crate) struct EventLoop {
    epoll: OwnedFd,
    listener: Option<TcpListener>,
    listening: bool,
    connections: Slab<Connection>,
    max_connections: usize,
    drain_timeout: Duration,
    /// Rung by the shutdown.
    stop: Arc<Bell>,
    stopping: Shutdown,
}

impl EventLoop {
    pub(crate) fn new(
        listener: TcpListener,
        max_connections: usize,
        drain_timeout: Duration,
        stopping: &Shutdown,
    ) -> io::Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        let stop = Bell::new()?;
        epoll::add(&epoll, &stop, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener: Some(listener),
            listening: true,
            connections: Slab::new(),
            max_connections,
            drain_timeout,
            stop: Arc::new(stop),
            stopping: stopping.clone(),
        })
    }

    /// Serves until the stop, then until what is due has been written.
    pub(crate) fn run(&mut self) -> io::Result<()> {
        let waker = Waker::from(Arc::clone(&self.stop));
        let mut stop = pin!(self.stopping.wait());
        if stop.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            return Ok(());
        }
        let mut buffer = vec![0; BUFFER_BYTES];
        let answers = answers();
        let mut events = Vec::with_capacity(BATCH);
        let mut deadline: Option<Instant> = None;
        loop {
            let patience = deadline.map(|deadline| deadline.saturating_duration_since(Instant::now()));
            let timeout = patience.map(|patience| Timespec {
                tv_sec: patience.as_secs().try_into().unwrap_or(i64::MAX),
                tv_nsec: patience.subsec_nanos().into(),
            });
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) => {}
                Err(rustix::io::Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    STOP => {
                        self.accept()?;
                        self.stop_listening()?;
                        deadline = Some(Instant::now() + self.drain_timeout);
                    }
                    key => self.serve(key as usize, event.flags, &mut buffer, &answers)?,
                }
            }
            if let Some(deadline) = deadline {
                self.connections.retain(|_, connection| connection.is_busy());
                if self.connections.is_empty() || Instant::now() >= deadline {
                    return Ok(());
                }
            }
        }
    }

    fn accept(&mut self) -> io::Result<()> {
        while let Some(listener) = &self.listener {
            if self.connections.len() >= self.max_connections {
                if self.listening {
                    epoll::delete(&self.epoll, listener)?;
                    self.listening = false;
                }
                return Ok(());
            }
            match listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    let entry = self.connections.vacant_entry();
                    let flags = epoll::EventFlags::IN
                        | epoll::EventFlags::OUT
                        | epoll::EventFlags::RDHUP
                        | epoll::EventFlags::ET;
                    epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(entry.key() as u64), flags)?;
                    entry.insert(Connection::new(stream));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => {
                    tracing::warn!("cannot accept: {error} (out of files? `ulimit -n`)");
                    std::thread::sleep(OUT_OF_FILES_PAUSE);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    fn stop_listening(&mut self) -> io::Result<()> {
        // Not `IN` any more: the count stays as it is, and would be reported for ever.
        epoll::delete(&self.epoll, &self.stop)?;
        self.listener = None;
        Ok(())
    }

    fn serve(
        &mut self,
        key: usize,
        flags: epoll::EventFlags,
        buffer: &mut [u8],
        answers: &[u8],
    ) -> io::Result<()> {
        // An event of this batch may belong to a connection that an earlier one closed.
        let Some(connection) = self.connections.get_mut(key) else { return Ok(()) };
        let ready = flags.intersects(epoll::EventFlags::IN | epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        if !ready && !connection.is_busy() {
            // The first event of every connection: it can be written to.
            return Ok(());
        }
        let closed_by_peer = flags.contains(epoll::EventFlags::RDHUP);
        match connection.on_ready(buffer, answers) {
            Ok(Next::Wait) if !closed_by_peer || connection.is_busy() => return Ok(()),
            Ok(Next::Wait | Next::Close) => {}
            Err(error) => tracing::debug!("a connection ended early: {error}"),
        }
        self.connections.remove(key);
        if let Some(listener) = self.listener.as_ref().filter(|_| !self.listening) {
            epoll::add(&self.epoll, listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
            self.listening = true;
        }
        Ok(())
    }
}
