//! Starts the fork-per-core server: the primary, which starts this same program again for each worker. Or asks a primary that runs.

use std::{num::NonZeroUsize, process::ExitCode};

use clap::{Parser, ValueEnum};
use fork_per_core::{Listeners, SERVER, run, work};
use kit::{
    args::{self, UsageError},
    signals,
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

    /// How connections come to the workers
    #[arg(long, env = "SERVER_ACCEPT", value_enum, default_value = "reuseport", value_name = "HOW")]
    accept: Accept,

    /// With --accept handoff, who gets a connection, of the workers that have taken the last one [default: round-robin]
    #[arg(long, env = "SERVER_HANDOFF", value_enum, value_name = "WHO")]
    handoff: Option<Choice>,

    #[command(flatten)]
    rules: Rules,

    #[command(flatten)]
    role: Role,

    #[command(subcommand)]
    command: Option<ClientCommand>,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Accept {
    /// A listener for each (SO_REUSEPORT): the kernel chooses by a hash of the addresses
    #[value(name = "reuseport")]
    ReusePort,
    /// One listener for all: each connection wakes every worker that waits, and the first takes it
    Shared,
    /// The primary accepts, and passes connections to the workers
    Handoff,
}

#[derive(Clone, Copy, ValueEnum)]
enum Choice {
    /// Each in turn
    RoundRobin,
    /// The one with the fewest open connections
    LeastConnections,
}

/// What both arguments say together.
fn accept(accept: Accept, handoff: Option<Choice>) -> Result<fork_per_core::Accept, Error> {
    let choice = match handoff {
        Some(_) if accept != Accept::Handoff => {
            let text = "--handoff (SERVER_HANDOFF) says to whom the primary hands over: add --accept handoff, or leave it out";
            return Err(Error::Usage(UsageError::Contradiction(text)));
        }
        None | Some(Choice::RoundRobin) => fork_per_core::Choice::RoundRobin,
        Some(Choice::LeastConnections) => fork_per_core::Choice::LeastConnections,
    };
    Ok(match accept {
        Accept::ReusePort => fork_per_core::Accept::ListenerEach,
        Accept::Shared => fork_per_core::Accept::Shared,
        Accept::Handoff => fork_per_core::Accept::Handoff(choice),
    })
}

fn main() -> ExitCode {
    start::main_with(|arguments: Arguments| {
        let Arguments { shared, pinning, accept: how, handoff, rules, role, command } = arguments;
        if let Some(command) = command {
            return Ok(run_client(SERVER, command));
        }
        let accept = accept(how, handoff)?;
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
                let one = accept != fork_per_core::Accept::ListenerEach;
                let listeners = match (handed.is_empty(), one) {
                    (true, false) => Listeners::open(config.listen, config.workers)?,
                    (true, true) => Listeners::open_one(config.listen)?,
                    (false, false) => Listeners::inherited(handed, config.workers)?,
                    (false, true) => Listeners::inherited_one(handed)?,
                };
                // The primary keeps the deadline for its workers and ends after them.
                let stopping = signals::install(None).map_err(Error::system("handle stop signals"))?;
                run(&config, accept, rules, listeners, &stopping)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    })
}
