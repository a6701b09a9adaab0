//! The pages that are made from runs: the files of a run's folder, and those that show what is published.

pub mod check;
pub mod files;
pub mod generated;
mod hdr;
pub mod publish;
pub mod published;
pub mod reservation;
pub mod runs;
