//! One log among those that are merged.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use stats::hdr_log::HdrLog;

use super::error::{LARGEST_LOG_BYTES, MergeError};

/// One file that was given.
pub(super) struct Input {
    pub(super) path: PathBuf,
    /// As it was given, which is how messages call it.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) log: HdrLog,
}

impl Input {
    pub(super) fn read(path: &Path) -> Result<Self, MergeError> {
        let unreadable = |source| MergeError::Unreadable { path: path.to_owned(), source };
        let mut bytes = Vec::new();
        let file = File::open(path).map_err(unreadable)?;
        file.take(LARGEST_LOG_BYTES + 1).read_to_end(&mut bytes).map_err(unreadable)?;
        if bytes.len() as u64 > LARGEST_LOG_BYTES {
            return Err(MergeError::TooLarge { path: path.to_owned() });
        }
        let log = HdrLog::read(&bytes).map_err(|source| MergeError::Log { path: path.to_owned(), source })?;
        Ok(Self { path: path.to_owned(), name: path.display().to_string(), bytes, log })
    }
}
