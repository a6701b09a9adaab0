//! Connections that one accepts and another serves: neither registered with the runtime of who accepts, nor accepted by who serves.

use std::{
    io,
    net::{TcpListener, TcpStream},
};

use hyper_util::rt::TokioIo;
use kit::accept::Source;
use rustix::net::{SocketFlags, accept_with};
use tokio::io::{Interest, unix::AsyncFd};

/// A listener whose connections live on another runtime than the one that it is registered with.
#[derive(Debug)]
pub struct Acceptor(AsyncFd<TcpListener>);

impl Acceptor {
    /// Registers the listener, which must not block, with the runtime that the caller has entered.
    ///
    /// # Errors
    /// Whatever registering it reports.
    #[expect(
        deprecated,
        reason = "its successor is unsafe, for what could change its descriptor: a TcpListener cannot"
    )]
    pub fn new(listener: TcpListener) -> io::Result<Self> {
        AsyncFd::with_interest(listener, Interest::READABLE).map(Self)
    }
}

impl Source for Acceptor {
    /// It does not block, and no runtime knows it yet.
    type Accepted = TcpStream;

    async fn next(&self) -> io::Result<TcpStream> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        self.0.async_io(Interest::READABLE, |listener| Ok(accept_with(listener, flags)?.into())).await
    }
}

/// Takes a connection that does not block into the runtime that the caller has entered.
///
/// # Errors
/// Whatever registering it reports: no memory, or no more of what one user may watch.
pub fn take_in(stream: TcpStream) -> io::Result<TokioIo<tokio::net::TcpStream>> {
    tokio::net::TcpStream::from_std(stream).map(TokioIo::new)
}
