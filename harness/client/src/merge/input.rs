//! One log among those that are merged.

use std::path::PathBuf;

use stats::hdr_log::HdrLog;

/// One file that was given.
pub(super) struct Input {
    pub(super) path: PathBuf,
    /// As it was given, which is how messages call it.
    pub(super) name: String,
    pub(super) bytes: Vec<u8>,
    pub(super) log: HdrLog,
}
