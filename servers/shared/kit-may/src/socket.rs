//! Non-blocking sockets that a coroutine can wait for, and hyper's stream traits on them.
//!
//! May registers a socket once, edge-triggered, for reading and writing. What keeps an edge from being lost is that
//! nothing here trusts a flag to read: the system call decides. Only to spare a read that would find nothing is it
//! remembered that the socket was emptied (a short read, or none), until the next event; a client that closed its side
//! leaves the socket readable for good, since no further edge would tell of it.

use std::{
    cell::RefCell,
    io::{self, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    os::fd::AsRawFd,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use kit::runtime::Peer;

use crate::{coroutine::Place, readiness::Readiness};

/// The most that one read takes.
const SCRATCH_BYTES: usize = 16 * 1024;

thread_local! {
    /// hyper's buffer is not initialised, and `std` reads into initialised memory only: to copy the hundred bytes of a request
    /// out of this, which stays in the cache, costs less than to zero some 8 KiB before every read.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// A socket with its place in the coroutine that polls it. The fields are dropped in this order: nobody waits for it any
/// more, it is unregistered, it is closed.
#[derive(Debug)]
struct Socket<T> {
    place: Place,
    readiness: Arc<Readiness>,
    socket: T,
}

impl<T: AsRawFd> Socket<T> {
    fn new(socket: T) -> io::Result<Self> {
        Ok(Self { place: Place::default(), readiness: Readiness::of(&socket)?, socket })
    }

    /// What the system said, where "would block" means that the coroutine waits for this socket.
    fn or_wait<R>(&self, outcome: io::Result<R>) -> Poll<io::Result<R>> {
        match outcome {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                self.place.take(&self.readiness);
                Poll::Pending
            }
            other => Poll::Ready(other),
        }
    }
}

/// How many connections are accepted before the accepting coroutine stands behind those that are ready: a backlog that never
/// empties must not keep its worker from what it accepted.
const ACCEPTS_IN_A_ROW: u32 = 32;

/// A listening socket.
#[derive(Debug)]
pub struct Listener {
    listening: Socket<TcpListener>,
    accepted_in_a_row: AtomicU32,
}

impl Listener {
    pub(crate) fn new(listener: TcpListener) -> io::Result<Self> {
        Ok(Self { listening: Socket::new(listener)?, accepted_in_a_row: AtomicU32::new(0) })
    }

    pub(crate) fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<Stream>> {
        if self.accepted_in_a_row.fetch_add(1, Relaxed) >= ACCEPTS_IN_A_ROW {
            self.accepted_in_a_row.store(0, Relaxed);
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let accepted = self.listening.socket.accept().and_then(|(stream, _)| Socket::new(stream));
        self.listening.or_wait(accepted.map(Stream))
    }
}

/// An accepted connection.
#[derive(Debug)]
pub struct Stream(Socket<TcpStream>);

impl Stream {
    pub(crate) fn peer(&self) -> Peer {
        Peer::of(&self.0.socket)
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let Socket { readiness, socket, .. } = &self.0;
        if !readiness.may_be_readable() {
            return self.0.or_wait(Err(io::ErrorKind::WouldBlock.into()));
        }
        SCRATCH.with_borrow_mut(|scratch| {
            let room = buffer.remaining().min(scratch.len());
            let outcome = retrying(|| (&*socket).read(&mut scratch[..room]));
            if outcome.as_ref().map_or_else(|error| error.kind() == io::ErrorKind::WouldBlock, |&n| n < room)
            {
                readiness.emptied();
            }
            self.0.or_wait(outcome.map(|count| buffer.put_slice(&scratch[..count])))
        })
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, _context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.or_wait(retrying(|| (&self.0.socket).write(bytes)))
    }

    fn poll_flush(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.0.socket.shutdown(std::net::Shutdown::Write))
    }
}

fn retrying<R>(mut call: impl FnMut() -> io::Result<R>) -> io::Result<R> {
    loop {
        match call() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            outcome => return outcome,
        }
    }
}
