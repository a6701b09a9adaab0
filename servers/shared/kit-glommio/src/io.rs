//! hyper's stream traits on a glommio stream.

use std::{
    cell::RefCell,
    io,
    os::fd::{AsRawFd, BorrowedFd},
    pin::Pin,
    task::{Context, Poll},
};

use futures_lite::io::{AsyncRead, AsyncWrite};
use glommio::net::TcpStream;
use hyper::rt::{Read, ReadBufCursor, Write};
use kit::runtime::Peer;

/// The most that one read takes.
const SCRATCH_BYTES: usize = 16 * 1024;

thread_local! {
    /// glommio reads into initialised memory only, and hyper's buffer is not: to zero some 8 KiB of it before every
    /// read would cost more than to copy the hundred bytes of a request out of this, which stays in the cache.
    static SCRATCH: RefCell<Box<[u8]>> = RefCell::new(vec![0; SCRATCH_BYTES].into());
}

/// An accepted connection.
#[derive(Debug)]
pub(crate) struct Stream(TcpStream);

impl Stream {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self(stream)
    }

    #[expect(unsafe_code, reason = "glommio gives a stream's socket by its number alone")]
    pub(crate) fn peer(&self) -> Peer {
        // SAFETY: the stream owns the descriptor and outlives this borrow of it.
        Peer::of(unsafe { BorrowedFd::borrow_raw(self.0.as_raw_fd()) })
    }
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        SCRATCH.with_borrow_mut(|scratch| {
            let room = buffer.remaining().min(scratch.len());
            Pin::new(&mut self.0).poll_read(context, &mut scratch[..room]).map_ok(|count| {
                buffer.put_slice(&scratch[..count]);
            })
        })
    }
}

impl Write for Stream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(context)
    }
}
