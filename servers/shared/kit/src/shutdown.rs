//! A one-way signal that any number of tasks, on any runtime, can wait for.
//!
//! Two levels use it. One signal for the process is raised by a stop signal ([`crate::signals`]); every accept loop
//! waits for that one and has a second of its own, by which it tells its connections (`drain`). So connections on
//! different cores never meet on one lock; whether the first is up they may all look, without one.
//!
//! The protocol. The flag goes from false to true once and is stored before the registry is locked to wake it;
//! a waiter that finds the flag down registers its waker under the same lock after looking at the flag again. Either the
//! waiter sees the flag, or the waker is there to be woken: no wake-up is lost. A poll that finds the flag
//! down and its waker registered costs one load and one comparison.

use std::{
    future::Future,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, Waker},
};

use slab::Slab;

/// The signal. Clones are the same signal.
#[derive(Clone, Debug, Default)]
pub struct Shutdown(Arc<State>);

#[derive(Debug, Default)]
struct State {
    raised: AtomicBool,
    wakers: Mutex<Slab<Waker>>,
}

impl State {
    fn wakers(&self) -> MutexGuard<'_, Slab<Waker>> {
        // A waker that panicked while it was woken leaves the registry itself whole.
        self.wakers.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Shutdown {
    /// A signal that is down.
    pub fn new() -> Self {
        Self::default()
    }

    /// Raises the signal and wakes everyone who waits. Raising it again does nothing.
    pub fn raise(&self) {
        if self.0.raised.swap(true, Ordering::SeqCst) {
            return;
        }
        // Woken outside the lock: a waker may poll at once, and the poll may want to unregister.
        let wakers: Vec<Waker> = self.0.wakers().drain().collect();
        for waker in wakers {
            waker.wake();
        }
    }

    /// Whether the signal is up.
    pub fn is_raised(&self) -> bool {
        self.0.raised.load(Ordering::Acquire)
    }

    /// A future that ends when the signal is up.
    pub fn wait(&self) -> Wait {
        Wait { state: Arc::clone(&self.0), registered: None }
    }
}

/// For a thread that serves a listener of its own: raises the signal when the thread ends, be it by a panic.
///
/// The kernel goes on giving connections to that listener. Without this the server would seem to serve, and leave the clients of one
/// share waiting for ever: whoever joins its threads in turn waits for another one.
#[derive(Debug)]
#[must_use = "dropped at once, it raises the signal at once"]
pub struct EndsTogether(Shutdown);

impl EndsTogether {
    /// To be held by the thread for as long as it serves.
    pub fn with(shutdown: &Shutdown) -> Self {
        Self(shutdown.clone())
    }
}

impl Drop for EndsTogether {
    fn drop(&mut self) {
        self.0.raise();
    }
}

/// Waits for a [`Shutdown`]; made by [`Shutdown::wait`].
#[derive(Debug)]
#[must_use = "futures do nothing unless polled"]
pub struct Wait {
    state: Arc<State>,
    registered: Option<(usize, Waker)>,
}

impl Future for Wait {
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        if this.state.raised.load(Ordering::Acquire) {
            return Poll::Ready(());
        }
        if this.registered.as_ref().is_some_and(|(_, waker)| waker.will_wake(context.waker())) {
            return Poll::Pending;
        }
        let mut wakers = this.state.wakers();
        if this.state.raised.load(Ordering::SeqCst) {
            return Poll::Ready(());
        }
        let waker = context.waker().clone();
        match &mut this.registered {
            Some((key, registered)) => {
                registered.clone_from(&waker);
                wakers[*key] = waker;
            }
            None => this.registered = Some((wakers.insert(waker.clone()), waker)),
        }
        Poll::Pending
    }
}

impl Drop for Wait {
    fn drop(&mut self) {
        if let Some((key, _)) = self.registered.take() {
            // Raising the signal empties the registry, so the key may be gone; keys are never given out again then.
            drop(self.state.wakers().try_remove(key));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{pin::pin, sync::atomic::AtomicUsize, task::Wake};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Wake for Counting {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    #[test]
    fn everyone_who_waits_is_woken_once() {
        let shutdown = Shutdown::new();
        let woken = Arc::new(Counting::default());
        let waker = Waker::from(Arc::clone(&woken));
        let mut context = Context::from_waker(&waker);
        let mut waits = [shutdown.wait(), shutdown.wait(), shutdown.wait()];
        for wait in &mut waits {
            assert!(Pin::new(&mut *wait).poll(&mut context).is_pending());
            assert!(Pin::new(wait).poll(&mut context).is_pending());
        }
        shutdown.raise();
        shutdown.raise();
        assert_eq!(woken.0.load(Ordering::SeqCst), 3);
        for wait in &mut waits {
            assert!(Pin::new(wait).poll(&mut context).is_ready());
        }
    }

    #[test]
    fn a_wait_that_is_dropped_leaves_nothing_behind() {
        let shutdown = Shutdown::new();
        {
            let mut wait = pin!(shutdown.wait());
            assert!(wait.as_mut().poll(&mut Context::from_waker(Waker::noop())).is_pending());
            assert_eq!(shutdown.0.wakers().len(), 1);
        }
        assert!(shutdown.0.wakers().is_empty());
    }

    #[test]
    fn a_thread_that_panics_takes_the_others_with_it() {
        let shutdown = Shutdown::new();
        let together = EndsTogether::with(&shutdown);
        let serving = std::thread::spawn(move || {
            let _together = together;
            panic!("as this test wants it");
        });
        assert!(serving.join().is_err());
        assert!(shutdown.is_raised());
    }

    #[test]
    fn a_signal_from_another_thread_is_never_missed() {
        struct Unpark(std::thread::Thread);
        impl Wake for Unpark {
            fn wake(self: Arc<Self>) {
                self.0.unpark();
            }
        }
        for _ in 0..200 {
            let shutdown = Shutdown::new();
            let raiser = std::thread::spawn({
                let shutdown = shutdown.clone();
                move || shutdown.raise()
            });
            let waker = Waker::from(Arc::new(Unpark(std::thread::current())));
            let mut context = Context::from_waker(&waker);
            let mut wait = pin!(shutdown.wait());
            let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
            while wait.as_mut().poll(&mut context).is_pending() {
                std::thread::park_timeout(std::time::Duration::from_secs(10));
                assert!(std::time::Instant::now() < deadline, "the wake-up was lost");
            }
            assert!(raiser.join().is_ok());
        }
    }
}
