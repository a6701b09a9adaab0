//! `harness selftest`: the instrument against a truth that it did not make.
//!
//! A scripted server, a process of its own, delays its answers by a known law or spoils them in known ways, and logs what
//! it did. The generator loads it. What the generator reports must agree with the log, and, where the script is a
//! queue, with queueing theory as far as chance allows.
//!
//! From the script to the verdict: [`script`] is what both sides know; `server` follows it and writes a `log`; a `case`
//! says what load meets which script; `attempt` runs it; `judge` compares, row by row (`check`), with `queue`'s
//! theory where there is one; `report` prints.
//!
//! The comparison of rows is checked likewise, by [`known_answers`], against servers with [`planted`] differences.

// A print macro panics where nothing can be written: `terminal::streams` is the one way.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod beside;

mod attempt;
mod case;
mod check;
mod clock;
mod judge;
pub mod known_answers;
mod log;
mod observed;
pub mod planted;
mod provenance;
mod queue;
mod random;
mod report;
mod run;
pub mod script;
pub mod server;

pub use check::{Check, Unit, Verdict};
pub use log::LogError;
pub use observed::Disturbance;
pub use report::{CaseReport, Report};
pub use run::{ScriptedOptions, SelftestOptions, scripted, selftest};
pub use script::{CaseName, Length, Script};
