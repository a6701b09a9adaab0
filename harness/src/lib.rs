//! The command line and its pipeline:
//! registry x scenarios -> plan -> per trial (start, verify, load and sample, stop, judge, record) -> report.
pub mod cli;
pub mod cpu_plan;
pub mod duration;
pub mod environment;
pub mod judge;
pub mod names;
pub mod progress;
pub mod record;
pub mod registry;
pub mod run_plan;
pub mod sample;
pub mod scenario;
pub mod workspace;
