//! Time that passes only when it is told to, and the sleeps that wait for it.

use std::{
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use hyper::rt::{Sleep, Timer};

/// Clones are the same time.
#[derive(Clone)]
pub(super) struct Time(Arc<Shared>);

struct Shared {
    start: Instant,
    now_ns: AtomicU64,
    next: AtomicU64,
    /// By deadline, and by a number that tells those of the same one apart.
    sleeping: Mutex<BTreeMap<(u64, u64), Waker>>,
}

impl Time {
    pub(super) fn new() -> Self {
        Self(Arc::new(Shared {
            start: Instant::now(),
            now_ns: AtomicU64::new(0),
            next: AtomicU64::new(0),
            sleeping: Mutex::default(),
        }))
    }

    fn sleeping(&self) -> MutexGuard<'_, BTreeMap<(u64, u64), Waker>> {
        self.0.sleeping.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since the beginning.
    pub(super) fn passed(&self) -> Duration {
        Duration::from_nanos(self.0.now_ns.load(Relaxed))
    }

    /// When the next sleep ends.
    pub(super) fn next(&self) -> Option<Duration> {
        self.sleeping().first_key_value().map(|(&(deadline, _), _)| Duration::from_nanos(deadline))
    }

    /// It is `then`, since the beginning: wakes whoever has slept until now.
    pub(super) fn pass_until(&self, then: Duration) {
        let now = nanoseconds(then);
        self.0.now_ns.store(now, Relaxed);
        let mut sleeping = self.sleeping();
        let later = sleeping.split_off(&(now + 1, 0));
        let woken = std::mem::replace(&mut *sleeping, later);
        drop(sleeping);
        woken.into_values().for_each(Waker::wake);
    }
}

fn nanoseconds(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

impl Timer for Time {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let key = (nanoseconds(deadline - self.0.start), self.0.next.fetch_add(1, Relaxed));
        Box::pin(Sleeping { time: self.clone(), key })
    }

    fn now(&self) -> Instant {
        self.0.start + self.passed()
    }
}

struct Sleeping {
    time: Time,
    key: (u64, u64),
}

impl Future for Sleeping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        if self.time.0.now_ns.load(Relaxed) >= self.key.0 {
            return Poll::Ready(());
        }
        self.time.sleeping().insert(self.key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        self.time.sleeping().remove(&self.key);
    }
}

impl Sleep for Sleeping {}
