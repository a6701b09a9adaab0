//! Processes per core: a primary and one worker process per CPU.
//!
//! Where connections live: in the process whose listener the kernel chose; for good. Where operations run: on that
//! process's only thread.
//!
//! The primary opens one SO_REUSEPORT listener per worker, keeps them all open, and hands each worker its own: as the
//! worker's standard input, which is the one way to pass exactly one descriptor to exactly one child without any
//! other ever seeing it. The worker's standard output is a pipe on which it says that it accepts. Since the primary
//! keeps the listener, connections that arrive while a worker is being replaced wait for the next one.
//!
//! Workers are not pinned unless `--pin` says so: processes per core are deployed under a kernel that may move them.

mod primary;
mod worker;

pub use primary::run;
pub use worker::{Assignment, work};

/// The server's name.
pub const SERVER: &str = "fork-per-core";
