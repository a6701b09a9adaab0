//! Starts the fork-per-core server: the primary, which starts this same program again for each worker.

use std::process::ExitCode;

use clap::Parser;
use fork_per_core::{Listeners, run, work};
use kit::{args, signals, start};
use supervisor::{Role, Rules};

/// A primary and one worker process per core
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    #[command(flatten)]
    pinning: args::Pinning,

    #[command(flatten)]
    rules: Rules,

    #[command(flatten)]
    role: Role,
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.into_config()?;
        start::keep_to_cpus(&config)?;
        match arguments.role.assignment() {
            Some(assignment) => {
                let stopping = signals::install(Some(config.limits.drain_timeout))
                    .map_err(start::Error::system("handle stop signals"))?;
                work(&config, arguments.pinning.or(false), assignment, stopping)
            }
            None => {
                let listeners = Listeners::open(config.listen, config.workers)?;
                // The primary keeps the deadline for its workers and ends after them.
                let stopping = signals::install(None).map_err(start::Error::system("handle stop signals"))?;
                run(&config, arguments.rules, listeners, &stopping)
            }
        }
    })
}
