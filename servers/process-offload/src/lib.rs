//! Offloading to processes: the work-stealing front, and CPU-bound operations in child processes.
//!
//! Where connections live: as on work-stealing, by the same code. Where operations run: short ones on the thread that read the
//! request; CPU-bound ones in children, each one operation at a time, which are this same program again. What goes wrong in a
//! child, be it a crash, costs the request that it had and that child, and nobody else.
//!
//! Children are a pool that stays ([`pool`], supervised, each replaced when it ends), or each is started for one operation
//! ([`per_request`]), as `child_process.fork` in a request handler does. Both talk with the front by packets of one [`protocol`] on a
//! [`link`].
//!
//! An operation that its child never read is given to another one, once. One that its child had begun is answered 500: it may be
//! what ended the child, and would end the next one.

mod args;
pub mod child;
pub mod link;
pub mod per_request;
pub mod pool;
pub mod protocol;

use std::net::TcpListener;

use kit::{args::Config, offload::Offload, shutdown::Shutdown, start::Error};
use kit_tokio::front::{Blocking, multi_thread_with};

pub use args::{Children, ChildrenArgs, SERVER, When};

/// Serves until `stopping` is raised and the drain is over, and ends with the last child. Says so when it accepts.
///
/// # Errors
/// The runtime cannot be built, a child cannot be started; or, while it served, all children have crashed too often. Some of
/// them: [`Error::Degraded`].
pub fn run(
    config: &Config,
    children: &Children,
    listener: TcpListener,
    stopping: &Shutdown,
) -> Result<(), Error> {
    match children.when {
        When::Ahead => {
            let mut crew = None;
            let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
            let start = |runtime: &tokio::runtime::Handle| {
                let (pool, started) = pool::start(runtime, config, children, address, stopping)?;
                crew = started;
                Ok(Offload::new(pool, children.queue))
            };
            let served = multi_thread_with(SERVER, config, listener, stopping.clone(), start, Blocking::NONE);
            served.and(crew.map_or(Ok(()), pool::Crew::end))
        }
        When::PerRequest => {
            let (starters, running) = per_request::start(children)?;
            let start = |_runtime: &tokio::runtime::Handle| Ok(Offload::new(starters, children.queue));
            let served = multi_thread_with(SERVER, config, listener, stopping.clone(), start, Blocking::NONE);
            running.end();
            served
        }
    }
}
