//! Starts the actix-workers server.

use std::{num::NonZeroUsize, process::ExitCode, thread::available_parallelism};

use actix_workers::Place;
use clap::{Parser, ValueEnum};
use kit::{args, listen, signals, start};
use kit_rayon::args::PoolArgs;

/// Threads for blocking calls that actix divides among its workers where it is told nothing: tokio's number for a runtime.
const BLOCKING_THREADS: usize = 512;

/// actix-web as shipped: one acceptor, connections in turn to workers of one thread each
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    /// Where CPU-bound operations run
    #[arg(long, env = "SERVER_OFFLOAD", value_enum, default_value = "inline", value_name = "WHERE")]
    offload: Offload,

    /// With --offload block: threads of each worker [default: 512 divided by the CPUs, which is actix's own]
    #[arg(long, env = "SERVER_BLOCK_THREADS", value_name = "N", value_parser = args::threads())]
    block_threads: Option<NonZeroUsize>,

    #[command(
        flatten,
        next_help_heading = "With --offload rayon (--queue: also with block, for each worker)"
    )]
    pool: PoolArgs,
}

#[derive(Clone, Copy, ValueEnum)]
enum Offload {
    /// On the worker that read the request
    Inline,
    /// By `web::block`, on threads that each worker has for itself
    Block,
    /// On a rayon pool that all workers share
    Rayon,
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.into_config()?;
        start::keep_to_cpus(&config)?;
        let pool = arguments.pool.into_pool(config.workers);
        let place = match arguments.offload {
            Offload::Inline => Place::Inline,
            Offload::Block => Place::Block {
                threads: arguments.block_threads.unwrap_or_else(blocking_threads),
                queue: pool.queue,
            },
            Offload::Rayon => Place::Rayon(pool),
        };
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        actix_workers::run(&config, &place, listener, stopping)
    })
}

fn blocking_threads() -> NonZeroUsize {
    let cpus = available_parallelism().map_or(2, NonZeroUsize::get);
    NonZeroUsize::new(BLOCKING_THREADS / cpus).unwrap_or(NonZeroUsize::MIN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_numbers_have_ranges_that_refusals_state() {
        for (argument, range) in [
            ("--block-threads", "from 1 to 32768"),
            ("--pool-threads", "from 1 to 32768"),
            ("--queue", "from 0 to 10000000"),
        ] {
            for value in ["-1", "", "18446744073709551615", "99999999999999999999", "NaN", "inf", "1e300"] {
                let given = format!("{argument}={value}");
                let refused =
                    Arguments::try_parse_from(["server", given.as_str()]).map(drop).unwrap_err().to_string();
                assert!(refused.contains(range), "{given}: {refused}");
            }
        }
    }
}
