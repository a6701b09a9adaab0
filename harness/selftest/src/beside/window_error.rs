//! Why a window has no figures.

use std::{io, path::PathBuf, time::Duration};

use host::{guard::Ended, launch::LaunchError};

use super::figures_of::ReportError;

/// Why a window has no figures.
#[derive(Debug, thiserror::Error)]
pub enum WindowError {
    /// A person wants to stop.
    #[error("interrupted")]
    Interrupted,
    /// A program could not be started or ended.
    #[error("{name} {source}")]
    Launch {
        /// Which program.
        name: String,
        /// What happened.
        source: LaunchError,
    },
    /// A program ended badly.
    #[error("{name} ended with {ended}{}{last}", if .last.is_empty() { "" } else { ": " })]
    Ended {
        /// Which program.
        name: String,
        /// How.
        ended: Ended,
        /// The last line that it wrote to stderr, or empty.
        last: String,
    },
    /// A program did not end in time, and was killed.
    #[error("{name} did not end within {within:?}")]
    Late {
        /// Which program.
        name: String,
        /// How long it was given.
        within: Duration,
    },
    /// A report is not understood.
    #[error(transparent)]
    Report(#[from] ReportError),
    /// Something was not answered rightly, so that the window measures something else.
    #[error("{name} counted {failed} failed requests of {requests}")]
    Failures {
        /// Whose count.
        name: String,
        /// How many.
        failed: u64,
        /// Of how many.
        requests: u64,
    },
    /// A tool that cannot do what was asked.
    #[error("{0} cannot make this load")]
    Unable(&'static str),
    /// A server is not what it should be.
    #[error("{name} {reason}")]
    Server {
        /// Which server.
        name: String,
        /// What is wrong.
        reason: String,
    },
    /// A file could not be read or written.
    #[error("cannot use {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}
