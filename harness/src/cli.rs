//! The command line: raw arguments in, validated values out. Only this module knows clap.

pub(crate) mod bench;
mod generators;
mod list;
mod load;
mod merge;
mod quick;
pub(crate) mod report;
pub(crate) mod selftest;
pub(crate) mod verify;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf};

use clap::{Parser, Subcommand};
use host::cpus::CpuSet;

use self::{
    bench::BenchArgs,
    generators::GeneratorsArgs,
    load::LoadArgs,
    merge::MergeArgs,
    quick::QuickArgs,
    report::{CheckArgs, ReportArgs},
    selftest::{PlantedArgs, ScriptedArgs, SelftestArgs},
    verify::VerifyArgs,
};

/// Races server architectures on this machine's cores and says what is true, how surely, and how far from the
/// ceiling.
#[derive(Debug, Parser)]
#[command(name = "harness", version, max_term_width = 100, after_help = EXIT_CODES)]
pub(crate) struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    everything asked for was done
  1    something failed; the message, or the report, says what
  2    the command line, the registry or a scenario is wrong
  3    everything was done, and what was printed did not all arrive: its reader did not read, or
       its disk is full (a reader that closes it, such as head, has what it wanted)
  130  interrupted (Ctrl-C, SIGTERM, SIGHUP); finished starts are kept";

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Race the rows and leave a results folder with tables.
    #[command(after_help = bench::EXAMPLES)]
    Bench(BenchArgs),
    /// Play the conformance suite against the rows, and say which keep the contract.
    #[command(after_help = verify::EXAMPLES)]
    Verify(VerifyArgs),
    /// Load one server, and say what its answers took and how far the figures can be trusted.
    #[command(after_help = load::LOAD_EXAMPLES)]
    Load(Box<LoadArgs>),
    /// Run C users who send N requests each: what `artillery quick` does, with the same report.
    #[command(after_help = quick::EXAMPLES)]
    Quick(QuickArgs),
    /// Add up what several generators recorded, and take percentiles from the sum.
    #[command(after_help = merge::MERGE_EXAMPLES)]
    Merge(MergeArgs),
    /// Render the tables of a results folder again, from its records; publish a run.
    #[command(after_help = report::EXAMPLES)]
    Report(ReportArgs),
    /// Check that a results folder is whole and that its tables are what its records say.
    Check(CheckArgs),
    /// Measure this load generator beside wrk and oha, and the null server beside nginx and may_minihttp.
    #[command(after_help = generators::EXAMPLES)]
    Generators(GeneratorsArgs),
    /// Serve constant answers and write down when each request arrived.
    #[command(hide = true)]
    ArrivalLog {
        /// Where to listen
        #[arg(long, value_name = "ADDRESS:PORT")]
        listen: SocketAddr,
        /// The CPUs to keep to, one of which is polled without pause
        #[arg(long, value_name = "LIST")]
        cpus: CpuSet,
        /// Where the arrivals go at the end, nanoseconds of CLOCK_MONOTONIC, one a line
        #[arg(long, value_name = "FILE")]
        log: PathBuf,
    },
    /// Check the load generator against a scripted server that logs what it did, or the comparison against planted differences.
    #[command(after_help = selftest::SELFTEST_EXAMPLES)]
    Selftest(SelftestArgs),
    /// Serve as a script says and log it: the other side of `selftest`.
    #[command(hide = true)]
    Scripted(ScriptedArgs),
    /// Serve as the null server does, but for a planted difference: the other side of `selftest --comparison`.
    #[command(hide = true)]
    Planted(PlantedArgs),
    /// Run a program and end it, with all that it started, when stdin closes.
    #[command(hide = true)]
    Guard {
        /// The program and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        Cli::command().debug_assert();
    }

    #[test]
    fn wrong_numbers_are_refused_by_name() {
        for (argument, value, expected) in [
            ("--starts", "0", "1..=1000"),
            ("--budget", "soon", "`soon` is no duration"),
            ("--duration", "1us", "not between 50ms and 3600s"),
            ("--duration", "soon", "`soon` is no duration"),
            ("--seed", "-1", "invalid digit"),
        ] {
            let error =
                Cli::try_parse_from(["harness", "bench", &format!("{argument}={value}")]).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
