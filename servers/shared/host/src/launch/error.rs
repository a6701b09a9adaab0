//! Why there is no process, or none that is ready.

use std::{io, path::PathBuf, time::Duration};

/// Why a process did not become what it should be.
#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    /// There is no such program, or it cannot be executed.
    #[error("cannot start {program}: {source}")]
    Spawn {
        /// What should have been started.
        program: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// It ended before its ready line.
    #[error("ended before it was ready ({ended}){}", last_words(.stderr))]
    Died {
        /// How it ended.
        ended: String,
        /// The last lines of its stderr.
        stderr: Vec<String>,
    },
    /// It runs, but said nothing in time.
    #[error("printed no ready line within {within:?}{}", last_words(.stderr))]
    NeverReady {
        /// How long it was given.
        within: Duration,
        /// The last lines of its stderr.
        stderr: Vec<String>,
    },
    /// It did not end when it was told to, nor when it was killed.
    #[error("did not end within {within:?} of SIGKILL")]
    Immortal {
        /// How long it was given.
        within: Duration,
    },
    /// Its pipes could not be used.
    #[error("cannot talk to the process: {0}")]
    Io(#[from] io::Error),
}

fn last_words(stderr: &[String]) -> String {
    stderr
        .iter()
        .rev()
        .find(|line| !line.trim().is_empty())
        .map_or_else(String::new, |line| format!(": {line}"))
}
