//! How much memory 10,000 connections take our generator.

use std::time::Duration;

use host::open_files;
use serde::Serialize;

use super::{
    server::Server,
    spread::Figure,
    stand::Stand,
    tool::{Load, Tool},
    window_error::WindowError,
};

/// Connections.
pub const CONNECTIONS: u32 = 10_000;
/// Requests per second over all of them.
pub const PER_SECOND: u32 = 2_000;
/// What either process has open beside its connections, generously.
const BESIDE_CONNECTIONS: u64 = 256;

/// One run.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Memory {
    /// The largest resident set of the generator's process, KiB, as the kernel reports it when the process is waited for.
    pub peak_rss_kib: u64,
    /// Requests that were answered rightly; all of them were.
    pub requests: u64,
}

impl Memory {
    /// What is asked: at most 64 MiB.
    pub const FIGURE: Figure = Figure::AtMost(64.0);

    /// In the unit of the figure.
    pub fn peak_mib(&self) -> f64 {
        self.peak_rss_kib as f64 / 1024.0
    }
}

/// Runs an open loop over all connections for one window.
///
/// # Errors
/// There are too few file descriptors, or server or generator failed.
pub fn measure(stand: &Stand, ceiling: &Server, own: &Tool, window: Duration) -> Result<Memory, WindowError> {
    raise_descriptors(u64::from(CONNECTIONS) + BESIDE_CONNECTIONS)?;
    let server = ceiling.start(stand, stand.server_cpu)?;
    let load = Load::Constant { per_second: PER_SECOND, dedicated: false };
    let measured = stand.window(own, &server, CONNECTIONS, window, load)?;
    server.stop()?;
    Ok(Memory { peak_rss_kib: measured.peak_rss_kib, requests: measured.requests })
}

/// Raises the limit of open files, which the processes that are started inherit.
///
/// # Errors
/// The hard limit is lower than what is needed.
pub fn raise_descriptors(needed: u64) -> Result<(), WindowError> {
    let reason = match open_files::raise() {
        Ok(allowed) if allowed >= needed => return Ok(()),
        Ok(allowed) => format!(
            "may open only {allowed} files and {needed} are needed; raise the limit with `ulimit -Hn {needed}` as root, or \
             `systemd-run --scope -p LimitNOFILE={needed}`"
        ),
        Err(error) => format!("cannot raise the limit of open files: {error}"),
    };
    Err(WindowError::Server { name: "harness".to_owned(), reason })
}
