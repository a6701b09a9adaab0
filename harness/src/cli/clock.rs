//! Arguments of `clock`, and of what reaches another host's clock.

use std::{ffi::OsString, path::PathBuf, time::Duration};

use clap::Args;

use client::{
    clock::{Clock, ClockOptions, EXCHANGES, Offset, Reach},
    load_command::values,
};

/// Shown below the help of `clock`.
pub(super) const CLOCK_EXAMPLES: &str = "\
Examples:
  harness clock node1                         how far the clock of node1 is from this one
  harness clock me@node1 --exchanges 500      asked more often: the least round trip is the bound

The host is asked through ssh, without a question, and runs a harness of the same revision there.
Each exchange has four timestamps: asked, received, answered, heard. Half of the least round trip
bounds the offset, whichever way took longer. Clocks are never set.";

/// How long each answer may take.
const WITHIN: Duration = Duration::from_secs(10);

/// Arguments of `clock`.
#[derive(Debug, Args)]
pub(crate) struct ClockArgs {
    /// The host, as ssh names it
    #[arg(value_name = "HOST")]
    pub host: String,
    /// How often it is asked
    #[arg(short = 'n', long, value_name = "N", default_value_t = EXCHANGES, value_parser = within::whole(1..=100_000_u32))]
    pub exchanges: u32,
    /// How long each answer may take, the first with the connection
    #[arg(long, value_name = "TIME", default_value = "10s", value_parser = values::time)]
    pub within: Duration,
    #[command(flatten)]
    pub way: WayArgs,
    /// Write what it said as JSON
    #[arg(long, value_name = "FILE")]
    pub export_json: Option<PathBuf>,
}

/// How a harness on another host is reached.
#[derive(Debug, Args)]
pub(crate) struct WayArgs {
    /// The ssh client, whose own configuration says users, ports and keys
    #[arg(long, value_name = "PROGRAM", default_value = "ssh", help_heading = "Other hosts")]
    pub ssh: OsString,
    /// The harness there, where it is not on the PATH: a path, from the home folder where it is not absolute
    #[arg(long, value_name = "PROGRAM", default_value = "harness", help_heading = "Other hosts")]
    pub there: String,
}

impl WayArgs {
    fn to(self, host: String, within: Duration) -> Reach {
        let Self { ssh, there } = self;
        Reach { host, ssh, there, within }
    }

    /// By which clock a load's window is written down.
    pub(super) fn clock(self, against: Option<String>, given: Option<Offset>) -> Clock {
        match (against, given) {
            (Some(host), _) => Clock::Against(self.to(host, WITHIN)),
            (None, Some(offset)) => Clock::Given(offset),
            (None, None) => Clock::Own,
        }
    }
}

impl From<ClockArgs> for ClockOptions {
    fn from(arguments: ClockArgs) -> Self {
        let ClockArgs { host, exchanges, within, way, export_json } = arguments;
        Self { reach: way.to(host, within), exchanges, export_json }
    }
}
