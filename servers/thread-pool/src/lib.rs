//! A bounded pool of threads, a connection per thread.
//!
//! Where connections live: each on one thread of a fixed pool, from its first request to its last; the thread waits in
//! poll(2) while its connection does. Where operations run: on that thread. A further thread accepts.
//!
//! What is bounded, and what happens there. A connection that finds all threads occupied waits in a queue, first come,
//! first served. When the queue is full too the server stops accepting, and clients wait in the kernel's backlog
//! ([`kit::listen::BACKLOG`]); beyond that the kernel lets their connection attempts wait. Nobody is refused. While a
//! connection waits in the queue nothing of it is read and no timeout ends it; the time for its first head runs from the
//! accept, so that a client that has sent nothing by the time its turn comes is closed when that time is over, and one whose
//! request lies there is answered, however long it waited. At a stop what waits in the queue and in the backlog is answered as
//! well; the queue may then grow by as many as the backlog held.
//!
//! An idle connection keeps its thread until `--idle-timeout`, also while others wait for one: so do the slowest clients
//! of the architecture, up to the timeouts. There is no remedy here, since all controlled rows say the same bytes; give it
//! more threads than it has clients, or shorter timeouts.

mod pool;
#[cfg(test)]
mod pool_tests;

use std::{future::poll_fn, net::TcpListener, sync::Arc};

use kit::{
    accept,
    args::Config,
    connection::Connection,
    execute::Inline,
    runtime::{Peer, Runtime},
    service::{Service, Site},
    shutdown::Shutdown,
    start::{self, Error},
};
use kit_poll::{Parker, Source, Stream, Timer};

use crate::pool::Pool;

/// The server's name.
pub const SERVER: &str = "thread-pool";

impl<Task: 'static> Runtime for Pool<Task> {
    type Listener = Arc<Source>;
    type Stream = Stream;
    type Timer = Timer;

    fn listener(&self, listener: TcpListener) -> std::io::Result<Arc<Source>> {
        Ok(Source::new(listener.into()))
    }

    async fn accept(&self, listener: &Arc<Source>) -> std::io::Result<Stream> {
        poll_fn(|_| listener.poll_accept()).await
    }

    fn peer(stream: &Stream) -> Peer {
        stream.peer()
    }

    fn timer(&self) -> Timer {
        Timer
    }
}

/// Serves on `config.workers` threads, with `queue` more connections waiting for one, until `stopping` is raised and the drain
/// is over. Says so when it accepts. Connections that outlast the drain keep their threads until the process ends.
///
/// # Errors
/// The threads cannot be started.
pub fn run(config: &Config, queue: usize, listener: TcpListener, stopping: Shutdown) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    let (pool, threads) = Pool::<Connection<Stream, Inline>>::start(config.workers)
        .map_err(Error::system("start the pool's threads and their eventfds (fewer --threads?)"))?;
    let acceptor = Parker::new().map_err(Error::system("make the acceptor's eventfd"))?;
    let listener = pool.listener(listener).map_err(Error::system("take the listener"))?;
    let service = Service::new(Site::new(SERVER, config, stopping.clone()), Inline, pool.timer());
    let max_connections = config.limits.max_connections.min(config.workers.saturating_add(queue));
    start::announce(SERVER, config, address);
    let drained =
        acceptor.block_on(accept::serve(pool.clone(), listener, service, max_connections, stopping));
    pool.close();
    if drained.cut == 0 {
        for thread in threads {
            thread.join().map_err(|_| Error::Failed("a thread of the pool panicked".to_owned()))?;
        }
    }
    Ok(())
}
