//! Processes per core: a primary and one worker process per CPU.
//!
//! Where connections live: in the process whose listener the kernel chose; for good. Where operations run: on that
//! process's only thread.
//!
//! The primary opens one SO_REUSEPORT listener per worker, keeps them all open, and hands each worker its own. Since
//! it keeps them, connections that arrive while a worker is being replaced wait for the next one; where that takes longer, the other
//! workers accept them.
//!
//! Workers are not pinned unless `--pin` says so: processes per core are deployed under a kernel that may move them.

mod listeners;
mod worker;

use std::os::fd::OwnedFd;

use host::cpus::CpuSet;
use kit::{
    args::Config,
    service::Site,
    shutdown::Shutdown,
    start::{self, Error},
};
use supervisor::{Assignment, Crew, Rules, supervise};

pub use listeners::Listeners;

/// The server's name.
pub const SERVER: &str = "fork-per-core";

/// The primary: has each of `listeners` served by a process of its own until `stopping` is raised and the workers have
/// drained. Says so when all of them accept.
///
/// # Errors
/// A worker cannot be started, or does not accept in time, or all of them have crashed too often.
pub fn run(
    config: &Config,
    rules: Rules,
    mut listeners: Listeners,
    stopping: &Shutdown,
) -> Result<(), Error> {
    let address = listeners.address();
    let crew = Crew {
        name: SERVER,
        workers: config.workers,
        address,
        drain_timeout: config.limits.drain_timeout,
        rules,
        lends: true,
        hand: move |place: usize| listeners.of(place).map(OwnedFd::from),
    };
    supervise(crew, stopping, || {
        start::announce(SERVER, config, address);
        Ok(())
    })
}

/// A worker: serves the listener that the primary hands it, and others that it is told to, until `stopping` is raised or the primary says
/// so, and the drain is over.
///
/// # Errors
/// The primary is gone, the CPU is not to be had, or the runtime cannot be built.
pub fn work(config: &Config, pin: bool, assignment: Assignment, stopping: Shutdown) -> Result<(), Error> {
    let begun = assignment.begin()?;
    if pin {
        let own: CpuSet = [config.cpus.nth_wrapping(assignment.index)].into_iter().collect();
        own.apply_to_current_thread().map_err(Error::system("pin the worker to its CPU"))?;
    }
    let share = config.limits.shared_by(begun.places).max_connections;
    let site = match begun.cluster {
        Some(cluster) => Site::in_cluster(SERVER, config, stopping, cluster, begun.member),
        None => Site::new(SERVER, config, stopping),
    };
    worker::serve(site, assignment.index, begun.handed, share, begun.channel)
}
