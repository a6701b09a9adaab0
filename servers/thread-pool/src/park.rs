//! How a thread waits: in poll(2), for its socket, for a wake-up, or for its next deadline.
//!
//! One thread runs one future at a time ([`Parker::block_on`]). While the future is polled it leaves what it waits for with
//! the thread: a source of readiness ([`watch`]) and deadlines ([`wake_at`]). What neither of them tells comes through
//! the [`Waker`]: a drain, a connection that ended.
//!
//! The protocol of wake-ups. A thread is AWAKE, NOTIFIED or PARKED. The waker sets NOTIFIED, and writes the eventfd only if
//! the thread was PARKED before: so it writes once for each time that the thread parks, and never while it
//! runs. The thread parks by going from AWAKE to PARKED in one atomic step; if that fails it was notified since it was last
//! AWAKE, and polls again instead. When poll(2) returns it goes back to AWAKE before it polls the future: a wake-up
//! before that step is followed by the poll, one after it keeps the thread from parking. None is lost. A write that
//! comes late leaves the eventfd readable, and the next poll(2) returns for nothing once, which is all that it costs.
//!
//! Refuses to know what is waited for: HTTP, connections, the pool.

use std::{
    cell::{Cell, RefCell},
    future::Future,
    io,
    os::fd::{AsFd, OwnedFd},
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{
            AtomicU8, AtomicU64,
            Ordering::{AcqRel, Acquire, Relaxed},
        },
    },
    task::{Context, Poll, Wake, Waker},
    time::{Duration, Instant},
};

use rustix::event::{EventfdFlags, PollFd, PollFlags, Timespec, eventfd, poll};

use crate::io::Source;

const AWAKE: u8 = 0;
const NOTIFIED: u8 = 1;
const PARKED: u8 = 2;

/// How long to wait before poll(2) is tried again where it fails for want of memory.
const PAUSE: Duration = Duration::from_millis(10);

thread_local! {
    static SOURCE: RefCell<Weak<Source>> = const { RefCell::new(Weak::new()) };
    static DEADLINES: RefCell<Vec<(u64, Instant)>> = const { RefCell::new(Vec::new()) };
    static FAILED: Cell<bool> = const { Cell::new(false) };
}

/// Numbers of deadlines, unique in the process: one that is cancelled on another thread than it was set on cancels nothing.
static DEADLINES_SET: AtomicU64 = AtomicU64::new(0);

/// Has the calling thread wait for what `source` wants, as long as somebody else keeps it. A thread waits for one source: the
/// last one given.
pub(crate) fn watch(source: &Arc<Source>) {
    SOURCE.with_borrow_mut(|watched| {
        if watched.as_ptr() != Arc::as_ptr(source) {
            *watched = Arc::downgrade(source);
        }
    });
}

/// Has the calling thread poll again at `deadline`, once. The number is for [`forget`].
pub(crate) fn wake_at(deadline: Instant) -> u64 {
    let number = DEADLINES_SET.fetch_add(1, Relaxed);
    DEADLINES.with_borrow_mut(|deadlines| deadlines.push((number, deadline)));
    number
}

/// Ends [`wake_at`], if its deadline has not passed before.
pub(crate) fn forget(number: u64) {
    let _ = DEADLINES.try_with(|deadlines| deadlines.borrow_mut().retain(|&(other, _)| other != number));
}

/// What one thread parks with.
pub(crate) struct Parker {
    signal: Arc<Signal>,
    waker: Waker,
}

struct Signal {
    state: AtomicU8,
    event: OwnedFd,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(NOTIFIED, AcqRel) == PARKED {
            // Fails only where the counter is full, and then the eventfd is readable.
            let _ = rustix::io::write(&self.event, &1_u64.to_ne_bytes());
        }
    }
}

impl Parker {
    /// # Errors
    /// No eventfd is to be had: the limit of open files, as a rule.
    pub(crate) fn new() -> io::Result<Self> {
        let event = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?;
        let signal = Arc::new(Signal { state: AtomicU8::new(AWAKE), event });
        Ok(Self { waker: Waker::from(Arc::clone(&signal)), signal })
    }

    /// Runs `future` to its end on the calling thread.
    pub(crate) fn block_on<F: Future>(&self, future: F) -> F::Output {
        let mut future = pin!(future);
        let mut context = Context::from_waker(&self.waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                return output;
            }
            self.park();
        }
    }

    /// Returns when there is a reason to poll again, or for no reason.
    fn park(&self) {
        let state = &self.signal.state;
        let source = SOURCE.with_borrow(Weak::upgrade);
        if state.compare_exchange(AWAKE, PARKED, AcqRel, Acquire).is_ok() {
            self.wait(source.as_deref());
        } else if let Some(source) = source {
            // The kernel was not asked and may have more by now, which must be read at a stop.
            source.may_have_more();
        }
        state.swap(AWAKE, AcqRel);
    }

    fn wait(&self, source: Option<&Source>) {
        let now = Instant::now();
        let next = DEADLINES.with_borrow(|deadlines| deadlines.iter().map(|&(_, at)| at).min());
        let timeout = next.map(|at| timespec(at.saturating_duration_since(now)));
        let interest = source.map_or(PollFlags::empty(), Source::interest);
        // The kernel looks at them in this order: who sees the wake-up that a stop caused also sees what came before it.
        let mut polled = [
            PollFd::new(&self.signal.event, PollFlags::IN),
            PollFd::from_borrowed_fd(source.map_or(self.signal.event.as_fd(), Source::as_fd), interest),
        ];
        // A source that nothing is wanted of is left out: the kernel would report its end again and again.
        let count = if interest.is_empty() { 1 } else { 2 };
        match poll(&mut polled[..count], timeout.as_ref()) {
            Ok(1..) => {}
            // A deadline. It is done with, whether or not anyone asks for it: else no wait would be one any more.
            Ok(0) => {
                let now = Instant::now();
                DEADLINES.with_borrow_mut(|deadlines| deadlines.retain(|&(_, at)| at > now));
            }
            Err(rustix::io::Errno::INTR) => return,
            Err(error) => {
                if !FAILED.replace(true) {
                    tracing::error!(%error, "poll(2) fails; trying again for ever");
                }
                std::thread::sleep(PAUSE);
            }
        }
        if !polled[0].revents().is_empty() {
            let _ = rustix::io::read(&self.signal.event, &mut [0_u8; 8]);
        }
        if let Some(source) = source {
            source.reported(polled[1].revents());
        }
    }
}

fn timespec(duration: Duration) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        tv_nsec: duration.subsec_nanos().into(),
    }
}
