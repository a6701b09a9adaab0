//! The stream that makes hyper refuse what it would let pass.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::framing::{Framing, REFUSED};

/// The most that is read at once: as much as hyper offers until bodies make it offer more. Bytes pass through a buffer on the
/// stack, since there is no safe way to look at what was read into the room that hyper offers.
const READ_BYTES: usize = 8 * 1024;

/// A stream whose reads are checked; see [`crate::framing`].
#[derive(Debug)]
pub struct Strict<Io> {
    io: Io,
    /// `None` where nothing is checked.
    framing: Option<Framing>,
    /// What is still to be read of [`REFUSED`], once a byte was refused.
    refusal: Option<&'static [u8]>,
    /// The end was read.
    ended: bool,
}

impl<Io> Strict<Io> {
    /// Checks what is read from `io`.
    pub fn new(io: Io) -> Self {
        Self { io, framing: Some(Framing::default()), refusal: None, ended: false }
    }

    /// Lets everything pass: for measuring what the check costs.
    pub fn unchecked(io: Io) -> Self {
        Self { io, framing: None, refusal: None, ended: false }
    }

    /// Whether a request began and was not read to its end, as far as this was looked at.
    pub fn is_within_message(&self) -> bool {
        self.framing.as_ref().is_some_and(|framing| !framing.is_between_messages())
    }

    /// Whether the end of the stream was read, as far as this was looked at.
    pub fn has_ended(&self) -> bool {
        self.ended
    }

    /// The stream itself, to look at.
    pub fn get_ref(&self) -> &Io {
        &self.io
    }

    /// The stream itself, for whoever reads on without looking.
    pub fn into_inner(self) -> Io {
        self.io
    }
}

impl<Io: Read + Unpin> Read for Strict<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut room: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let this = &mut *self;
        let Some(framing) = &mut this.framing else {
            return Pin::new(&mut this.io).poll_read(context, room);
        };
        if this.refusal.is_none() {
            let mut buffer = [const { MaybeUninit::uninit() }; READ_BYTES];
            let size = room.remaining().min(READ_BYTES);
            let mut buffer = ReadBuf::uninit(&mut buffer[..size]);
            ready!(Pin::new(&mut this.io).poll_read(context, buffer.unfilled()))?;
            let bytes = buffer.filled();
            this.ended = bytes.is_empty();
            match framing.read(bytes) {
                Ok(()) => room.put_slice(bytes),
                Err(at) => {
                    room.put_slice(&bytes[..at]);
                    this.refusal = Some(REFUSED);
                }
            }
        }
        if let Some(rest) = &mut this.refusal {
            let (now, later) = rest.split_at(rest.len().min(room.remaining()));
            room.put_slice(now);
            *rest = later;
        }
        Poll::Ready(Ok(()))
    }
}

impl<Io: Write + Unpin> Write for Strict<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.io).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}
