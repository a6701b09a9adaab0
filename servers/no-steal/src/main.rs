//! Starts the no-steal server.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use kit::{args, listen, signals, start};

/// One acceptor that gives connections to runtimes of a single thread, which steal nothing
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    #[command(flatten)]
    pinning: args::Pinning,

    /// Which worker gets the next connection
    #[arg(long, env = "SERVER_BALANCE", value_enum, default_value = "round-robin", value_name = "HOW")]
    balance: Balance,
}

#[derive(Clone, Copy, ValueEnum)]
enum Balance {
    /// Each in turn
    RoundRobin,
    /// The one with the fewest operations in flight, then with the fewest connections
    LeastLoaded,
}

impl From<Balance> for no_steal::Balance {
    fn from(balance: Balance) -> Self {
        match balance {
            Balance::RoundRobin => Self::RoundRobin,
            Balance::LeastLoaded => Self::LeastLoaded,
        }
    }
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.into_config()?;
        start::keep_to_cpus(&config)?;
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        no_steal::run(&config, arguments.balance.into(), arguments.pinning.or(false), listener, stopping)
    })
}
