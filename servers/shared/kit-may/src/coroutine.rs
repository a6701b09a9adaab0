//! A future in a coroutine of its own: polled, and suspended while it is pending.
//!
//! What ends a suspension is an event at the socket that the future found blocking, or the future's waker (a drain, a
//! deadline of [`crate::timer`], the reply of another thread). The protocol between the two:
//!
//! - The coroutine (1) polls; a socket that would block takes the coroutine's *place* meanwhile; (2) takes the `woken` flag
//!   and, if it was down, (3) suspends at that place: in may's wait for the socket, or, where there is none, in `park`.
//! - A waker (1) raises `woken` and, if it was down, (2) looks up the place and (3) wakes whoever waits there.
//!
//! Both exchange the flag, so one comes first. If the waker does, the coroutine sees the flag and polls again. If the
//! coroutine does, the waker sees the place that was taken before, and both waits keep a wake-up that comes before the
//! suspension (may's flag of the socket, `park`'s token). An event at the socket itself sets the same flag.
//!
//! May's workers look for events only when no coroutine is ready, so one that is always ready would starve the
//! sockets of its worker. A future that wakes itself is therefore polled at most [`POLLS_IN_A_ROW`] times before the
//! coroutine suspends for good, woken by the timer's thread: meanwhile its worker comes by its epoll.
//!
//! A coroutine may wake up on another thread. Thread-locals (the worker's name, counters, buffers) are read only
//! within a poll, or where the future is dropped; neither is ever inlined into the code that suspends, and neither suspends: a
//! [`block_on`] within another one's future is refused.
//!
//! May may run a coroutine that is woken while it parks on top of its own parking, and if that coroutine ends there, may waits
//! for the parking that lies below to end: for ever, at full speed. So whoever has parked yields once before it goes on, and
//! ends on a stack of its own.

use std::{
    cell::Cell,
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{
            AtomicBool,
            Ordering::{AcqRel, Relaxed},
        },
    },
    task::{Context, Poll, Wake, Waker},
    time::Instant,
};

use may::coroutine::{self, Builder, Coroutine, JoinHandle};

use crate::{readiness::Readiness, timer::Timer, worker};

/// How often a future that wakes itself is polled before its worker looks for events: 16 requests each of hyper's.
const POLLS_IN_A_ROW: u32 = 4;

may::coroutine_local!(static WAIT: Arc<Wait> = Arc::new(Wait::new(coroutine::current())));

/// Runs `future` in a coroutine of its own, on whichever worker. A panic ends that coroutine and nothing else: joined, it then
/// gives `None`.
///
/// # Errors
/// No memory for its stack.
#[expect(unsafe_code, reason = "may cannot know what a coroutine does with thread-locals and its stack")]
pub fn spawn<F>(timer: Timer, future: F) -> std::io::Result<JoinHandle<Option<F::Output>>>
where
    F: Future<Output: Send> + Send + 'static,
{
    let mut future = Held(Some(Box::pin(future)));
    let body = move || {
        let here = Here::enter();
        let waiting = &here;
        // Dropped within the guard: dropping can panic as well.
        let outcome = catch_unwind(AssertUnwindSafe(move || {
            let output = waiting.wait_for(&timer, future.pinned());
            drop(future);
            output
        }));
        here.leave();
        outcome.ok()
    };
    // Without address space for a stack may panics, which must cost this connection alone.
    catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: thread-locals are used only in `poll` and in the end of `Held`, which are not inlined and do not suspend: `Here`
        // refuses it there. The stack is as large as `--stack-size` says, which holds for the deepest poll with room to spare (see
        // `crate::DEFAULT_STACK_BYTES`), and below it lies a guard page, at which may abandons a coroutine that overflows before it
        // writes to anybody's memory.
        unsafe { Builder::new().spawn(body) }
    }))
    .unwrap_or_else(|_| Err(std::io::Error::other("no memory for a coroutine's stack")))
}

/// Waits for `future` in the calling coroutine.
///
/// # Panics
/// Outside a coroutine, and within the future of a coroutine, which must not suspend but say that it is pending.
pub fn block_on<F: Future>(timer: &Timer, future: Pin<&mut F>) -> F::Output {
    let here = Here::enter();
    let output = here.wait_for(timer, future);
    here.leave();
    output
}

/// The calling coroutine while it waits for a future: one at a time, or the poll of one would suspend in another's.
struct Here {
    wait: Arc<Wait>,
    parked: Cell<bool>,
}

impl Here {
    fn enter() -> Self {
        assert!(coroutine::is_coroutine(), "only a coroutine can wait for a future here: spawn one");
        let wait = Wait::own();
        let entered = wait.entered.swap(true, Relaxed);
        assert!(!entered, "a future must not wait for another by suspending its coroutine: await it");
        Self { wait, parked: Cell::new(false) }
    }

    fn wait_for<F: Future>(&self, timer: &Timer, mut future: Pin<&mut F>) -> F::Output {
        let waker = Waker::from(Arc::clone(&self.wait));
        let mut in_a_row = 0;
        loop {
            if let Poll::Ready(output) = poll(future.as_mut(), &waker) {
                return output;
            }
            in_a_row = if self.wait.take_woken() { in_a_row + 1 } else { 0 };
            if in_a_row == 0 {
                self.suspend();
            } else if in_a_row < POLLS_IN_A_ROW {
                coroutine::yield_now();
            } else {
                timer.wake_at(Instant::now(), waker.clone());
                self.suspend();
                in_a_row = 0;
            }
        }
    }

    fn suspend(&self) {
        if self.wait.suspend() {
            self.parked.set(true);
        }
    }

    /// Has the coroutine go on from where nothing of its parking lies below it.
    fn leave(self) {
        if self.parked.get() {
            coroutine::yield_now();
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.wait.entered.store(false, Relaxed);
    }
}

/// A future that is dropped as it is polled: apart from the code that suspends.
struct Held<F>(Option<Pin<Box<F>>>);

impl<F> Held<F> {
    fn pinned(&mut self) -> Pin<&mut F> {
        self.0.as_mut().expect("held until it is dropped").as_mut()
    }
}

impl<F> Drop for Held<F> {
    #[inline(never)]
    fn drop(&mut self) {
        self.0 = None;
    }
}

#[inline(never)]
fn poll<F: Future>(future: Pin<&mut F>, waker: &Waker) -> Poll<F::Output> {
    worker::name_this_thread();
    future.poll(&mut Context::from_waker(waker))
}

/// Where one coroutine waits.
#[derive(Debug)]
pub(crate) struct Wait {
    woken: AtomicBool,
    /// The coroutine waits for a future. Nobody else looks at this.
    entered: AtomicBool,
    /// The socket to wait at, if any.
    place: Mutex<Option<Arc<Readiness>>>,
    coroutine: Coroutine,
}

impl Wait {
    fn new(coroutine: Coroutine) -> Self {
        Self {
            woken: AtomicBool::new(false),
            entered: AtomicBool::new(false),
            place: Mutex::default(),
            coroutine,
        }
    }

    /// The calling coroutine's.
    #[inline(never)]
    fn own() -> Arc<Self> {
        WAIT.with(Arc::clone)
    }

    fn place(&self) -> MutexGuard<'_, Option<Arc<Readiness>>> {
        self.place.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take_woken(&self) -> bool {
        self.woken.swap(false, AcqRel)
    }

    /// Whether it parked.
    fn suspend(&self) -> bool {
        let place = self.place().clone();
        match &place {
            Some(socket) => socket.wait(),
            None => coroutine::park(),
        }
        // The poll that follows sees whatever this was raised for.
        self.take_woken();
        place.is_none()
    }
}

impl Wake for Wait {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.woken.swap(true, AcqRel) {
            return;
        }
        match &*self.place() {
            Some(socket) => socket.waker().wakeup(),
            None => self.coroutine.unpark(),
        }
    }
}

/// A socket's hold on the coroutine that polls it. Dropped with the socket, which gives the place up.
#[derive(Debug, Default)]
pub(crate) struct Place(OnceLock<Arc<Wait>>);

impl Place {
    /// The calling coroutine is to wait for `socket` from now on.
    pub(crate) fn take(&self, socket: &Arc<Readiness>) {
        self.0.get_or_init(|| {
            let wait = Wait::own();
            *wait.place() = Some(Arc::clone(socket));
            wait
        });
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        if let Some(wait) = self.0.take() {
            *wait.place() = None;
        }
    }
}

#[cfg(test)]
mod tests;
