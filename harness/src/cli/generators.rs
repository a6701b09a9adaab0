//! Arguments of `generators`.

use std::{path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use selftest::beside::{GeneratorsOptions, Part};

/// What `--help` ends with.
pub(super) const EXAMPLES: &str = "\
Examples:
  harness generators                              all of it, about eight minutes
  harness generators --only wrk --connections 64  the closed loop against wrk alone
  harness generators --only null-servers          the ceiling beside nginx and may_minihttp
  harness generators --markdown METHODOLOGY.md    the tables, written between that page's markers
  harness generators --own ./old/harness          another build of this generator

Other tools are used where they are installed: `apt install wrk`, `cargo install oha`, `apt install nginx`.";

/// Arguments of `generators`.
#[derive(Debug, Args)]
pub(crate) struct GeneratorsArgs {
    /// Pairs of windows of each comparison, and windows of whatever is not compared in pairs
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = within::whole(2..=100_u32))]
    pub pairs: u32,
    /// How long each window is, in whole seconds (wrk knows no others)
    #[arg(long, value_name = "S", default_value = "2s", value_parser = whole_seconds)]
    pub window: Duration,
    /// Connections of the closed loops, separated by commas
    #[arg(long, value_name = "N,...", value_delimiter = ',', default_values_t = [64, 1_000, 1],
        value_parser = within::whole(1..=50_000_u32))]
    pub connections: Vec<u32>,
    /// Only these parts, separated by commas
    #[arg(long, value_name = "PART,...", value_delimiter = ',')]
    pub only: Vec<PartName>,
    /// Program that offers `load`: another build of this one
    #[arg(long, value_name = "PROGRAM")]
    pub own: Option<PathBuf>,
    /// Write everything measured to this file
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
    /// Write the tables to this file: a new one, or between the markers of one that has them
    #[arg(long, value_name = "FILE")]
    pub markdown: Option<PathBuf>,
}

/// What can be measured by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum PartName {
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

impl From<GeneratorsArgs> for GeneratorsOptions {
    fn from(arguments: GeneratorsArgs) -> Self {
        let GeneratorsArgs { pairs, window, connections, only, own, export_json, markdown } = arguments;
        let only = only.into_iter().map(Part::from).collect();
        Self { pairs, window, connections, only, own, export_json, markdown }
    }
}

/// A window longer than this is a typing error.
const LONGEST_WINDOW: Duration = Duration::from_secs(600);

fn whole_seconds(text: &str) -> Result<Duration, String> {
    let window = within::time(Duration::from_secs(1)..=LONGEST_WINDOW)(text)?;
    if window.subsec_nanos() == 0 {
        Ok(window)
    } else {
        Err(format!("`{text}` is no whole number of seconds; give a time from 1s to 10m without a fraction"))
    }
}

impl From<PartName> for Part {
    fn from(name: PartName) -> Self {
        match name {
            PartName::Wrk => Self::Wrk,
            PartName::Oha => Self::Oha,
            PartName::Lag => Self::Lag,
            PartName::Arrivals => Self::Arrivals,
            PartName::NullServers => Self::NullServers,
            PartName::Memory => Self::Memory,
        }
    }
}
