//! Starts the process-offload server, which starts this same program again for each child.

use std::process::ExitCode;

use clap::Parser;
use kit::{
    args, listen, signals,
    start::{self, Error},
};
use process_offload::{
    ChildrenArgs,
    child::{self, Errand},
};
use supervisor::Role;

/// An event loop in front, CPU-bound operations in child processes
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,
    #[command(flatten)]
    children: ChildrenArgs,
    #[command(flatten)]
    role: Role,
    #[command(flatten)]
    errand: Errand,
}

fn main() -> ExitCode {
    start::main(|Arguments { shared, children, role, errand }: Arguments| {
        // What a child needs of its server it inherits: its CPUs, and its log.
        if let Some(assignment) = role.assignment() {
            return child::serve(assignment);
        }
        if let Some(server) = errand.server() {
            return child::run_one(server);
        }
        let config = shared.into_config()?;
        let children = children.into_children(config.workers);
        start::keep_to_cpus(&config)?;
        let listener = listen::one(config.listen)?;
        // The front keeps the deadline of the drain, since nothing computes there, and ends its children itself.
        let stopping = signals::install(None).map_err(Error::system("handle stop signals"))?;
        process_offload::run(&config, &children, listener, &stopping)
    })
}
