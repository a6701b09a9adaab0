//! The pool's arguments, and the [`Pool`] that they become.

use std::num::NonZeroUsize;

use clap::{Args, ValueEnum};
use host::class::SchedulingClass;

use crate::Pool;

/// Arguments as they are typed.
#[derive(Args, Clone, Debug)]
pub struct PoolArgs {
    /// Threads of the pool [default: as many as there are workers]
    #[arg(long, env = "SERVER_POOL_THREADS", value_name = "N", value_parser = kit::args::threads())]
    pool_threads: Option<NonZeroUsize>,

    /// Operations that may wait for a thread of the pool; beyond it the answer is 503
    #[arg(long, env = "SERVER_QUEUE", default_value = "1024", value_name = "N", value_parser = kit::args::queue())]
    queue: usize,

    /// Run each operation on all threads of the pool together
    #[arg(long, env = "SERVER_SPLIT")]
    split: bool,

    /// The scheduling class of the pool's threads
    #[arg(long, env = "SERVER_POOL_CLASS", value_enum, default_value = "normal", value_name = "CLASS")]
    pool_class: PoolClass,
}

/// The values of `--pool-class`.
#[derive(Clone, Copy, Debug, ValueEnum)]
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

impl PoolArgs {
    /// The pool of a server with `workers` workers.
    pub fn into_pool(self, workers: usize) -> Pool {
        let workers = NonZeroUsize::new(workers).unwrap_or(NonZeroUsize::MIN);
        Pool {
            threads: self.pool_threads.unwrap_or(workers),
            queue: self.queue,
            split: self.split,
            class: self.pool_class.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        pool: PoolArgs,
    }

    fn pool(arguments: &[&str]) -> Pool {
        Arguments::try_parse_from([&["server"], arguments].concat()).unwrap().pool.into_pool(3)
    }

    #[test]
    fn a_pool_has_as_many_threads_as_there_are_workers_unless_it_is_told() {
        assert_eq!(pool(&[]).threads.get(), 3);
        assert_eq!(pool(&["--pool-threads", "5"]).threads.get(), 5);
    }

    #[test]
    fn the_pools_numbers_have_ranges_that_their_refusals_state() {
        for (argument, range) in [("--pool-threads", "from 1 to 32768"), ("--queue", "from 0 to 10000000")] {
            for value in ["-1", "18446744073709551615", "99999999999999999999", "NaN", "1e300"] {
                let typed = ["server", &format!("{argument}={value}")];
                let refused = Arguments::try_parse_from(typed).map(drop).unwrap_err().to_string();
                assert!(refused.contains(range), "{refused}");
            }
        }
    }

    #[test]
    fn what_is_typed_reaches_the_pool() {
        let pool = pool(&["--queue", "8", "--split", "--pool-class", "idle"]);
        assert_eq!((pool.queue, pool.split, pool.class), (8, true, SchedulingClass::Idle));
    }
}
