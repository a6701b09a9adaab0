//! Where CPU-bound operations run on this runtime, besides inline.

use std::{
    future::{Ready, ready},
    num::NonZeroUsize,
};

use app::Operation;
use kit::{
    execute::{Done, Execute, Refused, run_here},
    offload::{Call, Pool},
};

/// Where CPU-bound operations run. All others always run inline.
#[derive(Clone, Copy, Debug)]
pub enum CpuBound {
    /// On the thread that read the request, which serves nobody meanwhile.
    Inline,
    /// On tokio's blocking pool, one operation per thread.
    SpawnBlocking {
        /// Threads of the pool, which all start with the server.
        threads: NonZeroUsize,
        /// Operations that may wait for one; beyond it the answer is 503.
        queue: usize,
    },
    /// On the thread that read the request, after another one has taken over its event loop.
    BlockInPlace {
        /// How many others there may be, which is how many operations may run at once beside the event loops. As many of them as
        /// there are workers start with the server. Where there may be no more, or the system starts no more, an event loop waits
        /// until an operation ends, as it does inline; nothing is refused.
        threads: NonZeroUsize,
    },
}

/// tokio's blocking pool. It must have a bound of its own, which is the runtime's to set.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BlockingPool;

impl Pool for BlockingPool {
    fn call(&self, call: Call) {
        // Never awaited nor aborted: what waits stands in kit's queue, since tokio would keep what is aborted until a thread
        // comes to it, and clients that come and go would fill the memory behind a long operation.
        tokio::task::spawn_blocking(move || call.answer(run_here));
    }
}

/// Lets the thread's other tasks move away, its event loop with them, before it computes.
#[derive(Clone, Copy, Debug)]
pub(crate) struct InPlace;

impl Execute for InPlace {
    type Future = Ready<Result<Done, Refused>>;

    fn execute(&self, operation: Operation) -> Self::Future {
        ready(if operation.is_cpu_bound() {
            tokio::task::block_in_place(|| run_here(&operation))
        } else {
            run_here(&operation)
        })
    }
}
