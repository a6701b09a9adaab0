//! Work stealing: one tokio runtime whose threads share all connections.
//!
//! Where connections live: on whichever thread polls them; an idle thread takes waiting tasks from a busy one.
//! Where operations run: on the thread that read the request, unless `--cpu-bound` gives those that are CPU-bound another
//! place ([`CpuBound`]).

mod execute;

use std::net::TcpListener;

use kit::{args::Config, execute::Inline, offload::Offload, shutdown::Shutdown, start::Error};
use kit_tokio::front::{Blocking, multi_thread};

pub use execute::CpuBound;
use execute::{BlockingPool, InPlace};

/// The server's name.
pub const SERVER: &str = "work-stealing";

/// Serves until `stopping` is raised and the drain is over. Says so when it accepts.
///
/// # Errors
/// The runtime cannot be built.
pub fn run(
    config: &Config,
    cpu_bound: CpuBound,
    listener: TcpListener,
    stopping: Shutdown,
) -> Result<(), Error> {
    match cpu_bound {
        CpuBound::Inline => multi_thread(SERVER, config, listener, stopping, Inline, Blocking::NONE),
        CpuBound::SpawnBlocking { threads, queue } => {
            let offload = Offload::new(BlockingPool, queue);
            let blocking = Blocking { at_start: threads.get(), at_most: threads };
            multi_thread(SERVER, config, listener, stopping, offload, blocking)
        }
        CpuBound::BlockInPlace { threads } => {
            // So many event loops can move at once.
            let blocking = Blocking { at_start: config.workers.min(threads.get()), at_most: threads };
            multi_thread(SERVER, config, listener, stopping, InPlace, blocking)
        }
    }
}
