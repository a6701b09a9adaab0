//! Hosts that are namespaces of this machine, for tests of what runs on several: a [`Site`] of four, with links that can be cut.
//!
//! A host has a network, processes, a name, a boot id and mounts of its own, and a link to a bridge; all share one kernel, its
//! clock, and a folder. Nothing of a site has a name outside of it: bridge and folder belong to one of its hosts, and a host
//! is held by a shell that ends when this process does, however it does. The kernel then takes processes, links and mounts with it,
//! so that there is nothing that a later run would have to find and remove.
//!
//! It knows nothing of what is tested on them.

#![warn(clippy::print_stderr, clippy::print_stdout)]

mod keys;
mod machine;
mod running;
mod site;
mod slurm;
mod wanted;

pub use machine::{Machine, Process};
pub use running::{Daemon, Ran, Running, until};
pub use site::Site;
pub use slurm::Slurm;
pub use wanted::{ANSIBLE, FAKETIME, HOSTS, SLURM, Wanted, missing};
