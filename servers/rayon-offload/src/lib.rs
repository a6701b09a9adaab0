//! Offloading: the work-stealing front, and CPU-bound operations on a rayon pool.
//!
//! Where connections live: as on work-stealing, by the same code. Where operations run: short ones on the thread that
//! read the request; CPU-bound ones on a pool of their own, so that a front thread is never away from its connections
//! for long.

use std::net::TcpListener;

use kit::{args::Config, shutdown::Shutdown, start::Error};
use kit_rayon::{Offload, Pool};
use kit_tokio::front::{Blocking, multi_thread};

/// The server's name.
pub const SERVER: &str = "rayon-offload";

/// Serves until `stopping` is raised and the drain is over. Says so when it accepts.
///
/// # Errors
/// The pool or the runtime cannot be built.
pub fn run(config: &Config, pool: &Pool, listener: TcpListener, stopping: Shutdown) -> Result<(), Error> {
    let offload = Offload::start(pool)?;
    multi_thread(SERVER, config, listener, stopping, offload, Blocking::NONE)
}
