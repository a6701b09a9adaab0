//! What every server shares, whatever its runtime.
//!
//! Arguments, listeners and socket options, the HTTP service with its policy, limits and timeouts, the accept loop,
//! the drain and the counters are here once, so that two rows differ only in where connections live
//! ([`runtime::Runtime`]) and where operations run ([`execute::Execute`]).
//!
//! kit refuses to know any runtime: nothing here names tokio, glommio or a certain thread pool. What a runtime must offer
//! is the trait in [`runtime`]; what hyper needs of it are hyper's own `rt` traits.

pub mod args;
pub mod failure;
pub mod start;

pub mod accept;
mod drain;
pub mod listen;
mod members;
pub mod runtime;

mod class;
pub mod connection;
pub mod date;
pub mod framing;
pub mod page;
pub mod policy;
pub mod service;
pub mod site;
pub mod strict;

pub mod execute;
pub mod offload;
pub mod worker;

pub mod cluster;
mod counters;
pub mod metrics;
pub mod shutdown;
pub mod signals;

mod allocator;
