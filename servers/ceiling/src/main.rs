//! Starts the null server.

use std::process::ExitCode;

use clap::Parser;
use kit::{args, listen, signals, start};

/// The null server: constant bytes for every request, to calibrate a generator with
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.into_config()?.without_faults(ceiling::SERVER)?;
        start::keep_to_cpus(&config)?;
        let listeners = listen::group(config.listen, config.workers)?;
        let stopping = signals::install(None).map_err(start::Error::system("handle stop signals"))?;
        ceiling::run(&config, listeners, &stopping)
    })
}
