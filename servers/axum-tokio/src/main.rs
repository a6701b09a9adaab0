//! Starts the axum-tokio server.

use std::process::ExitCode;

use clap::Parser;
use kit::{args, listen, signals, start};

/// axum as shipped: one tokio runtime whose threads share all connections and steal work from each other
///
/// axum bounds neither connections nor the time that a head, a body or an idle connection takes, and has no linger: of the limits only
/// --max-body and --drain-timeout have an effect.
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.into_config()?;
        start::keep_to_cpus(&config)?;
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        axum_tokio::run(&config, listener, stopping)
    })
}
