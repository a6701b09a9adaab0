//! The stream that shows hyper what [`Framing`] says that it is to see.

use std::{
    io,
    mem::MaybeUninit,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBuf, ReadBufCursor, Write};

use crate::framing::{Excess, Framing, Instead};

/// The most that is read at once: as much as hyper offers until bodies make it offer more. Bytes pass through a buffer on the
/// stack, since there is no safe way to look at what was read into the room that hyper offers.
const READ_BYTES: usize = 8 * 1024;

/// A stream whose reads are checked; see [`crate::framing`].
#[derive(Debug)]
pub struct Strict<Io> {
    io: Io,
    /// `None` where nothing is checked.
    framing: Option<Framing>,
    /// What is still to be shown of the end that stands for all that is left, once there is one.
    end: Option<&'static [u8]>,
    excess: Option<Excess>,
    /// The end of the stream was read.
    ended: bool,
    /// How many bytes were read and looked at.
    read_bytes: u64,
}

impl<Io> Strict<Io> {
    /// Checks what is read from `io`.
    pub fn new(io: Io) -> Self {
        Self { io, framing: Some(Framing::default()), end: None, excess: None, ended: false, read_bytes: 0 }
    }

    /// Lets everything pass: for measuring what the check costs.
    pub fn unchecked(io: Io) -> Self {
        Self { io, framing: None, end: None, excess: None, ended: false, read_bytes: 0 }
    }

    /// Whether a request began and was not read to its end, as far as this was looked at.
    pub fn is_within_message(&self) -> bool {
        self.framing.as_ref().is_some_and(|framing| !framing.is_between_messages())
    }

    /// How many requests begin in what was read, modulo 2^32, and in how many bytes, as far as this was looked at.
    pub fn requests(&self) -> (u32, u64) {
        (self.framing.as_ref().map_or(0, Framing::requests), self.read_bytes)
    }

    /// The request whose head was too long, counted from 1, and by what: the last one that hyper is shown.
    pub fn excess(&self) -> Option<(u32, Excess)> {
        self.excess.zip(self.framing.as_ref()).map(|(excess, framing)| (framing.requests(), excess))
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
        if let Some(&[]) = this.end {
            // What the client sends or does is looked at no more. An end of the stream would have hyper drop an answer under way.
            return Poll::Pending;
        }
        if this.end.is_none() {
            let mut buffer = [const { MaybeUninit::uninit() }; READ_BYTES];
            let size = room.remaining().min(READ_BYTES);
            let mut buffer = ReadBuf::uninit(&mut buffer[..size]);
            ready!(Pin::new(&mut this.io).poll_read(context, buffer.unfilled()))?;
            let mut bytes = buffer.filled();
            this.ended = bytes.is_empty();
            this.read_bytes += bytes.len() as u64;
            loop {
                match framing.read(bytes) {
                    None => {
                        room.put_slice(bytes);
                        break;
                    }
                    Some(Instead::Byte { at, byte }) => {
                        room.put_slice(&bytes[..at]);
                        room.put_slice(&[byte]);
                        bytes = &bytes[at + 1..];
                    }
                    Some(Instead::End { at, bytes: end, excess }) => {
                        room.put_slice(&bytes[..at]);
                        (this.end, this.excess) = (Some(end), excess);
                        break;
                    }
                }
            }
        }
        if let Some(rest) = &mut this.end {
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
