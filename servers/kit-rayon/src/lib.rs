//! Operations on a rayon pool, for every row that offloads: the pool, its bounded queue, and the arguments of both.
//!
//! Rows that offload differ in where their connections live; where their operations run is this, once. Refuses to know
//! what stands in front: it takes an operation and gives a future, which any runtime can wait for.

pub mod args;
mod offload;
mod queue;

pub use offload::{Job, Offload, Offloaded, Pool, RETRY_AFTER};
pub use queue::Ticket;
