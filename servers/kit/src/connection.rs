//! One HTTP connection: hyper's, with the timeouts and the drain around it.
//!
//! What holds, with one timer per connection that is armed anew only when it fires or must fire sooner:
//! - a head is complete within `header_timeout` of its first byte (the first head: of the accept), or the answer is
//!   408 and the connection closes; nothing is answered where nothing was received;
//! - a connection on which nothing is read or written for `idle_timeout` between two requests closes; this also ends
//!   one whose client does not take its answers;
//! - while an operation runs the connection waits for it, however long it takes (bodies have their own timeout).
//!
//! hyper's own `header_read_timeout` covers idle keep-alive connections too, so one value would have to serve
//! both purposes; it never answers 408; and it allocates, registers and removes a timer for every
//! request. Here a request costs one reading of the clock. The price is one inexactness: the beginning of a next
//! head that arrives together with the end of a request is not seen, so if nothing follows it the idle timeout
//! ends it.

use std::{
    future::Future,
    io,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::Instant,
};

use app::Endpoint;
use hyper::{
    Request, StatusCode,
    body::Incoming,
    rt::{Read, ReadBufCursor, Sleep, Write},
    server::conn::http1,
};

use crate::{
    accept::Membership,
    execute::Execute,
    service::{Answer, ResponseFuture, Service},
    shutdown::Wait,
};

/// The longest head: request line and header fields. Within it any number of long fields is refused alike (431).
pub const MAX_HEAD_BYTES: usize = 16 * 1024;

/// The most that hyper buffers of one connection, each way.
const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// How often the stream may be read in one poll of the connection before the others have their turn. A client that
/// sends faster than it is read gives hyper no reason to stop where it looks for the end of something (a chunk size of
/// zeros), and a runtime that does not ration its streams itself would never look at a timer again. Less than
/// tokio's own ration of 128 for a task, which the timers draw on as well: with none left they do not fire.
const READS_PER_POLL: u32 = 64;

const TIMED_OUT: &[u8] = b"HTTP/1.1 408 Request Timeout\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";

/// Serves one connection outside an accept loop, to its end: for benchmarks and tests that bring their own stream.
pub fn serve<Io, E>(io: Io, service: Service<E>) -> Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    Connection::new(io, service, None)
}

/// A connection's future; spawn it. It ends when the connection does.
#[must_use = "futures do nothing unless polled"]
pub struct Connection<Io, E: Execute>
where
    Io: Read + Write + Unpin,
{
    state: State<Io, E>,
    service: Service<E>,
    activity: Arc<Activity>,
    clock: Clock,
    draining: Option<Wait>,
    _membership: Option<Membership>,
}

#[expect(
    clippy::large_enum_variant,
    reason = "nearly every connection is Serving all its life; boxing it would cost each one an allocation"
)]
enum State<Io, E: Execute>
where
    Io: Read + Write + Unpin,
{
    Serving(http1::Connection<Watched<Io>, Tracked<E>>),
    /// Sends the 408, of which `sent` bytes are gone.
    TimedOut {
        io: Watched<Io>,
        sent: usize,
    },
    Ended,
}

/// When the present phase began, and the timer that ends it.
struct Clock {
    seen: Snapshot,
    since: Instant,
    armed: Option<Armed>,
}

struct Armed {
    sleep: Pin<Box<dyn Sleep>>,
    /// When it fires.
    at: Instant,
    /// Whom it wakes.
    waker: Waker,
}

impl<Io, E> Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    pub(crate) fn new(io: Io, service: Service<E>, membership: Option<(Membership, Wait)>) -> Self {
        let activity = Arc::new(Activity::default());
        let watched = Watched { io, activity: Arc::clone(&activity) };
        let tracked = Tracked { service: service.clone(), activity: Arc::clone(&activity) };
        let http = http1::Builder::new()
            // See the module's documentation. Without it hyper needs no timer.
            .header_read_timeout(None)
            .keep_alive(true)
            // A client that shut down its sending half is gone: an operation for it would be wasted.
            .half_close(false)
            .max_header_size(MAX_HEAD_BYTES)
            // The number of fields keeps hyper's default of 100, which is parsed on the stack; any value set here,
            // also 100, would be parsed on the heap.
            .max_buf_size(MAX_BUFFER_BYTES)
            // Head and body leave in one piece: a copy of a short body costs less than a gathering write.
            .writev(false)
            // Would hold back an answer while the next request of a pipeline is in the works or only half there.
            .pipeline_flush(false)
            .serve_connection(watched, tracked);
        let clock = Clock { seen: activity.snapshot(), since: service.timer().now(), armed: None };
        service.site().metrics.accepted();
        let (membership, draining) = membership.unzip();
        Self { state: State::Serving(http), service, activity, clock, draining, _membership: membership }
    }

    /// Polls hyper, tells it to drain when it is time to, and reports the end.
    fn poll_http(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let State::Serving(http) = &mut self.state else { return Poll::Ready(()) };
        let mut http = Pin::new(http);
        let mut outcome = http.as_mut().poll(context);
        // What has arrived already is answered before the connection learns of the drain.
        let raised =
            self.draining.as_mut().is_some_and(|draining| Pin::new(draining).poll(context).is_ready());
        if outcome.is_pending() && raised {
            self.draining = None;
            http.as_mut().graceful_shutdown();
            outcome = http.poll(context);
        }
        outcome.map(|result| {
            if let Err(error) = result {
                tracing::debug!(%error, "a connection ended early");
            }
        })
    }

    /// Whether the present phase has lasted too long; if not, sees to it that this is asked again when it has.
    fn poll_timeout(&mut self, context: &mut Context<'_>) -> Poll<Phase> {
        let timer = self.service.timer();
        let limits = &self.service.site().limits;
        let now = timer.now();
        let seen = self.activity.snapshot();
        if seen != self.clock.seen {
            if !seen.is_the_same_head_as(&self.clock.seen) {
                self.clock.since = now;
            }
            self.clock.seen = seen;
        }
        let allowed = match seen.phase {
            Phase::Busy => return Poll::Pending,
            Phase::Idle if seen.requests > 0 => limits.idle_timeout,
            Phase::Idle | Phase::Head => limits.header_timeout,
        };
        let deadline = self.clock.since + allowed;
        if now >= deadline {
            return Poll::Ready(seen.phase);
        }
        let armed = match self.clock.armed.take() {
            Some(armed)
                if now < armed.at && armed.at <= deadline && armed.waker.will_wake(context.waker()) =>
            {
                self.clock.armed = Some(armed);
                return Poll::Pending;
            }
            Some(mut armed) => {
                timer.reset(&mut armed.sleep, deadline);
                Armed { at: deadline, waker: context.waker().clone(), ..armed }
            }
            None => {
                Armed { sleep: timer.sleep_until(deadline), at: deadline, waker: context.waker().clone() }
            }
        };
        // A timer of coarse grain may fire a little early: that counts as fired.
        self.clock.armed.insert(armed).sleep.as_mut().poll(context).map(|()| seen.phase)
    }

    fn time_out(&mut self, phase: Phase) {
        let State::Serving(http) = std::mem::replace(&mut self.state, State::Ended) else { return };
        // No 408 into the middle of an answer that the client does not take.
        if matches!(phase, Phase::Head) && !self.activity.write_blocked.load(Relaxed) {
            self.service.site().metrics.answered(None::<Endpoint>, StatusCode::REQUEST_TIMEOUT);
            self.state = State::TimedOut { io: http.into_parts().io, sent: 0 };
        }
    }
}

impl<Io, E> Future for Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    type Output = ();

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let this = self.get_mut();
        this.activity.reads_in_this_poll.store(0, Relaxed);
        if let State::Serving(_) = this.state {
            if this.poll_http(context).is_ready() {
                return Poll::Ready(());
            }
            match this.poll_timeout(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(phase) => this.time_out(phase),
            }
        }
        if let State::TimedOut { io, sent } = &mut this.state {
            // One attempt: a client that has not even room for these bytes is not worth another timer.
            while *sent < TIMED_OUT.len() {
                match Pin::new(&mut *io).poll_write(context, &TIMED_OUT[*sent..]) {
                    Poll::Ready(Ok(count @ 1..)) => *sent += count,
                    _ => break,
                }
            }
        }
        Poll::Ready(())
    }
}

impl<Io, E> Drop for Connection<Io, E>
where
    Io: Read + Write + Unpin,
    E: Execute,
{
    fn drop(&mut self) {
        self.service.site().metrics.closed();
    }
}

/// What a connection is doing, as far as timeouts care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
enum Phase {
    /// Nothing of the next request was seen.
    Idle,
    /// Some of a head was.
    Head,
    /// A request is being answered.
    Busy,
}

impl Phase {
    fn of(byte: u8) -> Self {
        match byte {
            byte if byte == Self::Head as u8 => Self::Head,
            byte if byte == Self::Busy as u8 => Self::Busy,
            _ => Self::Idle,
        }
    }
}

/// What the stream and the service saw, for the connection around them. One task writes and reads all of it; it is
/// atomic only because that task may move between threads.
#[derive(Debug, Default)]
struct Activity {
    phase: AtomicU8,
    requests: AtomicU32,
    writes: AtomicU32,
    write_blocked: AtomicBool,
    reads_in_this_poll: AtomicU32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
struct Snapshot {
    phase: Phase,
    requests: u32,
    writes: u32,
}

impl Snapshot {
    /// Bytes that trickle in do not give a head more time.
    fn is_the_same_head_as(&self, earlier: &Self) -> bool {
        (self.phase, self.requests) == (Phase::Head, earlier.requests) && earlier.phase == Phase::Head
            // The first head's time runs from the accept.
            || self.requests == 0
    }
}

impl Activity {
    fn snapshot(&self) -> Snapshot {
        Snapshot {
            phase: Phase::of(self.phase.load(Relaxed)),
            requests: self.requests.load(Relaxed),
            writes: self.writes.load(Relaxed),
        }
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// For counters that only one task writes.
    fn increment(counter: &AtomicU32) {
        counter.store(counter.load(Relaxed).wrapping_add(1), Relaxed);
    }
}

/// A stream that notes what passes through it.
struct Watched<Io> {
    io: Io,
    activity: Arc<Activity>,
}

impl<Io: Read + Unpin> Read for Watched<Io> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.activity.reads_in_this_poll.load(Relaxed) >= READS_PER_POLL {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        Activity::increment(&self.activity.reads_in_this_poll);
        let outcome = Pin::new(&mut self.io).poll_read(context, buffer);
        // Ready without bytes is the end of the stream, at which hyper closes: no need to tell it apart.
        if outcome.is_ready() && self.activity.phase.load(Relaxed) == Phase::Idle as u8 {
            self.activity.enter(Phase::Head);
        }
        outcome
    }
}

impl<Io: Write + Unpin> Write for Watched<Io> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let outcome = Pin::new(&mut self.io).poll_write(context, bytes);
        self.activity.write_blocked.store(outcome.is_pending(), Relaxed);
        if outcome.is_ready() {
            Activity::increment(&self.activity.writes);
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

/// The service of one connection: notes when a request is being answered.
struct Tracked<E> {
    service: Service<E>,
    activity: Arc<Activity>,
}

impl<E: Execute> hyper::service::Service<Request<Incoming>> for Tracked<E> {
    type Response = Answer;
    type Error = std::convert::Infallible;
    type Future = TrackedFuture<E>;

    fn call(&self, request: Request<Incoming>) -> TrackedFuture<E> {
        Activity::increment(&self.activity.requests);
        let future = self.service.respond(request);
        let busy = match future {
            ResponseFuture::Ready(_) => {
                self.activity.enter(Phase::Idle);
                None
            }
            ResponseFuture::Running(_) | ResponseFuture::Boxed(_) => {
                self.activity.enter(Phase::Busy);
                Some(Arc::clone(&self.activity))
            }
        };
        TrackedFuture { future, busy }
    }
}

/// A [`ResponseFuture`] that notes its end.
struct TrackedFuture<E: Execute> {
    future: ResponseFuture<E>,
    busy: Option<Arc<Activity>>,
}

impl<E: Execute> Future for TrackedFuture<E> {
    type Output = Result<Answer, std::convert::Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let outcome = Pin::new(&mut self.future).poll(context);
        if outcome.is_ready()
            && let Some(activity) = self.busy.take()
        {
            activity.enter(Phase::Idle);
        }
        outcome
    }
}
