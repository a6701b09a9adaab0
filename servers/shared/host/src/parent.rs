//! A process that ends with its parent.

use std::io;

use rustix::process::{Pid, Signal, getppid, set_parent_process_death_signal};

/// Why a process is not tied to its parent.
#[derive(Debug, thiserror::Error)]
pub enum Untied {
    /// The parent had ended already, and nobody will send the signal.
    #[error("process {0}, which started this one, is gone")]
    Orphaned(u32),
    /// The system refuses.
    #[error("cannot be tied to the process that started this one: {0}")]
    Refused(#[from] io::Error),
}

/// Has the kernel send `signal` to this process when `parent`, which started it, ends, however that ends; to be called from a
/// process that `parent` started and that knows its number from it.
///
/// The signal follows the parent's *thread* that made this process: a thread that ends earlier ends it too. It does not
/// reach what this process starts.
///
/// # Errors
/// See [`Untied`]; a process that is [`Untied::Orphaned`] is to end by itself.
pub fn end_with(parent: u32, signal: Signal) -> Result<(), Untied> {
    set_parent_process_death_signal(Some(signal)).map_err(io::Error::from)?;
    // The parent may have ended before the line above.
    let now = getppid().map(Pid::as_raw_nonzero).map(|pid| pid.get().unsigned_abs());
    if now == Some(parent) { Ok(()) } else { Err(Untied::Orphaned(parent)) }
}
