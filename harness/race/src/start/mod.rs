//! One start: all servers of a group of scenarios are started, checked, warmed and frozen; then round after round, every row once, one of
//! them is thawed, loaded for a window, and frozen again.
//!
//! What slows the machine for longer than a round strikes all rows of it. What a life gives a server (its memory, its connections, its
//! CPUs) is drawn anew with every start, which is why the start is what is repeated, and what is compared.

pub mod server;

pub mod failed;
pub mod group;
pub mod kept;

pub mod round;
