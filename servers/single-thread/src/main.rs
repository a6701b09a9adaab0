//! Starts the single-thread server.

use std::{num::NonZeroUsize, process::ExitCode};

use clap::Parser;
use kit::{args, listen, signals, start};

/// One thread, one event loop: the baseline
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
// Whatever the CPUs: what has one thread cannot be given more.
#[command(mut_arg("workers", |workers| workers
    .help("Always 1: the event loop is the main thread's")
    .default_value("1")
    .value_parser(only_one)))]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    #[command(flatten)]
    pinning: args::Pinning,
}

fn only_one(workers: &str) -> Result<NonZeroUsize, String> {
    match workers.parse() {
        Ok(NonZeroUsize::MIN) => Ok(NonZeroUsize::MIN),
        _ => {
            Err("this server is one thread and has one worker: leave --workers and SERVER_WORKERS out"
                .to_owned())
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
        single_thread::run(&config, arguments.pinning.or(false), listener, stopping)
    })
}
