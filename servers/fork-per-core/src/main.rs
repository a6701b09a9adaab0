//! Starts the fork-per-core server: the primary, which starts this same program again for each worker. Or asks a primary that runs.

use std::{num::NonZeroUsize, process::ExitCode};

use clap::Parser;
use fork_per_core::{Listeners, SERVER, run, work};
use kit::{
    args, signals,
    start::{self, Error},
};
use supervisor::{ClientCommand, Mode, Role, Rules, handed_listeners, run_client};

/// A primary and one worker process per core
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES, args_conflicts_with_subcommands = true)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    #[command(flatten)]
    pinning: args::Pinning,

    #[command(flatten)]
    rules: Rules,

    #[command(flatten)]
    role: Role,

    #[command(subcommand)]
    command: Option<ClientCommand>,
}

fn main() -> ExitCode {
    start::main_with(|Arguments { shared, pinning, rules, role, command }: Arguments| {
        if let Some(command) = command {
            return Ok(run_client(SERVER, command));
        }
        let shared = match rules.mode {
            Mode::Cluster => shared,
            Mode::Fork => shared.with_workers(|typed| typed.unwrap_or(NonZeroUsize::MIN)),
        };
        let config = shared.into_config()?;
        start::keep_to_cpus(&config)?;
        match role.assignment() {
            Some(assignment) => {
                let stopping = signals::install(Some(config.limits.drain_timeout))
                    .map_err(Error::system("handle stop signals"))?;
                work(&config, pinning.or(false), assignment, stopping)?;
            }
            None => {
                let handed = handed_listeners().map_err(|error| Error::Failed(error.to_string()))?;
                let listeners = match handed.is_empty() {
                    true => Listeners::open(config.listen, config.workers)?,
                    false => Listeners::inherited(handed, config.workers)?,
                };
                // The primary keeps the deadline for its workers and ends after them.
                let stopping = signals::install(None).map_err(Error::system("handle stop signals"))?;
                run(&config, rules, listeners, &stopping)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
