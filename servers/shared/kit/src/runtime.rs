//! What the accept loop needs of a runtime: where connections live.
//!
//! Spawning is hyper's own [`hyper::rt::Executor`], a bound at [`crate::accept::serve`] rather than a method here: so
//! a runtime that moves tasks between threads demands `Send` of the connection, and one that does not, does not.

use std::{future::Future, io};

pub use host::peer::Peer;

/// A runtime, as far as a server needs one.
pub trait Runtime: Clone + 'static {
    /// A listening socket that is registered with the runtime.
    type Listener;
    /// An accepted connection.
    type Stream: hyper::rt::Read + hyper::rt::Write + Unpin + 'static;
    /// Clock and timers.
    type Timer: hyper::rt::Timer + Clone + Send + Sync + 'static;

    /// Takes a kit listener ([`crate::listen`]) into the runtime. Must be called on the thread that will accept.
    ///
    /// # Errors
    /// Whatever registering the socket reports.
    fn listener(&self, listener: std::net::TcpListener) -> io::Result<Self::Listener>;

    /// Waits for the next connection. Dropping the future must lose none.
    fn accept(&self, listener: &Self::Listener) -> impl Future<Output = io::Result<Self::Stream>>;

    /// What the kernel knows of the client of `stream`, as [`Peer::of`] says of its socket: asked while an operation runs, when
    /// nothing is read that would tell, and at a stop, before a connection is closed for want of a request.
    fn peer(stream: &Self::Stream) -> Peer;

    /// The runtime's timer.
    fn timer(&self) -> Self::Timer;
}
