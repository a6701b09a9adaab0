//! hyper's stream traits on a socket whose operations the kernel performs by itself.
//!
//! A read is under way from when hyper first waits for it, with a buffer of its own: what arrives is taken from the socket whether
//! anybody looks or not. So whoever asks what a client has sent asks the ring as well ([`Stream::peer`]), and so does a read behind the end of this
//! side's half, of which kit wants to know what is there already.
//!
//! A write is handed to the kernel at once, and not with whatever the executor's turn submits later: an answer must not wait for what the
//! thread computes next, and whether a client takes its answers shows in whether the kernel does. Mostly it does, and the write is over when it is
//! heard of. That is a system call for each answer, as on every runtime here; the next read goes with the executor's wait.

use std::{
    cell::RefCell,
    future::Future as _,
    io,
    ops::Range,
    pin::Pin,
    task::{Context, Poll, Waker, ready},
};

use compio::{
    BufResult,
    buf::IntoInner as _,
    driver::{
        SharedFd, ToSharedFd as _,
        op::{Recv, RecvFlags, Send, SendFlags},
    },
    net::TcpStream,
    runtime::{Runtime, Submit},
};
use hyper::rt::{Read, ReadBufCursor, Write};
use kit::runtime::Peer;
use rustix::net::{Shutdown, shutdown};
use socket2::Socket;

use crate::turns::hear;

/// The most that one read takes: as much as hyper has room for where a request is short. Each connection that waits for a request has so
/// many bytes for it, since they are the kernel's meanwhile.
const READ_BYTES: usize = 8 * 1024;

/// The most that one write hands over: it is copied.
const WRITE_BYTES: usize = 64 * 1024;

/// The longest buffer of a write that a connection keeps for its next one.
const KEPT_BYTES: usize = 4 * 1024;

/// A read of which the kernel has the buffer.
type UnderWay = Submit<Recv<Box<[u8]>, SharedFd<Socket>>>;

/// A write likewise.
type Sending = Submit<Send<Vec<u8>, SharedFd<Socket>>>;

/// An accepted connection.
pub(crate) struct Stream {
    socket: SharedFd<Socket>,
    /// Also looked into where the stream is only shared.
    receiving: RefCell<Receiving>,
    sending: Option<Sending>,
    /// The buffer of the next write.
    spare: Vec<u8>,
    has_ended_its_half: bool,
}

/// What has come, and the read that is under way.
#[derive(Default)]
struct Receiving {
    under_way: Option<UnderWay>,
    /// Whom it wakes.
    waker: Option<Waker>,
    /// Its buffer, while none is.
    buffer: Option<Box<[u8]>>,
    /// What of the buffer was received and not taken yet.
    filled: Range<usize>,
    /// The client has ended its half.
    has_ended: bool,
    failed: Option<io::Error>,
}

impl Stream {
    pub(crate) fn new(stream: &TcpStream) -> Self {
        Self {
            socket: stream.to_shared_fd(),
            receiving: RefCell::default(),
            sending: None,
            spare: Vec::new(),
            has_ended_its_half: false,
        }
    }

    /// What is known of the client: by the kernel, and by the read that is under way, which may have taken what the kernel no longer has.
    pub(crate) fn peer(&self) -> Peer {
        let mut receiving = self.receiving.borrow_mut();
        if receiving.under_way.is_some() {
            hear();
            if let Some(waker) = receiving.waker.clone() {
                // What it has received stays until hyper reads; its task was woken for it.
                let _ = receiving.poll_under_way(&mut Context::from_waker(&waker));
            }
        }
        let Peer { is_gone, unread_bytes } = Peer::of(&*self.socket);
        Peer { is_gone, unread_bytes: unread_bytes + receiving.filled.len() as u64 }
    }

    fn is_under_way(&self) -> bool {
        self.sending.is_some() || self.receiving.borrow().under_way.is_some()
    }
}

impl Receiving {
    /// Ready when something was received, when the stream has ended, or when it failed. With `at_once`, what lies in the socket
    /// is received by this.
    fn poll_fill(
        &mut self,
        socket: &SharedFd<Socket>,
        at_once: bool,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while self.filled.is_empty() && !self.has_ended {
            if let Some(error) = self.failed.take()
                && error.kind() != io::ErrorKind::Interrupted
            {
                return Poll::Ready(Err(error));
            }
            if self.under_way.is_none() {
                let buffer = self.buffer.take().unwrap_or_else(|| vec![0; READ_BYTES].into());
                let receive = Recv::new(socket.clone(), buffer, RecvFlags::empty());
                self.under_way = Some(Runtime::with_current(|runtime| runtime.submit(receive)));
                // The first poll submits it.
                if self.poll_under_way(context).is_pending() && at_once {
                    hear();
                }
            }
            if self.poll_under_way(context).is_pending() {
                if !self.waker.as_ref().is_some_and(|waker| waker.will_wake(context.waker())) {
                    self.waker = Some(context.waker().clone());
                }
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(()))
    }

    /// Ready when no read is under way (any more).
    fn poll_under_way(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let Some(under_way) = &mut self.under_way else { return Poll::Ready(()) };
        let BufResult(outcome, receive) = ready!(Pin::new(under_way).poll(context));
        self.under_way = None;
        self.buffer = Some(receive.into_inner());
        match outcome {
            Ok(count) => {
                self.filled = 0..count;
                self.has_ended = count == 0;
            }
            Err(error) => self.failed = Some(error),
        }
        Poll::Ready(())
    }

    /// Moves into `into` what there is room for.
    fn take(&mut self, mut into: ReadBufCursor<'_>) {
        let Some(buffer) = &self.buffer else { return };
        let end = self.filled.end.min(self.filled.start + into.remaining());
        into.put_slice(&buffer[self.filled.start..end]);
        self.filled.start = end;
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let receiving = this.receiving.get_mut();
        ready!(receiving.poll_fill(&this.socket, this.has_ended_its_half, context))?;
        receiving.take(buffer);
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = &mut *self;
        let bytes = &bytes[..bytes.len().min(WRITE_BYTES)];
        loop {
            let is_new = this.sending.is_none();
            let sending = this.sending.get_or_insert_with(|| {
                let send =
                    Send::new(this.socket.clone(), copied(&mut this.spare, bytes), SendFlags::NOSIGNAL);
                Runtime::with_current(|runtime| runtime.submit(send))
            });
            let mut polled = Pin::new(&mut *sending).poll(context);
            if polled.is_pending() && is_new {
                // The first poll has submitted it.
                hear();
                polled = Pin::new(sending).poll(context);
            }
            let BufResult(outcome, send) = ready!(polled);
            this.sending = None;
            this.spare = send.into_inner();
            match outcome {
                // Who waits for a write comes back with the same bytes, or gives it up: then these are others, to be sent behind.
                Ok(count) if bytes.starts_with(&this.spare[..count]) => return Poll::Ready(Ok(count)),
                Err(error) if error.kind() != io::ErrorKind::Interrupted => return Poll::Ready(Err(error)),
                Ok(_) | Err(_) => {}
            }
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // What counts as written is in the socket.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.has_ended_its_half = true;
        Poll::Ready(shutdown(&*self.socket, Shutdown::Write).map_err(io::Error::from))
    }
}

/// `bytes`, in the buffer `spare` where that is worth keeping.
fn copied(spare: &mut Vec<u8>, bytes: &[u8]) -> Vec<u8> {
    let mut buffer = std::mem::take(spare);
    if buffer.capacity() > KEPT_BYTES {
        buffer = Vec::new();
    }
    buffer.clear();
    buffer.extend_from_slice(bytes);
    buffer
}

impl Drop for Stream {
    fn drop(&mut self) {
        // An operation that is under way keeps the socket open until it has ended, and compio's cancelling may find the submission
        // queue full, and is then forgotten. Behind this there is nothing left to wait for. Who is gone already needs no telling.
        if self.is_under_way() {
            let _ = shutdown(&*self.socket, Shutdown::Both);
        }
    }
}
