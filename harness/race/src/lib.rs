//! One run, from the plan to the records.
//!
//! ```text
//! registry x scenarios -> plan -> per start: start all, check, warm, freeze
//!                                   per round: thaw one, load it and account for it, judge, record, freeze
//!                                   stop all
//! ```
//!
//! It measures across a process boundary: it knows rows, which are data, and never a server.

// A print macro panics where nothing can be written: `terminal::streams` is the one way.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod schema;

pub mod registry;

pub mod plan;
pub mod programs;

pub mod machine;

pub mod server_host;

pub mod records;

pub mod generators;
pub mod measure;
pub mod verify;

pub mod start;

pub mod experiment;

pub mod run;

#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
