//! A small server for the tests to put behind nginx: one of this project's, with one worker.

use std::{num::NonZeroUsize, process::ExitCode};

use clap::Parser;
use kit::{args, execute::Inline, listen, signals, start};

#[derive(Parser)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start::main(|| {
        let config = arguments.shared.into_config()?;
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        let unused = NonZeroUsize::MIN;
        kit_tokio::front::multi_thread("upstream", &config, listener, stopping, Inline, unused)
    })
}
