//! Why the clock of another host is not known.

use std::{ffi::OsString, io, time::Duration};

use stats::clock_offset::OffsetError;

/// Why the clock of another host is not known.
#[derive(Debug, thiserror::Error)]
pub enum ClockError {
    /// What would be an option of ssh.
    #[error("`{0}` is no host; name it as ssh does, such as node1 or user@node1")]
    NoHost(String),
    /// There is no ssh.
    #[error("{} cannot be started to reach {host}: {error}; install an ssh client, or name one with --ssh", ssh.display())]
    NoSsh {
        /// The program.
        ssh: OsString,
        /// Where it was to lead.
        host: String,
        /// Why not.
        error: io::Error,
    },
    /// The connection ended, or never was.
    #[error("{host} cannot be asked: {said}; {advice}")]
    Ended {
        /// The host.
        host: String,
        /// What ssh, or the shell there, said last.
        said: String,
        /// What to do.
        advice: String,
    },
    /// Nothing came.
    #[error(
        "{host} did not answer within {within:?}; see that `ssh {host}` works without a question, and how slow the link is"
    )]
    Silent {
        /// The host.
        host: String,
        /// How long it was waited for.
        within: Duration,
    },
    /// The program there speaks otherwise.
    #[error(
        "{host} has another revision of the harness; build both from the same one, or name that one with --there"
    )]
    Revision {
        /// The host.
        host: String,
    },
    /// The exchanges tell nothing.
    #[error("{host}: {error}")]
    Offset {
        /// The host.
        host: String,
        /// Why not.
        error: OffsetError,
    },
}

impl ClockError {
    /// Whether another command line would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::NoHost(_))
    }
}
