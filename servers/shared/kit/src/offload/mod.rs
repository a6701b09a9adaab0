//! CPU-bound operations on a pool of threads or processes, whichever pool that is: the bounded queue before it, and the way
//! of an operation there and back.
//!
//! What waits for a thread stands in the queue here, not in the pool's own, where nothing could be taken back: the pool
//! is only told ([`Pool::call`]), once for each operation that waits, to come and take the next one. So a client that
//! leaves takes its operation along if that has not begun, and makes room at once.
//!
//! Refuses to know how a pool starts its threads and chooses among them.

mod queue;
mod reply;

use std::{
    future::{Future, Ready, ready},
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use app::Operation;

use crate::execute::{Execute, Outcome, Refused, run_here};
use queue::{Enqueued, Queue, Ticket};
use reply::{Receiver, Sender};

/// When a client that was refused for want of room should come back.
pub const RETRY_AFTER: Duration = Duration::from_secs(1);

/// Threads or processes that compute.
pub trait Pool: Send + Sync + 'static {
    /// Sees to it that one of the threads calls [`Call::answer`], as soon as one is free, or [`Call::take`] for a process that is.
    /// Must not wait for that.
    fn call(&self, call: Call);
}

/// Runs CPU-bound operations on a pool and all others at once.
#[derive(Debug)]
pub struct Offload<P> {
    pool: P,
    queue: Arc<Queue<Job>>,
}

/// An operation, and where its outcome goes. Dropped without one, the operation has failed ([`Refused::Panicked`]).
#[derive(Debug)]
#[must_use = "somebody waits for the answer"]
pub struct Job {
    operation: Operation,
    reply: Sender,
}

impl Job {
    /// What is to be computed.
    pub fn operation(&self) -> &Operation {
        &self.operation
    }

    /// Tells whoever waits what became of it.
    pub fn answer(self, outcome: Outcome) {
        self.reply.send(outcome);
    }
}

impl<P: Pool> Offload<P> {
    /// Offloads to `pool`. At most `waiting` operations wait for a thread; beyond it they are refused ([`Refused::Busy`]).
    pub fn new(pool: P, waiting: usize) -> Self {
        Self { pool, queue: Queue::new(waiting) }
    }

    /// The pool.
    pub fn pool(&self) -> &P {
        &self.pool
    }

    fn offload(&self, operation: Operation) -> Offloaded {
        let (reply, receiver) = reply::channel();
        let Some(Enqueued { ticket, call_somebody }) = self.queue.push(Job { operation, reply }) else {
            return Offloaded(Place::Here(ready(Err(Refused::Busy { retry_after: RETRY_AFTER }))));
        };
        if call_somebody {
            self.pool.call(Call { queue: Some(Arc::clone(&self.queue)) });
        }
        Offloaded(Place::Elsewhere { receiver, _ticket: ticket })
    }
}

impl<P: Pool> Execute for Offload<P> {
    type Future = Offloaded;

    fn execute(&self, operation: Operation) -> Offloaded {
        if operation.is_cpu_bound() {
            self.offload(operation)
        } else {
            Offloaded(Place::Here(ready(run_here(&operation))))
        }
    }
}

/// A call to come and run the operation that has waited longest.
#[derive(Debug)]
#[must_use = "somebody waits for the answer"]
pub struct Call {
    /// `None` when it was answered.
    queue: Option<Arc<Queue<Job>>>,
}

impl Call {
    /// Runs that operation on the calling thread, by `run`, which must not panic (see [`run_here`]). Does nothing if all
    /// those have left for whom it was called.
    pub fn answer(self, run: impl FnOnce(&Operation) -> Outcome) {
        if let Some(job) = self.take() {
            let outcome = run(job.operation());
            job.answer(outcome);
        }
    }

    /// Takes that operation along, for whoever does not wait for its end; `None` if all those have left for whom it was called.
    pub fn take(mut self) -> Option<Job> {
        self.queue.take().and_then(|queue| queue.take())
    }
}

impl Drop for Call {
    /// A pool that cannot take the call, or ends before it did, must not be counted on.
    fn drop(&mut self) {
        if let Some(queue) = self.queue.take() {
            queue.excuse();
        }
    }
}

/// The future of an operation, here or on the pool. Dropping it takes the operation back, if that has not begun.
#[derive(Debug)]
pub struct Offloaded(Place);

#[derive(Debug)]
enum Place {
    /// Done, or refused, on the spot.
    Here(Ready<Outcome>),
    /// On its way to the pool and back.
    Elsewhere { receiver: Receiver, _ticket: Ticket<Job> },
}

impl Future for Offloaded {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        match &mut self.get_mut().0 {
            Place::Here(outcome) => Pin::new(outcome).poll(context),
            Place::Elsewhere { receiver, .. } => Pin::new(receiver).poll(context),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{sync::Mutex, task::Waker};

    use super::*;

    /// A pool whose only thread is the test's, and comes when the test says so.
    #[derive(Debug, Default)]
    struct Called(Mutex<Vec<Call>>);

    impl Pool for Called {
        fn call(&self, call: Call) {
            self.0.lock().unwrap().push(call);
        }
    }

    impl Called {
        /// Whether there was a call to answer.
        fn comes(&self) -> bool {
            let call = self.0.lock().unwrap().pop();
            call.map(|call| call.answer(run_here)).is_some()
        }
    }

    const WORK: Operation = Operation::Complex { iterations: 10 };
    const BUSY: Refused = Refused::Busy { retry_after: RETRY_AFTER };

    fn outcome(future: &mut Offloaded) -> Option<Outcome> {
        match Pin::new(future).poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(outcome) => Some(outcome),
            Poll::Pending => None,
        }
    }

    #[test]
    fn only_cpu_bound_operations_wait_for_the_pool() {
        let offload = Offload::new(Called::default(), 8);
        assert!(outcome(&mut offload.execute(Operation::Simple)).unwrap().is_ok());
        let mut work = offload.execute(WORK);
        assert!(outcome(&mut work).is_none());
        assert!(offload.pool().comes());
        assert!(outcome(&mut work).unwrap().is_ok());
    }

    #[test]
    fn beyond_the_queue_work_is_refused_and_what_waited_is_done() {
        let offload = Offload::new(Called::default(), 1);
        let mut first = offload.execute(WORK);
        assert_eq!(outcome(&mut offload.execute(WORK)).unwrap().unwrap_err(), BUSY);
        assert!(offload.pool().comes());
        assert!(outcome(&mut first).unwrap().is_ok());
        assert_eq!(offload.queue.waiting(), 0);
    }

    #[test]
    fn a_client_that_leaves_makes_room_at_once_and_its_work_is_never_done() {
        let offload = Offload::new(Called::default(), 1);
        // The longest there is: were one of them run, this test would not end in time.
        for _ in 0..100 {
            drop(offload.execute(Operation::Complex { iterations: 5_000_000_000 }));
        }
        let mut last = offload.execute(WORK);
        assert!(offload.pool().comes(), "called once for all of them");
        assert!(outcome(&mut last).unwrap().is_ok());
        assert!(!offload.pool().comes());
    }

    #[test]
    fn what_was_taken_along_is_answered_later_or_has_failed() {
        let offload = Offload::new(Called::default(), 2);
        let (mut one, mut other) = (offload.execute(WORK), offload.execute(WORK));
        let mut jobs = Vec::new();
        jobs.extend(offload.pool().0.lock().unwrap().drain(..).filter_map(Call::take));
        assert_eq!((offload.queue.waiting(), jobs.len()), (0, 2));
        assert!(outcome(&mut one).is_none());
        let first = jobs.remove(0);
        let computed = run_here(first.operation());
        first.answer(computed);
        assert!(outcome(&mut one).unwrap().is_ok());
        drop(jobs);
        assert_eq!(outcome(&mut other).unwrap().unwrap_err(), Refused::Panicked);
    }

    #[test]
    fn a_call_that_the_pool_drops_is_not_counted_on() {
        let offload = Offload::new(Called::default(), 1);
        drop(offload.execute(WORK));
        offload.pool().0.lock().unwrap().clear();
        let mut next = offload.execute(WORK);
        assert!(offload.pool().comes(), "somebody else is called");
        assert!(outcome(&mut next).unwrap().is_ok());
    }
}
