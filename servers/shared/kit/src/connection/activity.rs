//! What one connection is doing: noted by its stream and its service, read by the connection around them.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, AtomicU8, AtomicU32, Ordering::Relaxed},
    },
    task::{Context, Poll, ready},
};

use hyper::{
    Request, Version,
    body::Incoming,
    header::{CONNECTION, HeaderValue},
    rt::{Read, ReadBufCursor, Write},
};

use super::{
    parting::Parting,
    version::{self, Raised},
};
use crate::{
    drain::Drain,
    execute::Execute,
    framing::Excess,
    runtime::Peer,
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
    /// The stream is to look whether the client is still there, and whether it has sent something.
    look: AtomicBool,
    /// It has, since this was last asked.
    looked: AtomicBool,
    /// Which answer is the last one.
    pub(super) parting: Parting,
    reads_in_this_poll: AtomicU32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
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
    /// Of a connection that `drain` ends.
    pub(super) fn new(drain: Option<Arc<Drain>>) -> Self {
        Self { parting: Parting::new(drain), ..Self::default() }
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let phase = match Phase::of(self.phase.load(Relaxed)) {
            // A client that takes its answers slowly may have sent the beginning of a next request long before.
            Phase::Head if self.is_write_blocked() => Phase::Idle,
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

    /// Has the stream look whether the client is still there, and what it has sent, when it is next flushed, which every poll of hyper's
    /// does; where answers are to be written first and the client does not take them, it is not looked before it does.
    pub(super) fn look(&self) {
        self.look.store(true, Relaxed);
    }

    /// Whether it is still to look.
    pub(super) fn is_to_look(&self) -> bool {
        self.look.load(Relaxed)
    }

    /// Whether it has looked, if this was not told before.
    pub(super) fn take_looked(&self) -> bool {
        self.looked.swap(false, Relaxed)
    }

    /// Whether the client does not take what it is sent.
    pub(super) fn is_write_blocked(&self) -> bool {
        self.write_blocked.load(Relaxed)
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
    /// What the kernel knows of the client.
    pub(super) peer: fn(&Io) -> Peer,
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
            let (requests, bytes) = self.io.requests();
            self.activity.parting.has_read(bytes, requests);
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
        if self.activity.look.swap(false, Relaxed) {
            let peer = (self.peer)(self.io.get_ref());
            if peer.is_gone {
                return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
            }
            self.activity.parting.has_seen(peer.unread_bytes);
            self.activity.looked.store(true, Relaxed);
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
        let is_busy = match &future {
            ResponseFuture::Ready(answer) => {
                if let Some(answer) = answer {
                    self.activity.answered(answer);
                }
                false
            }
            ResponseFuture::Running(_) | ResponseFuture::Boxed(_) => {
                self.activity.enter(Phase::Busy);
                true
            }
        };
        let activity = Arc::clone(&self.activity);
        TrackedFuture { future, activity, number, is_busy, is_held: false, http_1_0_is_kept }
    }
}

/// A [`ResponseFuture`] that notes its end, and says of its answer whether it is the last one.
pub(super) struct TrackedFuture<E: Execute> {
    future: ResponseFuture<E>,
    activity: Arc<Activity>,
    /// The request, counted from 1.
    number: u32,
    is_busy: bool,
    /// The answer is ready, and waits for a look at what is behind it.
    is_held: bool,
    /// Whether a client of HTTP/1.0, if it is one, asks that its connection be kept.
    http_1_0_is_kept: Option<bool>,
}

impl<E: Execute> Future for TrackedFuture<E> {
    type Output = Result<Answer, std::convert::Infallible>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let Ok(mut answer) = ready!(Pin::new(&mut this.future).poll(context));
        if std::mem::take(&mut this.is_busy) {
            this.activity.answered(&answer);
        }
        // What has the field already says that it is the last one.
        if this.activity.parting.is_stopping() && !answer.headers().contains_key(CONNECTION) {
            let has_looked = this.is_held && !this.activity.is_to_look();
            match this.activity.parting.is_last(this.number, has_looked) {
                Some(false) => {}
                Some(true) => {
                    this.activity.parting.announce();
                    answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
                }
                // The connection polls again when the stream has looked.
                None => {
                    this.activity.look();
                    this.is_held = true;
                    this.future = ResponseFuture::Ready(Some(answer));
                    return Poll::Pending;
                }
            }
        }
        if let Some(is_kept) = this.http_1_0_is_kept {
            version::finish(&mut answer, is_kept);
        }
        Poll::Ready(Ok(answer))
    }
}
