//! Starts the thread-per-core server.

use std::process::ExitCode;

use clap::{Parser, ValueEnum};
use kit::{args, listen, signals, start};

/// Pinned executors that share nothing, one per core
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    #[command(flatten)]
    pinning: args::Pinning,

    /// What the executors do their input and output with
    #[arg(long, env = "SERVER_IO", value_enum, default_value = "glommio")]
    io: Io,
}

#[derive(Clone, Copy, ValueEnum)]
enum Io {
    /// io_uring, asked when a socket is ready
    Glommio,
    /// io_uring, handed whole operations
    Compio,
    /// tokio's current-thread runtime, in the same shape: the control
    Epoll,
}

impl From<Io> for thread_per_core::Io {
    fn from(io: Io) -> Self {
        match io {
            Io::Glommio => Self::Glommio,
            Io::Compio => Self::Compio,
            Io::Epoll => Self::Epoll,
        }
    }
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.into_config()?;
        start::keep_to_cpus(&config)?;
        let listeners = listen::group(config.listen, config.workers)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        thread_per_core::run(&config, arguments.io.into(), arguments.pinning.or(true), listeners, stopping)
    })
}
