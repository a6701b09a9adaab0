//! Starts the work-stealing server.

use std::process::ExitCode;

use clap::Parser;
use kit::{args, listen, signals, start};

/// One tokio runtime whose threads share all connections and steal work from each other
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start::main(|| {
        let config = arguments.shared.into_config()?;
        start::keep_to_cpus(&config)?;
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        work_stealing::run(&config, listener, stopping)
    })
}
