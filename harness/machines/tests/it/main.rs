//! Loads of several hosts for real: over ssh, under Slurm, by Ansible, with clocks that are off, hosts that die and links that are cut.
//!
//! `just test-machines` runs them, as root. `cargo test` alone leaves out what makes hosts, since that takes minutes, and says so.

mod loads;
mod scene;

mod ansible;
mod clocks;
mod ends;
mod kubernetes;
mod losses;
mod parts;
mod races;
mod slurm;
