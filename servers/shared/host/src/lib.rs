//! What servers and harness both know of the machine.
//!
//! CPU lists, masks and quotas, scheduling classes, the ready line by which a server says that it accepts, output that may be
//! lost, and how a process is launched, watched, frozen and ended, and by its clock what CPU time it used; of foreign programs,
//! whether they answer, and of a peer, whether it is there. This crate knows no runtime and no measurement, and of HTTP nothing
//! but how an answer begins.

pub mod answering;
mod cgroup;
pub mod class;
pub mod cpu_clock;
pub mod cpus;
pub mod footprint;
pub mod freeze;
pub mod guard;
pub mod launch;
pub mod lossy;
pub mod members;
pub mod open_files;
pub mod orphans;
pub mod parent;
pub mod peer;
pub mod processes;
pub mod program;
pub mod quota;
pub mod ready;
pub mod tether;
pub mod usage;
pub mod waker;
