//! kit's runtime interface on tokio, for every row that runs there.
//!
//! The adaptors are hyper-util's, as anyone would use them. [`front`] has the two shapes in which the rows use them; how
//! many there are, and what runs elsewhere, is what the rows differ in. Where one accepts and another serves, they meet in [`handed`].

pub mod front;
pub mod handed;
mod names;

use std::{future::Future, io};

use hyper_util::rt::{TokioIo, TokioTimer};
use kit::runtime::Peer;
use tokio::net::{TcpListener, TcpStream};

/// The tokio runtime that the calling task runs on.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tokio;

impl kit::runtime::Runtime for Tokio {
    type Listener = TcpListener;
    type Stream = TokioIo<TcpStream>;
    type Timer = TokioTimer;

    fn listener(&self, listener: std::net::TcpListener) -> io::Result<TcpListener> {
        TcpListener::from_std(listener)
    }

    async fn accept(&self, listener: &TcpListener) -> io::Result<TokioIo<TcpStream>> {
        let (stream, _) = listener.accept().await?;
        Ok(TokioIo::new(stream))
    }

    fn peer(stream: &TokioIo<TcpStream>) -> Peer {
        Peer::of(stream.inner())
    }

    fn timer(&self) -> TokioTimer {
        TokioTimer::new()
    }
}

impl<Task> hyper::rt::Executor<Task> for Tokio
where
    Task: Future<Output = ()> + Send + 'static,
{
    fn execute(&self, task: Task) {
        tokio::spawn(task);
    }
}
