//! Processes per core: a primary and one worker process per CPU.
//!
//! Where connections live: in one of these processes, for good; how they come there is [`Accept`]. Where operations run: on that
//! process's only thread.
//!
//! With a listener each, the primary opens one SO_REUSEPORT listener per worker, keeps them all open, and hands each worker its own.
//! Since it keeps them, connections that arrive while a worker is being replaced wait for the next one; where that takes longer, the
//! other workers accept them.
//!
//! With one listener for all, every worker waits for the same socket. tokio registers a listener with EPOLLIN, EPOLLOUT, EPOLLRDHUP and
//! EPOLLET, and has no way to say EPOLLEXCLUSIVE: so each connection wakes every worker that waits, and those that come too late find nothing. (An
//! epoll instance of our own within tokio's would not help: a wake-up that only reaches the outer one does not count as exclusive.)
//!
//! Where the primary hands over, no worker has a listener: the primary accepts, and passes each connection to a worker that has taken the
//! last one it was given ([`Choice`]). A worker that takes nothing is passed over, and connections for which nobody asks wait in the
//! backlog.
//!
//! Workers are not pinned unless `--pin` says so: processes per core are deployed under a kernel that may move them.

mod acceptor;
mod inbox;
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
use supervisor::{Assignment, Crew, Offers, Rules, supervise};

use acceptor::Acceptor;
pub use acceptor::Choice;
pub use listeners::Listeners;

/// How connections come to the workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accept {
    /// Each has a listener of its own, and the kernel chooses by a hash of the addresses (SO_REUSEPORT).
    ListenerEach,
    /// All accept from one listener.
    Shared,
    /// The primary accepts, and hands over.
    Handoff(Choice),
}

/// The server's name.
pub const SERVER: &str = "fork-per-core";

/// The primary: has each of `listeners` served by a process of its own until `stopping` is raised and the workers have
/// drained. Says so when all of them accept.
///
/// # Errors
/// A worker cannot be started, or does not accept in time, or all of them have crashed too often.
pub fn run(
    config: &Config,
    accept: Accept,
    rules: Rules,
    mut listeners: Listeners,
    stopping: &Shutdown,
) -> Result<(), Error> {
    let address = listeners.address();
    let offers: Option<Box<dyn Offers>> = match accept {
        Accept::ListenerEach | Accept::Shared => None,
        Accept::Handoff(choice) => {
            let listener = listeners.of(0).map_err(Error::system("duplicate the listener"))?;
            Some(Box::new(Acceptor::new(listener, choice)))
        }
    };
    let crew = Crew {
        name: SERVER,
        workers: config.workers,
        address,
        drain_timeout: config.limits.drain_timeout,
        rules,
        // Only a listener of one's own is nobody else's.
        lends: accept == Accept::ListenerEach,
        hand: move |place: usize| match accept {
            Accept::ListenerEach | Accept::Shared => {
                listeners.of(place).map(|listener| Some(OwnedFd::from(listener)))
            }
            Accept::Handoff(_) => Ok(None),
        },
        offers,
    };
    supervise(crew, stopping, || {
        start::announce(SERVER, config, address);
        Ok(())
    })
}

/// A worker: serves the listener that the primary hands it, and others that it is told to, or the connections, until `stopping` is raised
/// or the primary says so, and the drain is over.
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
    // Where connections are handed over, the primary says when the last has come.
    let ends = if begun.handed.is_some() { stopping.clone() } else { Shutdown::new() };
    let site = match begun.cluster {
        Some(cluster) => Site::in_cluster(SERVER, config, ends, cluster, begun.member),
        None => Site::new(SERVER, config, ends),
    };
    match begun.handed {
        Some(listener) => worker::serve(site, assignment.index, listener, share, begun.channel),
        None => inbox::serve(&site, share, begun.channel, &stopping),
    }
}
