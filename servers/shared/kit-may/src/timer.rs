//! Deadlines of coroutines, kept by one thread.
//!
//! Not may's own timers: what those wake runs on may's timer thread, operations included, and their cancellation is
//! not safe against a wake-up from another worker.
//!
//! A deadline stands in the queue from the first poll of its [`Sleep`] until it fires or the sleep is dropped (a reset drops it and
//! makes another). The thread sleeps until the earliest one; an earlier one that is added wakes it. Each deadline
//! costs one insertion and one removal, O(log n), and wakes the thread at most once. The waker is called outside the lock.
//!
//! No wake-up is lost: the sleep looks at the clock before it stands in the queue, and the thread takes out only what is due,
//! so a sleep that is polled after its waker was called finds its deadline passed.

use std::{
    collections::BTreeMap,
    future::Future,
    io,
    pin::Pin,
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
    thread,
    time::{Duration, Instant},
};

/// The timer of a server; clones are the same.
#[derive(Clone, Debug)]
pub struct Timer(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    earlier: Condvar,
}

/// A deadline, and a number that tells it from others at the same time.
type Key = (Instant, u64);

#[derive(Debug, Default)]
struct Queue {
    deadlines: BTreeMap<Key, Waker>,
    next: u64,
}

impl Timer {
    /// Starts the thread, which lives as long as the process.
    pub(crate) fn start() -> io::Result<Self> {
        let shared = Arc::new(Shared::default());
        let kept = Arc::clone(&shared);
        thread::Builder::new().name("timer".to_owned()).spawn(move || kept.run())?;
        Ok(Self(shared))
    }

    /// Calls `waker` at `deadline`, from the timer's thread.
    pub(crate) fn wake_at(&self, deadline: Instant, waker: Waker) -> Key {
        let mut queue = self.0.queue();
        let key = (deadline, queue.next);
        queue.next += 1;
        queue.deadlines.insert(key, waker);
        let first = queue.deadlines.first_key_value().is_some_and(|(&first, _)| first == key);
        drop(queue);
        if first {
            self.0.earlier.notify_one();
        }
        key
    }

    fn forget(&self, key: Key) {
        self.0.queue().deadlines.remove(&key);
    }
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn run(&self) -> ! {
        let mut queue = self.queue();
        loop {
            let Some(first) = queue.deadlines.first_entry() else {
                queue = self.earlier.wait(queue).unwrap_or_else(PoisonError::into_inner);
                continue;
            };
            let left = first.key().0.saturating_duration_since(Instant::now());
            if left.is_zero() {
                let waker = first.remove();
                drop(queue);
                waker.wake();
                queue = self.queue();
            } else {
                queue = self.earlier.wait_timeout(queue, left).unwrap_or_else(PoisonError::into_inner).0;
            }
        }
    }
}

impl hyper::rt::Timer for Timer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep_until(Instant::now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(Sleep { timer: self.clone(), deadline, standing: None })
    }
}

/// Ends at its deadline.
#[derive(Debug)]
struct Sleep {
    timer: Timer,
    deadline: Instant,
    /// Its place in the queue, and whom that wakes.
    standing: Option<(Key, Waker)>,
}

impl Sleep {
    fn leave(&mut self) {
        if let Some((key, _)) = self.standing.take() {
            self.timer.forget(key);
        }
    }
}

impl Future for Sleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if Instant::now() >= self.deadline {
            self.leave();
            return Poll::Ready(());
        }
        if !self.standing.as_ref().is_some_and(|(_, waker)| waker.will_wake(context.waker())) {
            self.leave();
            let waker = context.waker().clone();
            let key = self.timer.wake_at(self.deadline, waker.clone());
            self.standing = Some((key, waker));
        }
        Poll::Pending
    }
}

impl Drop for Sleep {
    fn drop(&mut self) {
        self.leave();
    }
}

impl hyper::rt::Sleep for Sleep {}
