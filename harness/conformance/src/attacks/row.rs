//! A server that is to be attacked, and what its architecture cannot do.

use std::{path::PathBuf, time::Duration};

/// The most that one idle connection may cost in resident memory where a row does not say more. Debug builds have larger futures.
const BYTES_EACH: u64 = if cfg!(debug_assertions) { 32 << 10 } else { 16 << 10 };

/// The same where each occupies a thread, of which there are not many: what one takes when it first serves, the pages of its stack and
/// of its part of the allocator, comes with it (84 KiB were seen, and 60 KiB in a release build).
const BYTES_EACH_WITH_THREAD: u64 = if cfg!(debug_assertions) { 128 << 10 } else { 96 << 10 };

/// What becomes of cheap requests while CPU-bound operations occupy all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheap {
    /// They are answered: operations run elsewhere, behind a bounded queue, and beyond it are refused with 503.
    Answered,
    /// They are answered, and no operation is refused: each connection has a thread, and the kernel divides the CPUs among
    /// those that compute.
    Shares,
    /// They wait for an operation to end: operations run on the thread that serves the connections.
    Waits,
}

/// A server under attack.
#[derive(Clone, Debug)]
pub struct Row {
    /// The server's program.
    pub binary: PathBuf,
    /// What it is always launched with. `--workers` among them overrules that of an attack.
    pub arguments: Vec<String>,
    /// What it does with cheap requests while it computes.
    pub cheap: Cheap,
    /// Arguments that leave room for eight waiting operations, where operations have a queue.
    pub short_queue: Vec<String>,
    /// How many connections it serves at once, where an idle one occupies what serves another: more wait until one ends.
    pub served_at_once: Option<usize>,
    /// The most that an idle connection may cost in resident memory, bytes: more where each has a stack of its own.
    pub idle_bytes_each: u64,
    /// How long each wait may last.
    pub patience: Duration,
}

impl Row {
    /// A row that runs operations on the threads that serve the connections.
    pub fn inline(binary: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            binary: binary.into(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            cheap: Cheap::Waits,
            short_queue: Vec::new(),
            served_at_once: None,
            idle_bytes_each: BYTES_EACH,
            patience: Duration::from_secs(30),
        }
    }

    /// A row that serves `threads` connections at once, each on a thread that also runs its operations.
    pub fn threads(binary: impl Into<PathBuf>, arguments: &[&str], threads: usize) -> Self {
        Self {
            cheap: Cheap::Shares,
            served_at_once: Some(threads),
            idle_bytes_each: BYTES_EACH_WITH_THREAD,
            ..Self::inline(binary, arguments)
        }
    }

    /// A row that offloads operations; `short_queue` is how to launch it with room for eight that wait.
    pub fn offloading(binary: impl Into<PathBuf>, arguments: &[&str], short_queue: &[&str]) -> Self {
        let short_queue = short_queue.iter().map(|&argument| argument.to_owned()).collect();
        Self { cheap: Cheap::Answered, short_queue, ..Self::inline(binary, arguments) }
    }
}
