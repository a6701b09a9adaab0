//! Stackful coroutines: one scheduler (may) whose worker threads share all connections, each in a coroutine of its own.
//!
//! Where connections live: in a coroutine with its own stack, on whichever worker saw its socket's last event, or took it from
//! one that was busy. Where operations run: in that coroutine.
//!
//! Two HTTP servers stand on it. [`run_hyper`] is kit's accept loop, service and limits, a future polled by each coroutine:
//! it differs from the rows on tokio by the coroutines alone. [`run_minihttp`] is `may_minihttp` as it is published.

mod minihttp;

use std::net::TcpListener;

use kit::{
    accept,
    args::Config,
    execute::Inline,
    runtime::Runtime as _,
    service::{Service, Site},
    shutdown::Shutdown,
    start::{self, Error},
};
use kit_may::{May, spawn};

pub use minihttp::run as run_minihttp;

/// The server's name.
pub const SERVER: &str = "may-coroutines";

/// Serves with hyper until `stopping` is raised and the drain is over. Says when it accepts.
///
/// # Errors
/// The listener cannot be registered, or a coroutine not be started.
pub fn run_hyper(config: &Config, may: May, listener: TcpListener, stopping: Shutdown) -> Result<(), Error> {
    let address = listener.local_addr().map_err(Error::system("read the listener's address"))?;
    let listener = may.listener(listener).map_err(Error::system("register the listener"))?;
    let timer = may.timer();
    let service = Service::new(Site::new(SERVER, config, stopping.clone()), Inline, timer.clone());
    let accepting = accept::serve(may, listener, service, config.limits.max_connections, stopping);
    let accepting = spawn(timer, accepting).map_err(Error::system("start the accepting coroutine"))?;
    start::announce(SERVER, config, address);
    match accepting.join() {
        Ok(Some(_drained)) => Ok(()),
        _ => Err(Error::Failed("the accept loop panicked".to_owned())),
    }
}
