//! The host that servers run on, and all that is done to a server there: it is started, weighed, accounted for, frozen, let go on and
//! ended. What is asked of it, and the load on it, goes over the network, wherever it is.

pub mod running;

pub mod this_host;

pub mod error;

mod brought;
pub mod lines;

mod making;
mod probe;

pub mod agent;
pub mod command;

pub mod link;
pub mod other_host;
pub mod ssh;

pub mod reached;
