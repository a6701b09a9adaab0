//! What the person at the terminal says and sees: names as they are typed, numbers as they are read, progress,
//! interrupts, files that are named on the command line, and how a command ended.
//!
//! It knows nothing of what is measured.

pub mod names;

pub mod numbers;
pub mod outcome;
pub mod output;
pub mod progress;

pub mod interrupt;
