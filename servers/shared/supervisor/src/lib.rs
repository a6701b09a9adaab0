//! Worker processes and the primary that starts them, replaces those that exit, and ends them all.
//!
//! A worker is the same program again, told by two hidden arguments that it is one ([`Role`]): never a fork of a process
//! that has threads. Primary and worker share three things, and each is made on one side and met on the other here:
//! - the worker's standard input is the descriptor that the primary hands it: the one way to pass exactly one
//!   to exactly one child without any other ever seeing it;
//! - its standard output is a pipe on which it says, once, that it is ready, or why it cannot be;
//! - its life ends with the primary's, however that ends.
//!
//! Refuses to know what the descriptor is, what a worker does with it, HTTP, and runtimes. Of kit it knows
//! [`Shutdown`](kit::shutdown::Shutdown), errors and workers' names, so that a server has one kind of each.

#[expect(dead_code, reason = "the primary does not call it yet")]
mod control;
mod events;
#[expect(dead_code, reason = "the primary does not call it yet")]
mod logs;
mod primary;
mod process;
#[expect(dead_code, reason = "the primary does not call it yet")]
mod systemd;
#[cfg_attr(not(test), expect(dead_code, reason = "the primary does not call it yet"))]
mod watch;
mod worker;

pub use control::client::{ClientCommand, run as run_client};
pub use primary::{Crew, supervise};
pub use worker::{Assignment, Role};
