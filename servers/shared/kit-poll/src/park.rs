//! How a thread waits: in poll(2), for its socket, for a wake-up, or for its next deadline.
//!
//! One thread runs one future at a time ([`Parker::block_on`]). While the future is polled it leaves what it waits for with
//! the thread: a source of readiness ([`watch`]) and deadlines ([`wake_at`]), for as long as their owners live. What neither of them tells comes through
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
    os::fd::AsFd as _,
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicU8, Ordering::SeqCst},
    },
    task::{Context, Poll, Wake, Waker},
    thread,
    time::{Duration, Instant},
};

use host::waker::Bell;
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::Errno,
};

use crate::source::Source;

const AWAKE: u8 = 0;
const NOTIFIED: u8 = 1;
const PARKED: u8 = 2;

/// How long to wait before poll(2) is tried again where the kernel has no memory for it.
const PAUSE: Duration = Duration::from_millis(10);

thread_local! {
    static SOURCE: RefCell<Weak<Source>> = const { RefCell::new(Weak::new()) };
    /// Of the source. What was reported is wanted no longer, so that what nobody has a use for at present ends one wait
    /// and not all that follow.
    static WANTED: Cell<PollFlags> = const { Cell::new(PollFlags::empty()) };
    /// Each with its owner.
    static DEADLINES: RefCell<Vec<(Instant, Weak<()>)>> = const { RefCell::new(Vec::new()) };
}

/// Has the calling thread wait until `source` is ready for `wanted`. A thread waits for one source: the last one given.
pub(crate) fn watch(source: &Arc<Source>, wanted: PollFlags) {
    SOURCE.with_borrow_mut(|watched| {
        if watched.as_ptr() == Arc::as_ptr(source) {
            WANTED.set(WANTED.get() | wanted);
        } else {
            *watched = Arc::downgrade(source);
            WANTED.set(wanted);
        }
    });
}

/// Has the calling thread poll again at `deadline`, once, if `owner` still lives then.
pub(crate) fn wake_at(deadline: Instant, owner: &Arc<()>) {
    DEADLINES.with_borrow_mut(|deadlines| deadlines.push((deadline, Arc::downgrade(owner))));
}

/// What one thread parks with.
#[derive(Debug)]
pub struct Parker {
    signal: Arc<Signal>,
    waker: Waker,
}

#[derive(Debug)]
struct Signal {
    state: AtomicU8,
    event: Bell,
}

impl Wake for Signal {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        if self.state.swap(NOTIFIED, SeqCst) == PARKED {
            self.event.ring();
        }
    }
}

impl Parker {
    /// For the thread that will park with it.
    ///
    /// # Errors
    /// No eventfd is to be had: the limit of open files, as a rule.
    pub fn new() -> io::Result<Self> {
        let signal = Arc::new(Signal { state: AtomicU8::new(AWAKE), event: Bell::new()? });
        Ok(Self { waker: Waker::from(Arc::clone(&signal)), signal })
    }

    /// Runs `future` to its end on the calling thread.
    pub fn block_on<F: Future>(&self, future: F) -> F::Output {
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
        let source = SOURCE.with_borrow(Weak::upgrade);
        if self.signal.state.compare_exchange(AWAKE, PARKED, SeqCst, SeqCst).is_ok() {
            self.wait(source.as_deref());
        } else if let Some(source) = source {
            // The kernel was not asked and may have more by now, which must be read at a stop.
            source.may_have_more();
        }
        self.signal.state.swap(AWAKE, SeqCst);
    }

    fn wait(&self, source: Option<&Source>) {
        let next = DEADLINES.with_borrow_mut(|deadlines| {
            deadlines.retain(|(_, owner)| owner.strong_count() > 0);
            deadlines.iter().map(|&(at, _)| at).min()
        });
        let timeout = next.map(|at| at.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        let wanted = WANTED.get();
        // The kernel looks at them in this order: who sees the wake-up that a stop caused also sees what came before it.
        let mut polled = [
            PollFd::new(&self.signal.event, PollFlags::IN),
            PollFd::from_borrowed_fd(source.map_or(self.signal.event.as_fd(), Source::as_fd), wanted),
        ];
        // A source that nothing is wanted of is left out: the kernel would report its end again and again.
        let count = if source.is_none() || wanted.is_empty() { 1 } else { 2 };
        match poll(&mut polled[..count], timeout.as_ref()) {
            Ok(1..) | Err(Errno::INTR) => {}
            // A deadline. It is done with, whether or not anyone asks for it: else no wait would be one any more.
            Ok(0) => {
                let now = Instant::now();
                DEADLINES.with_borrow_mut(|deadlines| deadlines.retain(|&(at, _)| at > now));
            }
            Err(_) => thread::sleep(PAUSE),
        }
        if !polled[0].revents().is_empty() {
            self.signal.event.silence();
        }
        let reported = polled[1].revents();
        if let Some(source) = source
            && !reported.is_empty()
        {
            // Errors and the end are reported unasked, and concern both directions.
            let ended = reported.intersects(PollFlags::ERR | PollFlags::HUP | PollFlags::NVAL);
            WANTED.set(if ended { PollFlags::empty() } else { wanted - reported });
            source.may_have_more();
        }
    }
}
