//! What the person at the terminal says and sees: names and commands as they are typed, numbers as they are read, what is printed and in
//! which characters, progress, interrupts, files that are named on the command line, and how a command ended.
//!
//! It knows nothing of what is measured.

// A print macro panics where nothing can be written: `terminal::streams` is the one way.
#![warn(clippy::print_stderr, clippy::print_stdout)]

pub mod charset;
pub mod names;
pub mod shell;

pub mod numbers;

// What is printed, which neither fails nor waits.
mod stop;
mod writer;

pub mod streams;

pub mod interrupt;
pub mod outcome;
pub mod progress;

// Files.
mod place;
mod replace;

pub mod output;
