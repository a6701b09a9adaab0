//! Work stealing: one tokio runtime whose threads share all connections.
//!
//! Where connections live: on whichever thread polls them; an idle thread takes waiting tasks from a busy one.
//! Where operations run: on the thread that read the request.

use std::{
    net::TcpListener,
    sync::atomic::{AtomicUsize, Ordering},
};

use kit::{
    accept,
    args::Config,
    execute::Inline,
    runtime::Runtime as _,
    service::{Service, Site},
    shutdown::Shutdown,
    start::{self, Error},
    worker::{Kind, Worker},
};
use kit_tokio::Tokio;

/// The server's name.
pub const SERVER: &str = "work-stealing";

/// Serves until `stopping` is raised and the drain is over. Says so when it accepts.
///
/// # Errors
/// The runtime cannot be built, or the ready line not be written.
pub fn run(config: &Config, listener: TcpListener, stopping: Shutdown) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    let next = AtomicUsize::new(0);
    // Left at tokio's defaults, which are part of what this row is: a look at the I/O driver every 61 tasks, an interval
    // of the global queue that tunes itself, and the LIFO slot, which is not stolen from.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .thread_name("worker")
        .on_thread_start(move || {
            Worker::new(Kind::Thread, next.fetch_add(1, Ordering::Relaxed)).make_current();
        })
        .enable_io()
        .enable_time()
        .build()
        .map_err(Error::system("build the tokio runtime"))?;

    let _entered = runtime.enter();
    let listener = Tokio.listener(listener).map_err(Error::system("register the listener"))?;
    let service = Service::new(Site::new(SERVER, config, stopping.clone()), Inline, Tokio.timer());
    let accepting = accept::serve(Tokio, listener, service, config.limits.max_connections, stopping);
    // On a worker, where the connections are: the main thread only waits for it.
    let accepting = runtime.spawn(accepting);
    start::announce(SERVER, config, address)?;
    match runtime.block_on(accepting) {
        Ok(_drained) => Ok(()),
        Err(error) => Err(Error::Failed(format!("the accept loop ended: {error}"))),
    }
}
