//! What a run leaves: its folder, and what the files in it hold.

pub mod conformance;
pub mod environment;
pub mod record;

pub mod folder;
