//! The command line and its pipeline.
//!
//! ```text
//! registry x scenarios -> plan -> per trial: start, check, load and sample, stop, judge, record -> report
//! ```
//!
//! The harness measures across a process boundary: it knows rows, which are data, and never a server.

pub mod cli;
pub mod failure;

pub mod registry;
pub mod scenario;
pub mod workspace;

pub mod bench;
pub mod load_command;
pub mod merge;
pub mod published;
pub mod quick;
pub mod verify;

pub mod cpu_plan;
pub mod prerequisites;
mod programs;
mod run;
pub mod run_plan;

pub mod answers;
pub mod builder;
pub mod calibrate;
pub mod context;
pub mod drive;
pub mod instance;
pub mod interrupt;
pub mod judge;
pub mod progress;
pub mod resolve;
pub mod sample;
pub mod soundness;
pub mod trial;

pub mod generators;
pub mod selftest;

pub mod environment;
pub mod folder;
pub mod record;
pub mod report;

pub mod duration;
pub mod names;
pub mod output;
pub mod target;
