//! A small server for the tests to put behind nginx: one of this project's, with one worker.

use std::process::ExitCode;

use clap::Parser;
use kit::{args, execute::Inline, listen, signals, start};
use kit_tokio::front::{Blocking, multi_thread};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.into_config()?;
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        multi_thread("upstream", &config, listener, stopping, Inline, Blocking::NONE)
    })
}
