//! One run, from the plan to the records.
//!
//! ```text
//! registry x scenarios -> plan -> per trial: start, check, load and sample, stop, judge, record
//! ```
//!
//! It measures across a process boundary: it knows rows, which are data, and never a server.

pub mod registry;

pub mod plan;
pub mod programs;

pub mod machine;
pub mod sample;

pub mod records;

pub mod trial;
pub mod verify;

pub mod run;

#[cfg(any(test, feature = "fixtures"))]
pub mod fixtures;
