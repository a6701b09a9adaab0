//! Starts the rayon-offload server.

use std::process::ExitCode;

use clap::Parser;
use kit::{args, listen, signals, start};
use kit_rayon::args::PoolArgs;

/// An event loop in front, CPU-bound operations on a rayon pool
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,
    #[command(flatten)]
    pool: PoolArgs,
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.into_config()?;
        let pool = arguments.pool.into_pool(config.workers);
        start::keep_to_cpus(&config)?;
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        rayon_offload::run(&config, &pool, listener, stopping)
    })
}
