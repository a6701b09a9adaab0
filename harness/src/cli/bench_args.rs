//! What `harness bench` is told.

use std::{path::PathBuf, str::FromStr as _, time::Duration};

use clap::Args;
use client::load_command::values;
use race::{
    plan::{load_line::LoadLine, objective::Objective},
    registry::Row,
};

use super::server_host::ServerHostArgs;

pub(super) const EXAMPLES: &str = "\
Examples:
  cargo bench-all                                     the usual rows, about a quarter of an hour
  cargo bench-all --all                               every row and every scenario, in an hour
  cargo bench-all --list                              the rows and scenarios that there are
  cargo bench-all --dry-run                           the plan, and how long it would take
  cargo bench-all --scenario mixed --only work-stealing,rayon-offload
  cargo bench-all --scenario churn,skew               further loads: `churn` is churn-1 and churn-10
  cargo bench-all --only ceiling --with \"name=my,cmd=./my --port {port},ready=http\"
  cargo bench-all --budget 2m --out /tmp/lap          a quick look, without places
  cargo bench-all --profile publish                   ten starts of six rounds and more, about half an hour
  cargo bench-all --load \"simple=900/s, complex(5ms)=240/s\" --objective \"simple p99<5ms\"
                                                      your own load: who holds it, and how much more
  cargo bench-all --scenario curve --objective \"p99<10ms\"
                                                      latency against throughput, and up to which rate
  cargo bench-all --scenario crash,reload --profile quick
                                                      experiments: each row alone, six events of a kind
  cargo bench-all --server-host me@node1              the servers on another host, and the load from here
  cargo bench-all --server-host me@node1 --generator-host me@node2 --generator-host me@node3
                                                      the load from two other hosts, which make half each
  cargo bench-all --resume results/2026-11-21-host    goes on where that run was ended
  cargo bench-all --seed 42                           the same order and the same arrivals again

A start is one life of all servers; in it, every row is measured once a round, in random order, for a fraction of a second, while
all others stand still. Starts are what is compared: six are the least for places. How many there are is fixed beforehand.

A load is operations with their rates, separated by commas: simple=900/s, or complex(5ms)=240/s of requests that take 5 ms each
(complex, randoms, delay). It is raced as it is said and, for how much room there is, at 0.5, 1.4 and 2 times that, in six starts where
nothing else is said; --print-scenario writes it as a file for harness/scenarios/, which --scenario races again. An objective is a
percentile (p50, p90, p95, p99, p99.9) of a stream and what it is to be below: simple p99<5ms.

Experiments (crash, reload) come last and take their own time, whatever the budget: one row at a time is alive, alone, and things happen to
it under load.";

/// Arguments of `bench`.
#[derive(Debug, Args)]
pub(crate) struct BenchArgs {
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
    /// Also the rows and scenarios that are for request alone, but for experiments, which are asked for by name
    #[arg(long, conflicts_with = "only")]
    pub all: bool,
    /// A load of your own instead of scenarios, such as "simple=900/s, complex(5ms)=240/s"
    #[arg(long, value_name = "LOAD", value_parser = LoadLine::from_str, conflicts_with = "scenario", help_heading = "Your own load")]
    pub load: Option<LoadLine>,
    /// What is wanted, such as "simple p99<5ms": which rows hold it is said, and up to which rate where a scenario has several
    #[arg(long, value_name = "OBJECTIVE", value_parser = Objective::from_str, help_heading = "Your own load")]
    pub objective: Option<Objective>,
    /// Connections in all, in equal shares of the load's parts; 64 a part where nothing is said
    #[arg(long, value_name = "N", requires = "load", value_parser = within::whole(1..=1_000_000_u32), help_heading = "Your own load")]
    pub connections: Option<u32>,
    /// Close each connection after so many requests, and open another
    #[arg(long, value_name = "N", requires = "load", value_parser = within::whole(1..=1_000_000_u32), help_heading = "Your own load")]
    pub churn: Option<u32>,
    /// Requests for so long, then none for so long, and again, such as 100ms,400ms; the load's rates stay the mean over both (of
    /// `harness load --bursts` they are those within a burst)
    #[arg(long, alias = "bursts", value_name = "ON,OFF", requires = "load", value_parser = values::bursts, help_heading = "Your own load")]
    pub burst: Option<values::Bursts>,
    /// Print the load as a scenario in TOML, and measure nothing
    #[arg(long, requires = "load", help_heading = "Your own load")]
    pub print_scenario: bool,
    /// How long measuring may take: as many starts of all servers as fit, with fewer rounds where these would be fewer than places need
    /// [default: 12m; an hour with --all alone; with --load six starts]
    #[arg(long, value_name = "TIME", value_parser = within::time(SHORTEST_BUDGET..=LONGEST_BUDGET))]
    pub budget: Option<Duration>,
    /// How thorough: `publish` has ten starts of at least six rounds, however long that takes; `quick` two starts, and six events of a kind
    /// in experiments
    #[arg(long, value_enum, conflicts_with = "budget")]
    pub profile: Option<Thoroughness>,
    /// How often all servers are started, instead of what fits the budget; of experiments alone, passes of each row, instead of one
    #[arg(long, value_name = "N", conflicts_with = "budget", value_parser = within::whole(1..=1000_u32))]
    pub starts: Option<u32>,
    /// Rounds of each start under each scenario, instead of what the scenario says
    #[arg(long, value_name = "N", value_parser = within::whole(1..=1000_u32))]
    pub rounds: Option<u32>,
    /// Trials are gone: what became of them is said
    #[arg(long, hide = true, value_name = "N")]
    pub trials: Option<String>,
    /// Measuring window (such as 150ms or 1s), instead of what the scenario says
    #[arg(long, value_name = "S", value_parser = within::time(SHORTEST_WINDOW..=LONGEST_WINDOW))]
    pub duration: Option<Duration>,
    /// Seed of the order of rows and of all arrivals; a new one each time where nothing is said
    #[arg(long, value_name = "N", value_parser = within::whole(0..=u64::MAX))]
    pub seed: Option<u64>,
    /// Results folder, instead of results/DATE-HOST
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the run that is in the results folder
    #[arg(long, requires = "out")]
    pub replace: bool,
    /// Go on with the run in this folder, which was ended early: its plan, its programs and its host must be the same
    #[arg(long, value_name = "RUN", conflicts_with_all = ["only", "scenario", "load", "objective", "with", "all", "budget", "profile", "starts", "rounds", "duration", "seed", "out", "unverified", "rehearsal"])]
    pub resume: Option<PathBuf>,
    /// Registry of rows, instead of harness/servers.toml
    #[arg(long, value_name = "FILE")]
    pub registry: Option<PathBuf>,
    /// Folder of scenarios, instead of harness/scenarios
    #[arg(long, value_name = "DIR")]
    pub scenarios: Option<PathBuf>,
    /// Race the rows without asking whether they keep the contract; the report says so
    #[arg(long)]
    pub unverified: bool,
    /// Measure although another run measures on this host: each then measures the other as well
    #[arg(long)]
    pub beside_others: bool,
    /// Race debug builds, to see that a race works: the figures mean nothing, and are never published
    #[arg(long, hide = true)]
    pub rehearsal: bool,
    /// Print the plan and measure nothing
    #[arg(long)]
    pub dry_run: bool,
    /// Print the rows and scenarios that there are
    #[arg(long)]
    pub list: bool,
    #[command(flatten)]
    pub servers: ServerHostArgs,
}

/// How thorough a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Thoroughness {
    /// Good enough for results/: ten starts of at least six rounds
    Publish,
    /// To see whether all works: two starts, and six events of a kind
    Quick,
}

/// A window shorter than this holds too few requests to say anything, and is mostly edges.
const SHORTEST_WINDOW: Duration = Duration::from_millis(50);
/// A window longer than this is a typing error.
const LONGEST_WINDOW: Duration = Duration::from_secs(3600);
/// A budget shorter than this cannot be meant.
const SHORTEST_BUDGET: Duration = Duration::from_secs(1);
/// Nor one longer than this: a week.
const LONGEST_BUDGET: Duration = Duration::from_secs(7 * 24 * 3600);
