//! Arguments of `load` that make it one part among several.

use std::{path::PathBuf, time::Duration};

use clap::Args;
use load::Share;

use client::{
    clock::Offset,
    load_command::{part::MOST_PARTS, values, wanted::PartsOptions},
};

use super::clock::WayArgs;

/// Which part a load is, and how it meets the others.
#[derive(Debug, Args)]
pub(crate) struct PartsArgs {
    /// Make one part of the load, numbered from 0: 0/3 is the first of three, 2/3 the last. Rate, connections and requests are those
    /// of all parts together. Files are named after the part [default: by SLURM_PROCID and SLURM_NTASKS; else the whole]
    #[arg(long, value_name = "I/N", value_parser = values::part, help_heading = "Parts of a load")]
    pub part: Option<Share>,
    /// How many parts there are, where SLURM_PROCID or JOB_COMPLETION_INDEX says which of them this is
    #[arg(long, value_name = "N", conflicts_with = "part", value_parser = within::whole(1..=MOST_PARTS), help_heading = "Parts of a load")]
    pub parts: Option<u32>,
    /// The folder, shared by all parts and empty, in which they agree on seed and start and leave what they found; see harness merge
    #[arg(long, value_name = "DIR", conflicts_with = "requests", help_heading = "Parts of a load")]
    pub gather: Option<PathBuf>,
    /// How long the other parts are waited for, before the start and after the end. A part that gives no sign of life for as long, or
    /// for 15s, is given up in between
    #[arg(long, value_name = "TIME", default_value = "1m", requires = "gather", value_parser = values::time, help_heading = "Parts of a load")]
    pub gather_within: Duration,
    /// How long after the last part is ready the load begins: they learn of it and open their connections meanwhile
    #[arg(long, value_name = "TIME", default_value = "5s", requires = "gather", conflicts_with = "start_at", value_parser = values::time, help_heading = "Parts of a load")]
    pub gather_lead: Duration,
    /// Several parts may be on one host, where they compete for its CPUs and ports
    #[arg(long, requires = "gather", help_heading = "Parts of a load")]
    pub share_host: bool,
    /// Hosts share no folder: each part leaves what it found in one of its own and waits for nobody. Bring all of them into one before
    /// harness merge; seed and start are said to all
    #[arg(
        long,
        requires = "gather",
        requires = "seed",
        requires = "start_at",
        help_heading = "Parts of a load"
    )]
    pub apart: bool,
    /// Ask this host, through ssh, how far its clock is from this one, before and after the load: the host of part 0, or one for all
    #[arg(long, value_name = "HOST", conflicts_with = "clock_offset", help_heading = "Parts of a load")]
    pub clock_against: Option<String>,
    /// The same where it is known: how far that clock is ahead of this one, and within what, such as -1.5ms,200us
    #[arg(long, value_name = "OFFSET,BOUND", allow_hyphen_values = true, value_parser = values::clock_offset, help_heading = "Parts of a load")]
    pub clock_offset: Option<Offset>,
    #[command(flatten)]
    pub way: WayArgs,
}

impl From<PartsArgs> for PartsOptions {
    fn from(arguments: PartsArgs) -> Self {
        let PartsArgs {
            part,
            parts,
            gather,
            gather_within,
            gather_lead,
            share_host,
            apart,
            clock_against,
            clock_offset,
            way,
        } = arguments;
        Self {
            part,
            parts,
            gather,
            gather_within,
            gather_lead,
            share_host,
            apart,
            clock: way.clock(clock_against, clock_offset),
        }
    }
}
