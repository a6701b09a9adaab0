//! Worker processes and the primary that starts them, replaces those that exit, and ends them all.
//!
//! A worker is the same program again, told by two hidden arguments that it is one ([`Role`]): never a fork of a process
//! that has threads. Primary and worker share three things, and each is made on one side and met on the other here:
//! - a channel, which is the worker's standard input and output: the one way to pass exactly one descriptor to exactly one child
//!   without any other ever seeing it, and to talk with it later;
//! - the memory in which all workers count ([`kit::cluster`]);
//! - its life, which ends with the primary's, however that ends.
//!
//! What is decided is apart from how it is done: `machine` takes events and gives actions, and calls nothing; `primary` waits, asks and
//! acts, on one thread.
//!
//! Besides the one descriptor that each worker begins with, a primary may be offered others while it runs, each for any of the workers
//! ([`Offers`]). A worker asks for the next one when it has taken the last.
//!
//! Refuses to know what the descriptors are, what a worker does with them, HTTP, and runtimes. Of kit it knows
//! [`Shutdown`](kit::shutdown::Shutdown), errors, signals, counters and workers' names, so that a server has one kind of each.

mod channel;
mod clock;
mod control;
mod logs;
mod machine;
mod offers;
mod primary;
mod process;
mod program;
mod rules;
mod systemd;
mod watch;
mod worker;

pub use control::client::{ClientCommand, run as run_client};
pub use offers::{Offer, Offers, Taker};
pub use primary::{Crew, supervise};
pub use rules::{Mode, Patience, Rules};
pub use systemd::{HandedError, listeners as handed_listeners};
pub use worker::{Assignment, Begun, Channel, Role, Task};
