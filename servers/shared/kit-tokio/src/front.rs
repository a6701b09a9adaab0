//! The two shapes in which rows use tokio: one runtime of many threads, or one runtime per thread.

use std::{net::TcpListener, num::NonZeroUsize, sync::Arc};

use kit::{
    accept::{self, Drained},
    args::Config,
    execute::Execute,
    runtime::Runtime as _,
    service::{Service, Site},
    shutdown::Shutdown,
    start::{self, Error},
};

use crate::{Tokio, names};

/// For [`multi_thread`] where operations have no use for a blocking pool: the least that tokio takes, and none is started.
pub const NO_BLOCKING_THREADS: NonZeroUsize = NonZeroUsize::MIN;

/// Serves on one runtime whose `config.workers` threads share all connections and steal tasks from each other, until
/// `stopping` is raised and the drain is over. Says when it accepts.
///
/// Beside the workers, tokio's blocking pool starts up to `blocking_threads` threads when `execute` has a use for them. What
/// still computes when the drain is over does not keep this from returning.
///
/// # Errors
/// The runtime cannot be built, or the ready line not be written.
pub fn multi_thread(
    server: &'static str,
    config: &Config,
    listener: TcpListener,
    stopping: Shutdown,
    execute: impl Execute,
    blocking_threads: NonZeroUsize,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    // Left at tokio's defaults, which are part of what work stealing is here: a look at the I/O driver every 61 tasks, an
    // interval of the global queue that tunes itself, and the LIFO slot, which is not stolen from.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .max_blocking_threads(blocking_threads.get())
        .thread_name_fn(names::in_turn(config.workers))
        .on_thread_start(names::make_current)
        .enable_io()
        .enable_time()
        .build()
        .map_err(Error::system("build the tokio runtime"))?;

    let accepting = {
        let _entered = runtime.enter();
        let listener = Tokio.listener(listener).map_err(Error::system("register the listener"))?;
        let service = Service::new(Site::new(server, config, stopping.clone()), execute, Tokio.timer());
        let accepting = accept::serve(Tokio, listener, service, config.limits.max_connections, stopping);
        // On a worker, where the connections are: the main thread only waits for it.
        runtime.spawn(accepting)
    };
    start::announce(server, config, address)?;
    let drained = runtime.block_on(accepting);
    // An operation whose client was cut has nobody left to answer to. Nobody waits for its end.
    runtime.shutdown_background();
    match drained {
        Ok(_drained) => Ok(()),
        Err(error) => Err(Error::Failed(format!("the accept loop ended: {error}"))),
    }
}

/// Serves `listener` on a runtime that is the calling thread's alone, until `stopping` is raised and the drain is over.
/// `ready` is called when it accepts. Of the connections that the server may have, this loop takes `max_connections`.
///
/// # Errors
/// The runtime cannot be built, or `ready` failed.
pub fn current_thread(
    site: Arc<Site>,
    listener: TcpListener,
    max_connections: usize,
    execute: impl Execute,
    ready: impl FnOnce() -> Result<(), Error>,
) -> Result<Drained, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(Error::system("build the tokio runtime"))?;
    let _entered = runtime.enter();
    let listener = Tokio.listener(listener).map_err(Error::system("register the listener"))?;
    let stopping = site.stopping.clone();
    let service = Service::new(site, execute, Tokio.timer());
    ready()?;
    Ok(runtime.block_on(accept::serve(Tokio, listener, service, max_connections, stopping)))
}
