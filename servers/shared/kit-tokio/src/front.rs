//! The two shapes in which rows use tokio: one runtime of many threads, or one runtime per thread.

use std::{
    io,
    net::TcpListener,
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
    thread,
    time::Duration,
};

use host::processes;
use kit::{
    accept::{self, Drained},
    args::Config,
    execute::Execute,
    runtime::Runtime as _,
    service::{Service, Site},
    shutdown::Shutdown,
    start::{self, Error},
};
use rustix::io::Errno;
use tokio::runtime::{Handle, Runtime};

use crate::{Tokio, names};

/// The threads that tokio's blocking pool has beside the workers. None of them ever ends.
///
/// Left to itself tokio starts each when there is something for it to do, and ends it when there was nothing for 10 s. Where the
/// system starts no thread at that moment, what it should have done waits for another that may never come, or tokio panics in
/// the middle of what asked for it, and then a worker may be lost with its event loop. So those that cannot be done without
/// start with the server, which fails where they cannot, and stay.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocking {
    /// How many start with the server.
    pub at_start: usize,
    /// How many there may be: others start when there is something for them to do.
    pub at_most: NonZeroUsize,
}

impl Blocking {
    /// For operations that have no use for them: the least that tokio takes, and none is started.
    pub const NONE: Self = Self { at_start: 0, at_most: NonZeroUsize::MIN };
}

/// Serves on one runtime whose `config.workers` threads share all connections and steal tasks from each other, until
/// `stopping` is raised and the drain is over. Says when it accepts.
///
/// Beside the workers, tokio's blocking pool has the `blocking` threads, for which `execute` may have a use. What still computes
/// when the drain is over does not keep this from returning.
///
/// # Errors
/// The runtime cannot be built, or threads that it needs not be started. Workers that cannot be started are a panic of tokio's,
/// and so the end of a server that starts ([`kit::failure`]).
pub fn multi_thread(
    server: &'static str,
    config: &Config,
    listener: TcpListener,
    stopping: Shutdown,
    execute: impl Execute,
    blocking: Blocking,
) -> Result<(), Error> {
    multi_thread_with(server, config, listener, stopping, |_runtime| Ok(execute), blocking)
}

/// The same for operations that need the runtime themselves, to wait for other processes for one: `execute` is called once, on the
/// calling thread, when the runtime's threads run and before anything is accepted.
///
/// # Errors
/// As [`multi_thread`], or `execute` failed.
pub fn multi_thread_with<E: Execute>(
    server: &'static str,
    config: &Config,
    listener: TcpListener,
    stopping: Shutdown,
    execute: impl FnOnce(&Handle) -> Result<E, Error>,
    blocking: Blocking,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    // Left at tokio's defaults, which are part of what work stealing is here: a look at the I/O driver every 61 tasks, an
    // interval of the global queue that tunes itself, and the LIFO slot, which is not stolen from.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(config.workers)
        .max_blocking_threads(blocking.at_most.get())
        .thread_keep_alive(Duration::MAX)
        .thread_name_fn(names::in_turn(config.workers))
        .on_thread_start(names::make_current)
        .enable_io()
        .enable_time()
        .build()
        .map_err(Error::system("build the tokio runtime"))?;
    start_blocking(&runtime, blocking.at_start)
        .map_err(Error::system("start the threads of tokio's blocking pool"))?;
    let execute = execute(runtime.handle())?;

    let accepting = {
        let _entered = runtime.enter();
        let listener = Tokio.listener(listener).map_err(Error::system("register the listener"))?;
        let service = Service::new(Site::new(server, config, stopping.clone()), execute, Tokio.timer());
        let accepting = accept::serve(Tokio, listener, service, config.limits.max_connections, stopping);
        // On a worker, where the connections are: the main thread only waits for it.
        runtime.spawn(accepting)
    };
    start::announce(server, config, address);
    let drained = runtime.block_on(accepting);
    // An operation whose client was cut has nobody left to answer to. Nobody waits for its end.
    runtime.shutdown_background();
    match drained {
        Ok(_drained) => Ok(()),
        Err(error) => Err(Error::Failed(format!("the accept loop ended: {error}"))),
    }
}

/// How often it is looked whether workers have begun.
const LOOK_AGAIN: Duration = Duration::from_micros(100);

/// Starts `count` threads of the blocking pool: each is kept from taking what was for the next one until all were asked for.
///
/// The first that cannot be started is a panic of tokio's; of a further one it says nothing, and they are counted. Their
/// creation is over when tokio has been asked for it, and nobody else starts or ends a thread meanwhile.
fn start_blocking(runtime: &Runtime, count: usize) -> io::Result<()> {
    if count == 0 {
        return Ok(());
    }
    // A worker's loop is a task of this pool too: one that is not begun yet would be taken by whichever thread comes first.
    let metrics = runtime.metrics();
    while (0..metrics.num_workers()).any(|worker| metrics.worker_park_count(worker) == 0) {
        thread::sleep(LOOK_AGAIN);
    }
    let before = threads()?;
    let gate = Arc::new(Mutex::new(()));
    let held = gate.lock().unwrap_or_else(PoisonError::into_inner);
    for _ in 0..count {
        let gate = Arc::clone(&gate);
        // Nobody waits for it.
        drop(runtime.spawn_blocking(move || drop(gate.lock())));
    }
    let started = threads()?.saturating_sub(before);
    drop(held);
    // Which is the error that tokio thinks will pass.
    if started < count { Err(Errno::AGAIN.into()) } else { Ok(()) }
}

/// How many threads this process has.
fn threads() -> io::Result<usize> {
    let threads = processes::numbers_in("/proc/self/task")?;
    threads.map(|threads| threads.len()).ok_or_else(|| io::ErrorKind::NotFound.into())
}

/// A runtime that is the calling thread's alone, as [`current_thread`] serves on: for rows that run accept loops on it which come and go,
/// each a task of [`accept::serve`].
///
/// # Errors
/// The system refuses what it needs.
pub fn current_thread_runtime() -> Result<Runtime, Error> {
    tokio::runtime::Builder::new_current_thread()
        .enable_io()
        .enable_time()
        .build()
        .map_err(Error::system("build the tokio runtime"))
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
    let runtime = current_thread_runtime()?;
    let _entered = runtime.enter();
    let listener = Tokio.listener(listener).map_err(Error::system("register the listener"))?;
    let stopping = site.stopping.clone();
    let service = Service::new(site, execute, Tokio.timer());
    ready()?;
    Ok(runtime.block_on(accept::serve(Tokio, listener, service, max_connections, stopping)))
}
