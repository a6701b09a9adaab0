//! Why logs could not be merged.

use std::{io, path::PathBuf};

use stats::hdr_log::LogError;
use terminal::output::OutputError;

/// A day of seconds at 3 kB each: a file beyond it is a mistake, or has no end.
pub(super) const LARGEST_LOG_BYTES: u64 = 256 << 20;

/// Why logs could not be merged; the reason behind it is the error's source.
#[derive(Debug, thiserror::Error)]
pub enum MergeError {
    /// A file cannot be read.
    #[error("cannot read {path}", path = path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file is too large to be a log.
    #[error("{path} is larger than any log ({} MiB)", LARGEST_LOG_BYTES >> 20, path = path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
    },
    /// A file is not a log that can be merged.
    #[error("{path}", path = path.display())]
    Log {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: LogError,
    },
    /// A folder among other files.
    #[error("{path} is a folder: merge the parts that gathered in it alone, or name logs", path = path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
    },
    /// The result would replace what it is made from.
    #[error("--out {path} is one of the logs to be merged: give another file", path = path.display())]
    OutIsInput {
        /// The file.
        path: PathBuf,
    },
    /// The result cannot be written.
    #[error(transparent)]
    Unwritable(#[from] OutputError),
}

impl MergeError {
    /// Whether another command line would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::Unreadable { .. } | Self::Folder { .. } | Self::OutIsInput { .. })
    }
}
