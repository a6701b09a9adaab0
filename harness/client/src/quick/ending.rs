//! How a run of `quick` ended.

use std::{fmt, time::Duration};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// A person ended it.
    pub(super) interrupted: bool,
    /// How long it took.
    pub(super) took: Duration,
    /// How many users there should have been.
    pub(super) planned: u32,
    /// How many arrived.
    pub(super) arrived: u32,
    /// How many of these had neither completed nor failed at the end.
    pub(super) under_way: u32,
}

/// What is missing from an interrupted run.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { planned, arrived, under_way, .. } = self;
        write!(f, "{arrived} of {planned} users had arrived, {under_way} not done")
    }
}
