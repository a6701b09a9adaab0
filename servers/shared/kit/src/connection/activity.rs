//! What one connection is doing: noted by its stream and its service, read by the connection around them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll},
};

use hyper::{
    Request, Version,
    body::Incoming,
    header::CONNECTION,
    rt::{Read, ReadBufCursor, Write},
};

use super::version::{self, Raised};
use crate::{
    execute::Execute,
    framing::Excess,
    service::{Answer, ResponseFuture, Service},
    strict::Strict,
};

/// How often the stream may be read in one poll of the connection before the others have their turn. A client that
/// sends faster than it is read gives hyper no reason to stop where it looks for the end of something, and a
/// runtime that does not ration its streams itself would never look at a timer again. Less than tokio's own
/// ration of 128 for a task, which its timers draw on as well: with none left they do not fire.
const READS_PER_POLL: u32 = 64;

/// What a connection is doing, as far as timeouts care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum Phase {
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

/// What the stream and the service saw. One task writes and reads all of it; it is atomic only because that task may
/// move between threads.
#[derive(Debug, Default)]
pub(super) struct Activity {
    phase: AtomicU8,
    requests: AtomicU32,
    writes: AtomicU32,
    write_blocked: AtomicBool,
    /// What was read last ends within a request.
    partial: AtomicBool,
    /// A request was refused in a way that closes the connection.
    refused: AtomicBool,
    /// A request asked for another protocol.
    asked_to_upgrade: AtomicBool,
    /// The request whose head was too long, counted from 1.
    excess: OnceLock<(u32, Excess)>,
    /// The stream is to look whether the client is still there.
    look: AtomicBool,
    reads_in_this_poll: AtomicU32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Snapshot {
    pub(super) phase: Phase,
    pub(super) requests: u32,
    pub(super) writes: u32,
}

impl Snapshot {
    /// Bytes that trickle in do not give a head more time.
    pub(super) fn is_the_same_head_as(&self, earlier: &Self) -> bool {
        (self.phase, self.requests) == (Phase::Head, earlier.requests) && earlier.phase == Phase::Head
            // The first head's time runs from the accept.
            || self.requests == 0
    }
}

impl Activity {
    pub(super) fn snapshot(&self) -> Snapshot {
        let phase = match Phase::of(self.phase.load(Relaxed)) {
            // A client that takes its answers slowly may have sent the beginning of a next request long before.
            Phase::Head if self.write_blocked.load(Relaxed) => Phase::Idle,
            phase => phase,
        };
        Snapshot { phase, requests: self.requests.load(Relaxed), writes: self.writes.load(Relaxed) }
    }

    /// The connection is polled anew.
    pub(super) fn begin_poll(&self) {
        self.reads_in_this_poll.store(0, Relaxed);
    }

    /// Whether the client is likely to be still sending what nobody will read.
    pub(super) fn leaves_bytes_unread(&self) -> bool {
        self.refused.load(Relaxed) || self.partial.load(Relaxed)
    }

    /// Has the stream look whether the client is still there when it is next flushed, which every poll of hyper's does.
    pub(super) fn look(&self) {
        self.look.store(true, Relaxed);
    }

    /// Whether a request asked for another protocol, if this was not told before.
    pub(super) fn take_asked_to_upgrade(&self) -> bool {
        self.asked_to_upgrade.swap(false, Relaxed)
    }

    fn answered(&self, answer: &Answer) {
        let within_head = self.partial.load(Relaxed);
        self.enter(if within_head { Phase::Head } else { Phase::Idle });
        if !answer.status().is_success() && answer.headers().contains_key(CONNECTION) {
            self.refuse();
        }
    }

    /// Notes that a request was refused in a way that closes the connection.
    pub(super) fn refuse(&self) {
        self.refused.store(true, Relaxed);
    }

    fn enter(&self, phase: Phase) {
        self.phase.store(phase as u8, Relaxed);
    }

    /// By what the head of the request with this number was too long, if it was.
    fn excess_of(&self, request: u32) -> Option<Excess> {
        self.excess.get().filter(|(number, _)| *number == request).map(|(_, excess)| *excess)
    }

    /// For counters that only one task writes; the new count.
    fn increment(counter: &AtomicU32) -> u32 {
        let count = counter.load(Relaxed).wrapping_add(1);
        counter.store(count, Relaxed);
        count
    }
}

/// A stream that notes what passes through it.
pub(super) struct Watched<Io> {
    pub(super) io: Strict<Io>,
    pub(super) activity: Arc<Activity>,
    pub(super) version: Raised,
    /// Whether the client has reset the connection.
    pub(super) is_gone: fn(&Io) -> bool,
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
        if outcome.is_ready() {
            self.activity.partial.store(self.io.is_within_message(), Relaxed);
            if let Some(excess) = self.io.excess() {
                // Only ever one: nothing is read behind it.
                self.activity.excess.get_or_init(|| excess);
            }
            // Empty lines between requests are no beginning of one, and what was read whole is answered at once.
            if self.io.is_within_message() && self.activity.phase.load(Relaxed) == Phase::Idle as u8 {
                self.activity.enter(Phase::Head);
            }
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
        let this = &mut *self;
        let bytes = this.version.instead_of(bytes);
        let outcome = Pin::new(&mut this.io).poll_write(context, &bytes);
        this.activity.write_blocked.store(outcome.is_pending(), Relaxed);
        if let Poll::Ready(outcome) = &outcome {
            Activity::increment(&this.activity.writes);
            this.version.wrote(*outcome.as_ref().unwrap_or(&0));
        }
        outcome
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.activity.look.swap(false, Relaxed) && (self.is_gone)(self.io.get_ref()) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        Pin::new(&mut self.io).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(context)
    }
}

/// The service of one connection: notes when a request is being answered.
pub(super) struct Tracked<E> {
    pub(super) service: Service<E>,
    pub(super) activity: Arc<Activity>,
}

impl<E: Execute> hyper::service::Service<Request<Incoming>> for Tracked<E> {
    type Response = Answer;
    type Error = std::convert::Infallible;
    type Future = TrackedFuture<E>;

    fn call(&self, request: Request<Incoming>) -> TrackedFuture<E> {
        let number = Activity::increment(&self.activity.requests);
        // The one extension that hyper adds as it is set up here.
        if !request.extensions().is_empty() {
            self.activity.asked_to_upgrade.store(true, Relaxed);
        }
        let is_1_0 = request.version() < Version::HTTP_11;
        let http_1_0_is_kept = is_1_0.then(|| version::asks_to_keep(request.headers()));
        let future = match self.activity.excess_of(number) {
            None => self.service.respond(request),
            Some(excess) => self.service.refuse_too_long(request, excess),
        };
        let busy = match &future {
            ResponseFuture::Ready(answer) => {
                if let Some(answer) = answer {
                    self.activity.answered(answer);
                }
                None
            }
            ResponseFuture::Running(_) | ResponseFuture::Boxed(_) => {
                self.activity.enter(Phase::Busy);
                Some(Arc::clone(&self.activity))
            }
        };
        TrackedFuture { future, busy, http_1_0_is_kept }
    }
}

/// A [`ResponseFuture`] that notes its end.
pub(super) struct TrackedFuture<E: Execute> {
    future: ResponseFuture<E>,
    busy: Option<Arc<Activity>>,
    /// Whether a client of HTTP/1.0, if it is one, asks that its connection be kept.
    http_1_0_is_kept: Option<bool>,
}

impl<E: Execute> Future for TrackedFuture<E> {
    type Output = Result<Answer, std::convert::Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut outcome = Pin::new(&mut self.future).poll(context);
        if let Poll::Ready(Ok(answer)) = &mut outcome {
            if let Some(activity) = self.busy.take() {
                activity.answered(answer);
            }
            if let Some(is_kept) = self.http_1_0_is_kept {
                version::finish(answer, is_kept);
            }
        }
        outcome
    }
}
