//! What a person wants of `generators`.

use std::{path::PathBuf, time::Duration};

/// Which comparisons, and how long.
#[derive(Clone, Debug)]
pub struct GeneratorsOptions {
    /// Pairs of windows of each comparison, and windows of whatever is not compared in pairs
    pub pairs: u32,
    /// How long each window is, in whole seconds (wrk knows no others)
    pub window: Duration,
    /// Connections of the closed loops, separated by commas
    pub connections: Vec<u32>,
    /// Only these parts, separated by commas
    pub only: Vec<Part>,
    /// Program that offers `load`: another build of this one
    pub own: Option<PathBuf>,
    /// Write everything measured to this file
    pub export_json: Option<PathBuf>,
    /// Write the tables to this file: a new one, or between the markers of one that has them
    pub markdown: Option<PathBuf>,
}
/// A part of the comparison.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// The closed loop against wrk
    Wrk,
    /// The closed loop against oha
    Oha,
    /// How late the open loop sends, by its own account
    Lag,
    /// How evenly open loops send, as a server sees it
    Arrivals,
    /// The ceiling beside other null servers
    NullServers,
    /// Memory with 10,000 connections
    Memory,
}

impl GeneratorsOptions {
    /// Whether `part` is to be measured.
    pub fn wants(&self, part: Part) -> bool {
        self.only.is_empty() || self.only.contains(&part)
    }
}
