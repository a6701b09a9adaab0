//! Work stealing: one tokio runtime whose threads share all connections.
//!
//! Where connections live: on whichever thread polls them; an idle thread takes waiting tasks from a busy one.
//! Where operations run: on the thread that read the request.

use std::net::TcpListener;

use kit::{args::Config, execute::Inline, shutdown::Shutdown, start::Error};

/// The server's name.
pub const SERVER: &str = "work-stealing";

/// Serves until `stopping` is raised and the drain is over. Says so when it accepts.
///
/// # Errors
/// The runtime cannot be built, or the ready line not be written.
pub fn run(config: &Config, listener: TcpListener, stopping: Shutdown) -> Result<(), Error> {
    kit_tokio::front::multi_thread(SERVER, config, listener, stopping, Inline)
}
