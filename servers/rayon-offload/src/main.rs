//! Starts the rayon-offload server.

use std::{num::NonZeroUsize, process::ExitCode};

use clap::{Parser, ValueEnum};
use host::class::SchedulingClass;
use kit::{args, listen, signals, start};
use rayon_offload::Pool;

/// An event loop in front, CPU-bound operations on a rayon pool
#[derive(Parser)]
#[command(version, after_help = args::EXAMPLES)]
struct Arguments {
    #[command(flatten)]
    shared: args::Shared,

    /// Threads of the pool [default: as many as there are workers]
    #[arg(long, env = "SERVER_POOL_THREADS", value_name = "N")]
    pool_threads: Option<NonZeroUsize>,

    /// Operations that may wait for a thread of the pool; beyond it the answer is 503
    #[arg(long, env = "SERVER_QUEUE", default_value = "1024", value_name = "N")]
    queue: usize,

    /// Run each operation on all threads of the pool together
    #[arg(long, env = "SERVER_SPLIT")]
    split: bool,

    /// The scheduling class of the pool's threads
    #[arg(long, env = "SERVER_POOL_CLASS", value_enum, default_value = "normal", value_name = "CLASS")]
    pool_class: PoolClass,
}

#[derive(Clone, Copy, ValueEnum)]
enum PoolClass {
    /// As the front's threads: a front thread that wakes may wait for the end of a time slice
    Normal,
    /// Marked as CPU-bound: longer slices, no preemption of others by waking
    Batch,
    /// Gives way at once to any thread of another class, also of another process
    Idle,
}

impl From<PoolClass> for SchedulingClass {
    fn from(class: PoolClass) -> Self {
        match class {
            PoolClass::Normal => Self::Normal,
            PoolClass::Batch => Self::Batch,
            PoolClass::Idle => Self::Idle,
        }
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    start::main(|| {
        let config = arguments.shared.into_config()?;
        let workers = NonZeroUsize::new(config.workers).unwrap_or(NonZeroUsize::MIN);
        let pool = Pool {
            threads: arguments.pool_threads.unwrap_or(workers),
            queue: arguments.queue,
            split: arguments.split,
            class: arguments.pool_class.into(),
        };
        start::keep_to_cpus(&config)?;
        let listener = listen::one(config.listen)?;
        let stopping = signals::install(Some(config.limits.drain_timeout))
            .map_err(start::Error::system("handle stop signals"))?;
        rayon_offload::run(&config, &pool, listener, stopping)
    })
}
