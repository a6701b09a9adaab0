//! Whether rows keep the contract. A server that is fast because it is wrong has no score.
//!
//! ```text
//! row -> build -> start -> play the suite (or the cache) -> judge by tier -> compare controlled rows -> table, JSON
//! ```
//!
//! `bench` passes this gate before it measures, and `harness verify` is the gate by itself. What is required is the suite's to
//! say (`conformance`); here is only what each tier owes.

pub mod play;

pub mod judgement;
#[cfg(test)]
mod judgement_tests;
pub mod verdict;

pub mod agree;

pub mod cache;
pub mod gate;

pub mod listing;
pub mod table;
