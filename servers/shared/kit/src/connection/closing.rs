//! Closing so that the client gets to read the last answer.
//!
//! A socket that is closed while bytes lie unread in it is reset, and the reset may overtake the answer that said why.
//! RFC 9112 section 9.6 has the way: end the sending half, then read on without looking until the client ends its half. Bounded
//! in bytes and in time, since nothing obliges a client to stop.
//!
//! A connection that ends as its client asked (`Connection: close`, HTTP/1.0) has nothing left to read, as a rule. There one look decides: if
//! bytes lie there all the same it is closed in this way, and else at once.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
    time::Duration,
};

use bytes::{Buf, Bytes};
use hyper::rt::{Read, ReadBuf, Write};

/// How long the client may go on sending.
pub(super) const LINGER: Duration = Duration::from_secs(1);

/// How much it may still send: what a socket's buffers hold on both sides, some times over.
const LINGER_BYTES: usize = 4 << 20;

/// For how long the client is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Until {
    /// Until it has ended its half, or [`LINGER`] is over.
    Ended,
    /// The same where bytes lie unread, and else not at all.
    NothingUnread,
}

/// A connection whose last answer is written, or nearly.
pub(super) struct Closing<Io> {
    io: Io,
    until: Until,
    unsent: Bytes,
    ended: bool,
    read: usize,
}

impl<Io: Read + Write + Unpin> Closing<Io> {
    /// Sends `last`, then ends.
    pub(super) fn after(io: Io, last: Bytes, until: Until) -> Self {
        Self { io, until, unsent: last, ended: false, read: 0 }
    }

    /// Ready when the socket may be closed.
    pub(super) fn poll(&mut self, context: &mut Context<'_>) -> Poll<()> {
        while !self.unsent.is_empty() {
            match ready!(Pin::new(&mut self.io).poll_write(context, &self.unsent)) {
                Ok(sent @ 1..) => self.unsent.advance(sent),
                _ => return Poll::Ready(()),
            }
        }
        if !self.ended {
            // Also where hyper has done it: it does not after every error, and ending twice is no harm.
            if let Err(_gone) = ready!(Pin::new(&mut self.io).poll_shutdown(context)) {
                return Poll::Ready(());
            }
            self.ended = true;
        }
        loop {
            match self.poll_skip(context) {
                Poll::Ready(Ok(count @ 1..)) if self.read < LINGER_BYTES => {
                    self.read += count;
                    self.until = Until::Ended;
                }
                Poll::Pending if self.until == Until::Ended => return Poll::Pending,
                _ => return Poll::Ready(()),
            }
        }
    }

    fn poll_skip(&mut self, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut buffer = [const { MaybeUninit::uninit() }; 8 * 1024];
        let mut buffer = ReadBuf::uninit(&mut buffer);
        Pin::new(&mut self.io).poll_read(context, buffer.unfilled()).map_ok(|()| buffer.filled().len())
    }
}
