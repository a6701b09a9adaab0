//! The way of an outcome back: one value from a pool's thread to the task that waits for it, on whatever runtime.
//!
//! One lock, held for an assignment. Whoever takes it second sees what the other left: the outcome, or whom to wake.

use std::{
    future::Future,
    pin::Pin,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    task::{Context, Poll, Waker},
};

use crate::execute::{Outcome, Refused};

#[derive(Debug, Default)]
struct State {
    outcome: Option<Outcome>,
    waiting: Option<Waker>,
}

type Shared = Arc<Mutex<State>>;

fn lock(shared: &Shared) -> MutexGuard<'_, State> {
    // An assignment cannot leave it half-changed.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Where the outcome comes from. Dropped without one, the operation counts as failed.
#[derive(Debug)]
pub(crate) struct Sender(Option<Shared>);

/// Where the outcome arrives.
#[derive(Debug)]
pub(crate) struct Receiver(Shared);

pub(crate) fn channel() -> (Sender, Receiver) {
    let shared = Shared::default();
    (Sender(Some(Arc::clone(&shared))), Receiver(shared))
}

impl Sender {
    /// Sends the outcome, whether or not anybody still waits for it.
    pub(crate) fn send(mut self, outcome: Outcome) {
        self.put(outcome);
    }

    fn put(&mut self, outcome: Outcome) {
        let Some(shared) = self.0.take() else { return };
        let mut state = lock(&shared);
        state.outcome = Some(outcome);
        let waiting = state.waiting.take();
        drop(state);
        // Outside the lock: who is woken may poll at once.
        if let Some(waker) = waiting {
            waker.wake();
        }
    }
}

impl Drop for Sender {
    fn drop(&mut self) {
        self.put(Err(Refused::Panicked));
    }
}

impl Future for Receiver {
    type Output = Outcome;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Outcome> {
        let mut state = lock(&self.0);
        match state.outcome.take() {
            Some(outcome) => Poll::Ready(outcome),
            None => {
                match &mut state.waiting {
                    Some(waker) => waker.clone_from(context.waker()),
                    none => *none = Some(context.waker().clone()),
                }
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        sync::atomic::{AtomicUsize, Ordering},
        task::Wake,
    };

    use super::*;

    #[derive(Default)]
    struct Woken(AtomicUsize);

    impl Wake for Woken {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn whoever_waits_is_woken_once_and_finds_the_outcome() {
        let woken = Arc::new(Woken::default());
        let waker = Waker::from(Arc::clone(&woken));
        let (sender, mut receiver) = channel();
        // The waker of the last poll counts.
        assert!(Pin::new(&mut receiver).poll(&mut Context::from_waker(Waker::noop())).is_pending());
        assert!(Pin::new(&mut receiver).poll(&mut Context::from_waker(&waker)).is_pending());
        sender.send(crate::execute::run_here(&app::Operation::Simple));
        assert_eq!(woken.0.load(Ordering::SeqCst), 1);
        let outcome = Pin::new(&mut receiver).poll(&mut Context::from_waker(&waker));
        assert!(matches!(outcome, Poll::Ready(Ok(_))), "{outcome:?}");
    }

    #[test]
    fn an_operation_that_nobody_will_run_has_failed() {
        let (sender, mut receiver) = channel();
        drop(sender);
        let outcome = Pin::new(&mut receiver).poll(&mut Context::from_waker(Waker::noop()));
        assert!(matches!(outcome, Poll::Ready(Err(Refused::Panicked))), "{outcome:?}");
    }
}
