//! The client's end of a connection in memory, and the stream that a server has of it.
//!
//! As with sockets, who found nothing to read or no room to write is woken when there is some, or when the connection is reset; and who
//! has not asked is not. A reset is seen by reads and writes, and by whoever looks for it.

use std::{
    cell::RefCell,
    io,
    pin::Pin,
    rc::Rc,
    task::{Context, Poll, Waker},
};

use hyper::rt::{Read, ReadBufCursor, Write};
use kit::runtime::Peer;

use super::row::Reads;

/// The most that one read takes where it takes few.
const FEW_BYTES: usize = 3;

/// What lies between client and server.
#[derive(Debug)]
struct Wire {
    reads: Reads,
    unread: Vec<u8>,
    ended: bool,
    reset: bool,
    /// The last read found less than it had room for.
    was_short: bool,
    written: Vec<u8>,
    /// How much more is taken before the client says so. `None`: all.
    room: Option<usize>,
    reader: Option<Waker>,
    writer: Option<Waker>,
}

/// The client; clones are the same.
#[derive(Clone, Debug)]
pub struct Client(Rc<RefCell<Wire>>);

impl Client {
    pub(super) fn new(reads: Reads, room: Option<usize>) -> Self {
        Self(Rc::new(RefCell::new(Wire {
            reads,
            unread: Vec::new(),
            ended: false,
            reset: false,
            was_short: false,
            written: Vec::new(),
            room,
            reader: None,
            writer: None,
        })))
    }

    /// The server's end.
    pub(super) fn stream(&self) -> Stream {
        Stream(self.clone())
    }

    pub(super) fn send(&self, bytes: &[u8]) {
        self.0.borrow_mut().unread.extend_from_slice(bytes);
        self.wake_reader();
    }

    pub(super) fn end(&self) {
        self.0.borrow_mut().ended = true;
        self.wake_reader();
    }

    pub(super) fn reset(&self) {
        let mut wire = self.0.borrow_mut();
        wire.reset = true;
        let writer = wire.writer.take();
        drop(wire);
        self.wake_reader();
        writer.into_iter().for_each(Waker::wake);
    }

    /// Takes `bytes` more, or all from now on.
    pub(super) fn take(&self, bytes: Option<usize>) {
        let mut wire = self.0.borrow_mut();
        wire.room = wire.room.zip(bytes).map(|(room, bytes)| room + bytes);
        let writer = wire.writer.take();
        drop(wire);
        writer.into_iter().for_each(Waker::wake);
    }

    /// All that was written.
    pub(super) fn written(&self) -> Vec<u8> {
        self.0.borrow().written.clone()
    }

    fn wake_reader(&self) {
        let mut wire = self.0.borrow_mut();
        wire.was_short = false;
        let reader = wire.reader.take();
        drop(wire);
        reader.into_iter().for_each(Waker::wake);
    }
}

/// The server's end of a [`Client`].
#[derive(Debug)]
pub(super) struct Stream(Client);

impl Stream {
    pub(super) fn peer(&self) -> Peer {
        let wire = self.0.0.borrow();
        Peer { is_gone: wire.reset, unread_bytes: wire.unread.len() as u64 }
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.0.borrow_mut();
        if std::mem::take(&mut wire.was_short) {
            // Nothing is looked at; whoever waits for the socket then finds at once that there is something.
            if !wire.unread.is_empty() || wire.ended || wire.reset {
                context.waker().wake_by_ref();
            } else {
                wire.reader = Some(context.waker().clone());
            }
            return Poll::Pending;
        }
        if wire.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        if wire.unread.is_empty() {
            if wire.ended {
                return Poll::Ready(Ok(()));
            }
            wire.reader = Some(context.waker().clone());
            return Poll::Pending;
        }
        let room = match wire.reads {
            Reads::Few => buffer.remaining().min(FEW_BYTES),
            Reads::All | Reads::UntilShort => buffer.remaining(),
        };
        let count = room.min(wire.unread.len());
        wire.was_short = wire.reads == Reads::UntilShort && count < room;
        buffer.put_slice(&wire.unread[..count]);
        wire.unread.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.0.borrow_mut();
        if wire.reset {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let count = wire.room.unwrap_or(bytes.len()).min(bytes.len());
        if count == 0 && !bytes.is_empty() {
            wire.writer = Some(context.waker().clone());
            return Poll::Pending;
        }
        wire.room = wire.room.map(|room| room - count);
        wire.written.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.peer().is_gone {
            return Poll::Ready(Err(io::ErrorKind::NotConnected.into()));
        }
        Poll::Ready(Ok(()))
    }
}
