//! Operations on a rayon pool, for every row that offloads: the pool, and its arguments and those of its queue.
//!
//! Rows that offload differ in where their connections live; where their operations run is this, once. Refuses to know
//! what stands in front: it takes an operation and gives a future, which any runtime can wait for.

pub mod args;
mod offload;

pub use kit::offload::{Offloaded, RETRY_AFTER};
pub use offload::{Offload, Pool};
