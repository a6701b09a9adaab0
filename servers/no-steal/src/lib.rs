//! No stealing: one thread accepts, and gives each connection to one of several runtimes of a single thread, for good.
//!
//! Where connections live: on the runtime that the acceptor chose ([`Balance`]); none is taken from it, however busy it is. Where
//! operations run: on that runtime's thread.
//!
//! Between work stealing, which also has one acceptor, and threads with a listener each, which do not steal either. The workers are not
//! pinned unless `--pin` says so. The acceptor is the main thread; it serves nobody, and is never pinned.

mod balance;
mod worker;

use std::{net::TcpListener, sync::Arc};

use kit::{
    accept,
    args::Config,
    execute::Inline,
    runtime::Runtime as _,
    service::{Service, Site},
    shutdown::Shutdown,
    start::{self, Error},
};
use kit_tokio::{Tokio, front::current_thread_runtime, handed::Acceptor};

pub use balance::Balance;
use balance::Balancer;
use worker::Workers;

/// The server's name.
pub const SERVER: &str = "no-steal";

/// Accepts on the calling thread until `stopping` is raised and the drain is over. Says so when it accepts.
///
/// # Errors
/// A worker cannot be started or pinned, or a runtime cannot be built.
pub fn run(
    config: &Config,
    balance: Balance,
    pin: bool,
    listener: TcpListener,
    stopping: Shutdown,
) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    let site = Site::new(SERVER, config, stopping.clone());
    let service = Service::new(Arc::clone(&site), Inline, Tokio.timer());
    let workers = Workers::start(config, pin, &stopping)?;

    let runtime = current_thread_runtime()?;
    let _entered = runtime.enter();
    let acceptor = Acceptor::new(listener).map_err(Error::system("register the listener"))?;
    start::announce(SERVER, config, address);
    let balancer = Balancer::new(balance, config.workers);
    let admit = |stream, place| {
        let least = |worker| (site.metrics.operations_in_flight_on(worker), workers.open_on(worker));
        workers.give(balancer.choose(least), stream, service.clone(), place);
    };
    let limits = &config.limits;
    let accepting = accept::admit_all(
        acceptor,
        Tokio.timer(),
        limits.drain_timeout,
        limits.max_connections,
        stopping,
        admit,
    );
    runtime.block_on(accepting);
    workers.end()
}
