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
//! within a poll, which never suspends and is never inlined into the code that does.

use std::{
    future::Future,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering::AcqRel},
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
    let mut future = Box::pin(future);
    let body = move || {
        // Dropped within the guard: dropping can panic as well.
        catch_unwind(AssertUnwindSafe(move || block_on(&timer, future.as_mut()))).ok()
    };
    // Without address space for a stack may panics, which must cost this connection alone.
    catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: thread-locals are used only in `poll`, which does not suspend and is not inlined. The stack is as large as
        // `--stack-size` says, which holds for the deepest poll with room to spare (see `crate::DEFAULT_STACK_BYTES`), and below it
        // lies a guard page, at which may abandons a coroutine that overflows before it writes to anybody's memory.
        unsafe { Builder::new().spawn(body) }
    }))
    .unwrap_or_else(|_| Err(std::io::Error::other("no memory for a coroutine's stack")))
}

/// Waits for `future` in the calling coroutine.
pub fn block_on<F: Future>(timer: &Timer, mut future: Pin<&mut F>) -> F::Output {
    let wait = Wait::own();
    let waker = Waker::from(Arc::clone(&wait));
    let mut in_a_row = 0;
    loop {
        if let Poll::Ready(output) = poll(future.as_mut(), &waker) {
            return output;
        }
        in_a_row = if wait.take_woken() { in_a_row + 1 } else { 0 };
        if in_a_row == 0 {
            wait.suspend();
        } else if in_a_row < POLLS_IN_A_ROW {
            coroutine::yield_now();
        } else {
            timer.wake_at(Instant::now(), waker.clone());
            wait.suspend();
            in_a_row = 0;
        }
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
    /// The socket to wait at, if any.
    place: Mutex<Option<Arc<Readiness>>>,
    coroutine: Coroutine,
}

impl Wait {
    fn new(coroutine: Coroutine) -> Self {
        Self { woken: AtomicBool::new(false), place: Mutex::default(), coroutine }
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

    fn suspend(&self) {
        let place = self.place().clone();
        match place {
            Some(socket) => socket.wait(),
            None => coroutine::park(),
        }
        // The poll that follows sees whatever this was raised for.
        self.take_woken();
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
mod tests {
    use std::{thread, time::Duration};

    use hyper::rt::Timer as _;
    use kit::shutdown::Shutdown;

    use super::*;

    #[test]
    fn a_panic_ends_its_coroutine_and_drops_what_it_held() {
        let timer = Timer::start().unwrap();
        let held = Arc::new(());
        let kept = Arc::clone(&held);
        let panicking = spawn(timer.clone(), async move {
            let _kept = kept;
            panic!("as it should");
        });
        assert!(matches!(panicking.unwrap().join(), Ok(None)));
        assert_eq!(Arc::strong_count(&held), 1);
        assert!(matches!(spawn(timer, async { 7 }).unwrap().join(), Ok(Some(7))));
    }

    #[test]
    fn a_wake_up_from_another_thread_is_never_missed() {
        let timer = Timer::start().unwrap();
        for _ in 0..500 {
            let shutdown = Shutdown::new();
            let waiting = spawn(timer.clone(), shutdown.wait()).unwrap();
            let raiser = thread::spawn(move || shutdown.raise());
            assert!(matches!(waiting.join(), Ok(Some(()))));
            assert!(raiser.join().is_ok());
        }
    }

    #[test]
    fn a_deadline_ends_a_wait_also_after_a_reset() {
        let timer = Timer::start().unwrap();
        let sleeping = timer.clone();
        let ended = spawn(timer, async move {
            let mut sleep = sleeping.sleep(Duration::from_secs(3600));
            let polled = std::future::poll_fn(|context| Poll::Ready(sleep.as_mut().poll(context))).await;
            assert!(polled.is_pending());
            sleeping.reset(&mut sleep, Instant::now() + Duration::from_millis(5));
            sleep.await;
        });
        assert!(matches!(ended.unwrap().join(), Ok(Some(()))));
    }

    #[test]
    fn a_future_that_wakes_itself_lets_others_run() {
        let timer = Timer::start().unwrap();
        let stop = Shutdown::new();
        let (seen, raised) = (stop.clone(), stop);
        let restless = spawn(
            timer.clone(),
            std::future::poll_fn(move |context| {
                context.waker().wake_by_ref();
                if seen.is_raised() { Poll::Ready(()) } else { Poll::Pending }
            }),
        );
        let other = timer.clone();
        let ended = spawn(timer, async move {
            other.sleep(Duration::from_millis(5)).await;
            raised.raise();
        });
        assert!(matches!(ended.unwrap().join(), Ok(Some(()))));
        assert!(matches!(restless.unwrap().join(), Ok(Some(()))));
    }
}
