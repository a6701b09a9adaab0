//! Processes per core: a primary and one worker process per CPU.
//!
//! Where connections live: in the process whose listener the kernel chose; for good. Where operations run: on that
//! process's only thread.
//!
//! The primary opens one SO_REUSEPORT listener per worker, keeps them all open, and hands each worker its own. Since
//! it keeps them, connections that arrive while a worker is being replaced wait for the next one.
//!
//! Workers are not pinned unless `--pin` says so: processes per core are deployed under a kernel that may move them.

use std::{net::TcpListener, os::fd::OwnedFd};

use host::cpus::CpuSet;
use kit::{
    args::Config,
    execute::Inline,
    service::Site,
    shutdown::Shutdown,
    start::{self, Error},
};
use supervisor::{Assignment, Crew, supervise};

/// The server's name.
pub const SERVER: &str = "fork-per-core";

/// The primary: has each of `listeners` served by a process of its own until `stopping` is raised and the workers have
/// drained. Says so when all of them accept.
///
/// # Errors
/// A worker cannot be started, or does not accept in time.
pub fn run(config: &Config, listeners: Vec<TcpListener>, stopping: &Shutdown) -> Result<(), Error> {
    let address = match listeners.first() {
        Some(first) => first.local_addr().map_err(Error::system("read the listener's address"))?,
        None => return Err(Error::Failed("there is no listener".to_owned())),
    };
    let crew = Crew {
        name: SERVER,
        workers: listeners.len(),
        drain_timeout: config.limits.drain_timeout,
        hand: move |index: usize| listeners[index].try_clone().map(OwnedFd::from),
    };
    supervise(crew, stopping, || {
        start::announce(SERVER, config, address);
        Ok(())
    })
}

/// A worker: serves the listener that the primary hands it, until `stopping` is raised and the drain is over.
///
/// # Errors
/// The primary is gone, the CPU is not to be had, or the runtime cannot be built.
pub fn work(config: &Config, pin: bool, assignment: Assignment, stopping: Shutdown) -> Result<(), Error> {
    let listener = TcpListener::from(assignment.begin()?);
    if pin {
        let own: CpuSet = [config.cpus.nth_wrapping(assignment.index)].into_iter().collect();
        own.apply_to_current_thread().map_err(Error::system("pin the worker to its CPU"))?;
    }
    let share = config.limits.shared_by(config.workers).max_connections;
    let site = Site::new(SERVER, config, stopping);
    kit_tokio::front::current_thread(site, listener, share, Inline, || assignment.ready())?;
    Ok(())
}
