//! The pool, and how it runs an operation that kit's queue ([`kit::offload`]) has for it.
//!
//! There: `spawn` onto the pool, never `install`, which would block a front thread. Back: the reply wakes the
//! connection's task, on tokio through its queue for tasks from outside. A front thread looks at that queue
//! when it runs out of work and at intervals while it has some; its tasks take microseconds, so this adds
//! little.
//!
//! What can add milliseconds is the kernel: when every CPU runs a pool thread, a front thread that wakes may wait for
//! the end of that thread's time slice. `--pool-class idle` (or batch) is the answer to that. A thread of that class can be
//! preempted while it holds the queue's lock; then a front thread that needs it sleeps, which is what lets the other go on.

use std::{
    num::NonZeroUsize,
    sync::{Arc, Mutex, PoisonError},
};

use app::Operation;
use host::class::SchedulingClass;
use kit::{
    execute::{Execute, guarded, run_here},
    offload::{self, Call, Offloaded},
    start::Error,
    worker::{Kind, Worker},
};
use rayon::prelude::*;

/// How operations are offloaded.
#[derive(Clone, Copy, Debug)]
pub struct Pool {
    /// Threads of the pool.
    pub threads: NonZeroUsize,
    /// Operations that may wait for a thread; beyond it the answer is 503.
    pub queue: usize,
    /// Whether one operation is run by all threads together.
    pub split: bool,
    /// The scheduling class of the pool's threads.
    pub class: SchedulingClass,
}

/// Runs CPU-bound operations on the pool and all others at once.
#[derive(Debug)]
pub struct Offload(offload::Offload<Rayon>);

#[derive(Debug)]
struct Rayon {
    threads: rayon::ThreadPool,
    parts: Option<usize>,
}

impl Offload {
    /// Starts the pool. All its threads run, in their scheduling class, when this returns.
    ///
    /// # Errors
    /// A thread cannot be started, or not be given the class.
    pub fn start(pool: &Pool) -> Result<Self, Error> {
        let failed = Arc::new(Mutex::new(None));
        let class = pool.class;
        let start = {
            let failed = Arc::clone(&failed);
            move |index| {
                Worker::new(Kind::Rayon, index).make_current();
                if let Err(error) = class.apply_to_current_thread() {
                    *failed.lock().unwrap_or_else(PoisonError::into_inner) = Some(error);
                }
            }
        };
        let threads = rayon::ThreadPoolBuilder::new()
            .num_threads(pool.threads.get())
            .thread_name(|index| format!("rayon-{index}"))
            .start_handler(start)
            // Operations are guarded one by one; rayon would end the process for a panic that gets this far.
            .panic_handler(|_| tracing::error!("a pool thread panicked outside an operation"))
            .build()
            .map_err(|error| Error::Failed(format!("cannot start the rayon pool: {error}")))?;
        // Ends when every thread has begun, and so has its class or has failed to get it.
        threads.broadcast(|_| ());
        let failed = failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(source) = failed {
            return Err(Error::System { what: "give the pool its scheduling class (--pool-class)", source });
        }
        let parts = pool.split.then_some(pool.threads.get());
        Ok(Self(offload::Offload::new(Rayon { threads, parts }, pool.queue)))
    }
}

impl offload::Pool for Rayon {
    fn call(&self, call: Call) {
        let parts = self.parts;
        self.threads.spawn(move || {
            call.answer(|operation| match parts {
                None => run_here(operation),
                Some(parts) => guarded(|| split(operation, parts)),
            });
        });
    }
}

/// Runs one operation on all threads of the pool: the calling thread, which is one of them, takes part.
fn split(operation: &Operation, parts: usize) -> app::Answer {
    let partials: Vec<app::Partial> = operation.split(parts).par_iter().map(app::Part::run).collect();
    operation.join(partials)
}

impl Execute for Offload {
    type Future = Offloaded;

    fn execute(&self, operation: Operation) -> Offloaded {
        self.0.execute(operation)
    }
}

#[cfg(test)]
mod tests {
    use std::{
        future::Future as _,
        pin::Pin,
        task::{Context, Poll, Wake, Waker},
        thread::{self, Thread},
        time::{Duration, Instant},
    };

    use kit::execute::{Done, Refused};

    use super::*;

    const SECONDS: Duration = Duration::from_secs(20);

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn wait(mut future: Offloaded) -> Result<Done, Refused> {
        let waker = Waker::from(Arc::new(Unpark(thread::current())));
        let deadline = Instant::now() + SECONDS;
        loop {
            if let Poll::Ready(outcome) = Pin::new(&mut future).poll(&mut Context::from_waker(&waker)) {
                return outcome;
            }
            thread::park_timeout(SECONDS);
            assert!(Instant::now() < deadline, "no answer came");
        }
    }

    fn start(split: bool) -> Offload {
        let pool = Pool { threads: NonZeroUsize::MIN, queue: 8, split, class: SchedulingClass::Idle };
        Offload::start(&pool).unwrap()
    }

    #[test]
    fn only_cpu_bound_operations_leave_the_front() {
        let offload = start(false);
        let worker = |operation| wait(offload.execute(operation)).unwrap().worker.to_string();
        assert_eq!(worker(Operation::Complex { iterations: 10 }), "r0");
        assert!(worker(Operation::Simple).starts_with('t'));
    }

    #[test]
    fn a_split_operation_has_the_same_answer() {
        for operation in
            [Operation::Complex { iterations: 1001 }, Operation::Randoms { count: 1001, seed: 7 }]
        {
            let body = |split| wait(start(split).execute(operation)).unwrap().answer.body("o", "w");
            assert_eq!(body(true), body(false));
        }
    }
}
