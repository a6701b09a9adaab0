//! The generator as a command: `load` for one run of it, `quick` for what `artillery quick` does, `merge` for what several
//! generators recorded.
//!
//! It knows no rows, scenarios or results folders.

mod connecting;
pub mod target;

pub mod load_command;
pub mod merge;
pub mod quick;
