//! The command line: raw arguments in, validated values out. Only this module knows clap.

mod generators;
mod load;
mod merge;
mod quick;
mod selftest;
mod verify;

use std::{ffi::OsString, net::SocketAddr, path::PathBuf, time::Duration};

use clap::{Args, Parser, Subcommand};
use host::cpus::CpuSet;

pub use self::{
    generators::{GeneratorsArgs, Part},
    load::LoadArgs,
    merge::MergeArgs,
    quick::QuickArgs,
    selftest::{ScriptedArgs, SelftestArgs},
    verify::VerifyArgs,
};
use crate::{duration, registry::Row};

/// Races server architectures on this machine's cores and says what is true, how surely, and how far from the
/// ceiling.
#[derive(Debug, Parser)]
#[command(name = "harness", version, max_term_width = 100, after_help = EXIT_CODES)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

const EXIT_CODES: &str = "\
Exit codes:
  0    everything asked for was done
  1    something failed; the message, or the report, says what
  2    the command line, the registry or a scenario is wrong
  130  interrupted; finished trials are kept";

const BENCH_EXAMPLES: &str = "\
Examples:
  cargo bench-all                                     the usual rows, about a quarter of an hour
  cargo bench-all --all                               every row and every scenario
  cargo bench-all --list                              the rows and scenarios that there are
  cargo bench-all --dry-run                           the plan, and how long it would take
  cargo bench-all --scenario mixed --only work-stealing,rayon-offload
  cargo bench-all --only ceiling --with \"name=my,cmd=./my --port {port},ready=http\"
  cargo bench-all --trials 1 --duration 1s --out /tmp/lap     a quick look, without ranks
  cargo bench-all --seed 42                           the same order and the same arrivals again";

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Race the rows and leave a results folder with tables.
    #[command(after_help = BENCH_EXAMPLES)]
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
    /// Render the tables of a results folder again, from its records.
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
    /// Check the load generator against a scripted server that logs what it did.
    #[command(after_help = selftest::SELFTEST_EXAMPLES)]
    Selftest(SelftestArgs),
    /// Serve as a script says and log it: the other side of `selftest`.
    #[command(hide = true)]
    Scripted(ScriptedArgs),
    /// Run a program and end it, with all that it started, when stdin closes.
    #[command(hide = true)]
    Guard {
        /// The program and its arguments.
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        program: Vec<OsString>,
    },
}

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub struct BenchArgs {
    /// Only these rows (see --list), separated by commas
    #[arg(long, value_name = "ROW,...", value_delimiter = ',')]
    pub only: Vec<String>,
    /// Only these scenarios (see --list), separated by commas
    #[arg(long, value_name = "NAME,...", value_delimiter = ',')]
    pub scenario: Vec<String>,
    /// Also a server of your own, such as "name=my,cmd=./my --port {port},ready=http" (repeatable); without ready=http it is
    /// given --listen and --cpus and prints a ready line; operations=simple+complex where it has not all
    #[arg(long, value_name = "ROW", value_parser = Row::from_command_line)]
    pub with: Vec<Row>,
    /// Also the rows and scenarios that are for request alone
    #[arg(long, conflicts_with = "only")]
    pub all: bool,
    /// Trials of each row under each scenario: one a block
    #[arg(long, value_name = "N", default_value_t = 6, value_parser = clap::value_parser!(u32).range(1..=1000))]
    pub trials: u32,
    /// Measuring window of a trial (such as 500ms or 4s), instead of what the scenario says
    #[arg(long, value_name = "S", value_parser = window)]
    pub duration: Option<Duration>,
    /// Seed of the order of rows and of all arrivals; a new one each time where nothing is said
    #[arg(long, value_name = "N")]
    pub seed: Option<u64>,
    /// Results folder, instead of results/DATE-HOST
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the run that is in the results folder
    #[arg(long, requires = "out")]
    pub replace: bool,
    /// Registry of rows, instead of harness/servers.toml
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// Folder of scenarios, instead of harness/scenarios
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
    /// Race the rows without asking whether they keep the contract; the report says so
    #[arg(long)]
    pub unverified: bool,
    /// Print the plan and measure nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the rows and scenarios that there are
    #[arg(long)]
    pub list: bool,
}

/// Arguments of `report`.
#[derive(Debug, Args)]
pub struct ReportArgs {
    /// The results folder; the newest one of results/ where nothing is said
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
    /// Also write the tables of the newest run into results/README.md and README.md
    #[arg(long)]
    pub publish: bool,
}

/// Arguments of `check`.
#[derive(Debug, Args)]
pub struct CheckArgs {
    /// The results folder; where nothing is said, every one of results/ and the pages made from them
    #[arg(value_name = "DIR")]
    pub folder: Option<PathBuf>,
}

/// A window shorter than this holds too few requests to say anything, and is mostly edges.
const SHORTEST_WINDOW: Duration = Duration::from_millis(100);
/// A window longer than this is a typing error.
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);

fn window(text: &str) -> Result<Duration, String> {
    let window = duration::parse(text)?;
    if (SHORTEST_WINDOW..=LONGEST_WINDOW).contains(&window) {
        Ok(window)
    } else {
        Err(format!("a window of {window:?} is not between {SHORTEST_WINDOW:?} and {LONGEST_WINDOW:?}"))
    }
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
            ("--trials", "0", "1..=1000"),
            ("--duration", "1us", "not between 100ms and 3600s"),
            ("--duration", "soon", "`soon` is no duration"),
            ("--seed", "-1", "invalid digit"),
        ] {
            let error =
                Cli::try_parse_from(["harness", "bench", &format!("{argument}={value}")]).unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
        }
    }
}
