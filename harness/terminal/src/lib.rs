//! What the person at the terminal says and sees: names and commands as they are typed, numbers as they are read, the
//! characters that can be shown, progress, interrupts, files that are named on the command line, and how a command ended.
//!
//! It knows nothing of what is measured.

pub mod charset;
pub mod names;
pub mod shell;

pub mod numbers;
pub mod outcome;
pub mod output;
pub mod progress;

pub mod interrupt;
