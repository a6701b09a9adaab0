//! A single thread: the baseline, one event loop on the main thread.
//!
//! Where connections live: on the one loop there is. Where operations run: on that same thread, so that whatever one
//! client asks for is what all others wait for.
//!
//! Not pinned unless `--pin` says so, as a program that nobody tuned would be.

use std::net::TcpListener;

use host::cpus::CpuSet;
use kit::{
    args::Config,
    execute::Inline,
    service::Site,
    shutdown::Shutdown,
    start::{self, Error},
};

/// The server's name.
pub const SERVER: &str = "single-thread";

/// Serves on the calling thread until `stopping` is raised and the drain is over. Says so when it accepts.
///
/// # Errors
/// The CPU is not to be had, or the runtime cannot be built.
pub fn run(config: &Config, pin: bool, listener: TcpListener, stopping: Shutdown) -> Result<(), Error> {
    if pin {
        let own: CpuSet = [config.cpus.nth_wrapping(0)].into_iter().collect();
        own.apply_to_current_thread().map_err(Error::system("pin the server to its CPU"))?;
    }
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    let site = Site::new(SERVER, config, stopping);
    let ready = || {
        start::announce(SERVER, config, address);
        Ok(())
    };
    kit_tokio::front::current_thread(site, listener, config.limits.max_connections, Inline, ready)?;
    Ok(())
}
