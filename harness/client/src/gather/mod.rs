//! Several generators as one: how the parts of a load meet in a folder that all of them see, begin together, and leave what they
//! found. Whoever starts them (Slurm, Kubernetes, Ansible, a shell) only has to start them.
//!
//! It knows files. What a load is and how it is made it does not know; [`agreed`] alone reads a plan, to compare it.

pub mod error;
pub mod names;

pub mod folder;
pub mod records;
mod token;

pub mod agreed;

mod plan;
mod signs;
mod wait;
pub mod wanted;

pub mod meeting;

#[cfg(test)]
mod tests;
