//! The generator as a command: `load` for one run of it, or for a part of one that others make with it (`gather`); `clock` for how far
//! their clocks are apart; `quick` for what `artillery quick` does; `merge` for what several generators recorded.
//!
//! It knows no rows, scenarios or results folders.

// A print macro panics where nothing can be written: `terminal::streams` is the one way.
#![warn(clippy::print_stderr, clippy::print_stdout)]

mod connecting;
pub mod target;

pub mod clock;

pub mod gather;
pub mod load_command;
pub mod merge;
pub mod quick;
