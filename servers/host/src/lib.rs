//! What servers and harness both know of the machine.
//!
//! CPU lists and masks, scheduling classes, the ready line by which a server says that it accepts, and how a

pub mod class;
pub mod cpus;
pub mod processes;
pub mod ready;
