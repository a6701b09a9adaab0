//! The pool, its bounded queue, and the way of an operation there and back.
//!
//! There: `spawn` onto the pool, never `install`, which would block a front thread. Back: a oneshot, whose sending
//! wakes the connection's task through tokio's queue for tasks from outside. A front thread looks at that queue
//! when it runs out of work and at intervals while it has some; its tasks take microseconds, so this adds
//! little.
//!
//! What waits for a thread stands in the queue ([`crate::queue`]), not in rayon's own, where nothing could be taken back:
//! rayon is only told, once for each operation that waits, to come and take the next one.
//!
//! What can add milliseconds is the kernel: when every CPU runs a pool thread, a front thread that wakes may wait for
//! the end of that thread's time slice. `--pool-class idle` (or batch) is the answer to that.

use std::{
    future::{Future, Ready, ready},
    num::NonZeroUsize,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    time::Duration,
};

use app::Operation;
use host::class::SchedulingClass;
use kit::{
    execute::{Done, Execute, Refused, guarded, run_here},
    start::Error,
    worker::{Kind, Worker},
};
use rayon::prelude::*;
use tokio::sync::oneshot;

use crate::queue::{Enqueued, Queue, Ticket};

type Outcome = Result<Done, Refused>;

/// When a client that was refused for want of room should come back.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

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
pub struct Offload {
    threads: rayon::ThreadPool,
    parts: Option<usize>,
    queue: Arc<Queue<Job>>,
}

/// An operation, and where its outcome goes.
#[derive(Debug)]
pub struct Job {
    operation: Operation,
    answer: oneshot::Sender<Outcome>,
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
        Ok(Self { threads, parts, queue: Queue::new(pool.queue) })
    }

    fn offload(&self, operation: Operation) -> Offloaded {
        let (answer, receiver) = oneshot::channel();
        let Some(Enqueued { ticket, call_somebody }) = self.queue.push(Job { operation, answer }) else {
            return Offloaded::Here(ready(Err(Refused::Busy { retry_after: RETRY_AFTER })));
        };
        if call_somebody {
            let (queue, parts) = (Arc::clone(&self.queue), self.parts);
            self.threads.spawn(move || {
                if let Some(job) = queue.take() {
                    job.run(parts);
                }
            });
        }
        Offloaded::Elsewhere { receiver, _ticket: ticket }
    }
}

impl Job {
    fn run(self, parts: Option<usize>) {
        let Self { operation, answer } = self;
        let outcome = match parts {
            None => run_here(&operation),
            Some(parts) => guarded(|| split(&operation, parts)),
        };
        // An error says that the client has gone since the operation began.
        let _ = answer.send(outcome);
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
        if operation.is_cpu_bound() {
            self.offload(operation)
        } else {
            Offloaded::Here(ready(run_here(&operation)))
        }
    }
}

/// The future of an operation, here or on the pool.
#[derive(Debug)]
pub enum Offloaded {
    /// Done, or refused, on the spot.
    Here(Ready<Outcome>),
    /// On its way to the pool and back.
    Elsewhere {
        /// Where the outcome arrives.
        receiver: oneshot::Receiver<Outcome>,
        /// Dropped with this future, which takes the operation out of the queue.
        _ticket: Ticket<Job>,
    },
}

impl Future for Offloaded {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        match self.get_mut() {
            Self::Here(outcome) => Pin::new(outcome).poll(context),
            Self::Elsewhere { receiver, .. } => {
                Pin::new(receiver).poll(context).map(|received| received.unwrap_or(Err(Refused::Panicked)))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::mpsc,
        task::{Wake, Waker},
        thread::{self, Thread},
        time::Instant,
    };

    use super::*;

    const SECONDS: Duration = Duration::from_secs(20);

    struct Unpark(Thread);

    impl Wake for Unpark {
        fn wake(self: Arc<Self>) {
            self.0.unpark();
        }
    }

    fn wait(mut future: Offloaded) -> Outcome {
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

    fn start(queue: usize, split: bool) -> Offload {
        let pool = Pool { threads: NonZeroUsize::MIN, queue, split, class: SchedulingClass::Idle };
        Offload::start(&pool).unwrap()
    }

    #[test]
    fn only_cpu_bound_operations_leave_the_front() {
        let offload = start(8, false);
        let worker = |operation| wait(offload.execute(operation)).unwrap().worker.to_string();
        assert_eq!(worker(Operation::Complex { iterations: 10 }), "r0");
        assert!(worker(Operation::Simple).starts_with('t'));
    }

    #[test]
    fn a_split_operation_has_the_same_answer() {
        for operation in
            [Operation::Complex { iterations: 1001 }, Operation::Randoms { count: 1001, seed: 7 }]
        {
            let body = |split| wait(start(8, split).execute(operation)).unwrap().answer.body("o", "w");
            assert_eq!(body(true), body(false));
        }
    }

    /// Occupies the only thread until what is returned is dropped.
    fn occupy(offload: &Offload) -> mpsc::Sender<()> {
        let (started, is_started) = mpsc::channel();
        let (release, is_released) = mpsc::channel::<()>();
        offload.threads.spawn(move || {
            started.send(()).unwrap();
            let _ = is_released.recv_timeout(SECONDS);
        });
        is_started.recv_timeout(SECONDS).unwrap();
        release
    }

    #[test]
    fn beyond_the_queue_work_is_refused_and_what_waited_is_done() {
        let offload = start(1, false);
        let occupied = occupy(&offload);
        let first = offload.execute(Operation::Complex { iterations: 10 });
        let second = wait(offload.execute(Operation::Complex { iterations: 10 }));
        assert_eq!(second.unwrap_err(), Refused::Busy { retry_after: RETRY_AFTER });
        drop(occupied);
        wait(first).unwrap();
        assert_eq!(offload.queue.waiting(), 0);
    }

    #[test]
    fn a_client_that_leaves_makes_room_at_once_and_its_work_is_never_done() {
        let offload = start(1, false);
        let occupied = occupy(&offload);
        // The longest there is: were one of them run, the last would not be answered in time.
        for _ in 0..100 {
            let left = offload.execute(Operation::Complex { iterations: 5_000_000_000 });
            assert!(matches!(left, Offloaded::Elsewhere { .. }));
        }
        let last = offload.execute(Operation::Complex { iterations: 10 });
        drop(occupied);
        wait(last).unwrap();
    }
}
