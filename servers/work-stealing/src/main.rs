//! Starts the work-stealing server.

use std::{num::NonZeroUsize, process::ExitCode};

use clap::{Parser, ValueEnum};
use kit::{args, listen, signals, start};
use work_stealing::CpuBound;

/// tokio's own default for its blocking pool, stated because it bounds what runs at once.
const THREADS_IN_PLACE: NonZeroUsize = NonZeroUsize::new(512).unwrap();

/// One tokio runtime whose threads share all connections and steal work from each other
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    /// Where CPU-bound operations run
    #[arg(long, env = "SERVER_CPU_BOUND", value_enum, default_value = "inline", value_name = "WHERE")]
    cpu_bound: Where,

    /// Threads beside the workers, for CPU-bound operations that do not run inline [default: with spawn-blocking as many as
    /// there are workers, with block-in-place 512]
    #[arg(long, env = "SERVER_POOL_THREADS", value_name = "N", value_parser = args::threads())]
    pool_threads: Option<NonZeroUsize>,

    /// Operations that may wait for a thread with spawn-blocking; beyond it the answer is 503
    #[arg(long, env = "SERVER_QUEUE", default_value = "1024", value_name = "N", value_parser = args::queue())]
    queue: usize,
}

#[derive(Clone, Copy, ValueEnum)]
enum Where {
    /// On the thread that read the request: what waits behind it is stolen by others, as long as there are any
    Inline,
    /// On tokio's blocking pool
    SpawnBlocking,
    /// On the thread that read the request, after another one has taken over its event loop
    BlockInPlace,
}

impl Arguments {
    fn cpu_bound(&self, workers: usize) -> CpuBound {
        let workers = NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN);
        match self.cpu_bound {
            Where::Inline => CpuBound::Inline,
            Where::SpawnBlocking => {
                CpuBound::SpawnBlocking { threads: self.pool_threads.unwrap_or(workers), queue: self.queue }
            }
            Where::BlockInPlace => {
                CpuBound::BlockInPlace { threads: self.pool_threads.unwrap_or(THREADS_IN_PLACE) }
            }
        }
    }
}

fn main() -> ExitCode {
    start::main(|arguments: Arguments| {
        let config = arguments.shared.clone().into_config()?;
        let cpu_bound = arguments.cpu_bound(config.workers);
        start::keep_to_cpus(&config)?;
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        work_stealing::run(&config, cpu_bound, listener, stopping)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_numbers_have_ranges_that_refusals_state() {
        for (argument, range) in [("--pool-threads", "from 1 to 32768"), ("--queue", "from 0 to 10000000")] {
            for value in ["-1", "", "18446744073709551615", "99999999999999999999", "NaN", "inf", "1e300"] {
                let given = format!("{argument}={value}");
                let refused =
                    Arguments::try_parse_from(["server", given.as_str()]).map(drop).unwrap_err().to_string();
                assert!(refused.contains(range), "{given}: {refused}");
            }
        }
    }
}
