//! A server that answers.

use std::{net::SocketAddr, time::Duration};

use host::launch::{Exit, Process};

use super::window_error::WindowError;

/// How long it may take to end once it was told to.
const STOP_WITHIN: Duration = Duration::from_secs(10);
/// The path that every server answers with the same 51 bytes.
pub(super) const PATH: &str = "/simple";

/// A server that answers. Dropping it ends it.
#[derive(Debug)]
pub struct Serving {
    pub(super) name: &'static str,
    pub(super) process: Process,
    pub(super) address: SocketAddr,
}

impl Serving {
    /// What to ask.
    pub fn url(&self) -> String {
        format!("http://{}{PATH}", self.address)
    }

    /// The root of its process tree, or the guard above it.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Ends it.
    ///
    /// # Errors
    /// It outstayed SIGTERM.
    pub fn stop(self) -> Result<Exit, WindowError> {
        let name = self.name;
        let launch_error = |source| WindowError::Launch { name: name.to_owned(), source };
        let exit = self.process.stop(STOP_WITHIN).map_err(launch_error)?;
        if exit.forced {
            return Err(WindowError::Late { name: name.to_owned(), within: STOP_WITHIN });
        }
        Ok(exit)
    }
}
