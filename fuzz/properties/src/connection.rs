//! A server's whole connection in memory: kit's, over a stream that a [`Script`] plays, on a clock that stands still
//! until nothing else can happen.
//!
//! It polls as a runtime would: again only after a wake-up, or after something happened that the connection waits for.
//! A wake-up that is lost therefore shows as a request without an answer.

use std::{
    cell::RefCell,
    future::{Ready, ready},
    io,
    pin::{Pin, pin},
    sync::{
        Arc, OnceLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use app::Operation;
use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};
use kit::{
    args::{Config, Limits},
    execute::{Execute, Outcome, Refused, run_here},
    policy::Policy,
    runtime::Peer,
    service::{Service, Site},
    shutdown::Shutdown,
};

use crate::{
    Violation,
    delivery::{Delivery, Pieces},
    violation,
    woken::Woken,
};

/// The most bytes of a request's content.
pub const MAX_CONTENT_BYTES: usize = 100;

/// The server's name, its answers' `origin`.
pub const SERVER: &str = "fuzz";

/// Every timeout of the server: longer than the longest delay that a request can ask for.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(3600);
pub(crate) const LONGEST_DELAY: Duration = Duration::from_secs(60);

/// `GET / HTTP/1.0` and two line feeds.
const SHORTEST_REQUEST_BYTES: u32 = 16;

/// What the client does when all is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Nothing.
    Silence,
    /// Closes.
    Close,
    /// Nothing, for longer than any timeout.
    Timeouts,
}

/// What a client does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Script<'a> {
    /// The bytes, and how they arrive.
    pub delivery: Delivery<'a>,
    /// What comes after them.
    pub end: End,
    /// The most bytes that one write takes, after which the next must wait. `None`: all.
    pub room: Option<usize>,
}

impl<'a> Script<'a> {
    /// Reads the flags of an input: the end from the low two bits, the room in units of 16 bytes from the others.
    pub fn of(delivery: Delivery<'a>) -> Self {
        let end = match delivery.flags & 3 {
            1 => End::Close,
            2 => End::Timeouts,
            _ => End::Silence,
        };
        // A timeout's answer is tried once: a client without room for it may get a part.
        let room =
            Some(usize::from(delivery.flags >> 2) * 16).filter(|room| *room > 0 && end != End::Timeouts);
        Self { delivery, end, room }
    }

    /// The same bytes in one piece to a server that can write what it likes.
    #[must_use]
    pub fn whole(self) -> Self {
        Self { delivery: self.delivery.whole(), end: self.end, room: None }
    }
}

/// What came of a script.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// All that the server wrote.
    pub written: Vec<u8>,
    /// The server ended the connection.
    pub is_over: bool,
    /// How many bytes the server did not read.
    pub unread: usize,
}

/// Computes what is cheap on the spot and is too busy for all else, so that time is spent on HTTP.
#[derive(Clone, Copy, Debug, Default)]
pub struct Frugal;

impl Frugal {
    /// Whether `operation` is computed.
    pub fn computes(operation: &Operation) -> bool {
        match *operation {
            Operation::Simple | Operation::Delay { .. } => true,
            Operation::Complex { iterations } => iterations <= 1_000,
            Operation::Randoms { count, .. } => count <= 100,
            Operation::Fault(_) => false,
        }
    }

    /// The outcome, or that it is too busy.
    pub(crate) fn outcome(self, operation: &Operation) -> Outcome {
        if Self::computes(operation) {
            run_here(operation)
        } else {
            Err(Refused::Busy { retry_after: Duration::from_secs(1) })
        }
    }
}

impl Execute for Frugal {
    type Future = Ready<Outcome>;

    fn execute(&self, operation: Operation) -> Self::Future {
        ready(self.outcome(&operation))
    }
}

/// What the server is set up with.
pub(crate) fn config() -> &'static Config {
    static CONFIG: OnceLock<Config> = OnceLock::new();
    CONFIG.get_or_init(|| Config {
        listen: ([127, 0, 0, 1], 0).into(),
        workers: 1,
        cpus: [0].into_iter().collect(),
        limits: Limits {
            max_connections: 1,
            max_body_bytes: MAX_CONTENT_BYTES as u64,
            header_timeout: TIMEOUT,
            body_timeout: TIMEOUT,
            idle_timeout: TIMEOUT,
            drain_timeout: TIMEOUT,
            linger: TIMEOUT,
        },
        policy: Policy::Enforced,
        faults: app::Faults::Off,
    })
}

/// Plays a script to a connection of its own, of a server of its own.
///
/// # Errors
/// The connection does not come to rest.
pub fn play<E: Execute>(execute: E, script: Script<'_>) -> Result<Played, Violation> {
    let clock = Clock::start();
    let site = Site::new(SERVER, config(), Shutdown::new());
    let service = Service::new(site, execute, clock.clone());
    let wire = RefCell::new(Wire::new(script));
    let is_over =
        drive(kit::connection::serve(Stream(&wire), service, |_| Peer::default()), &wire, &clock, script)?;
    let wire = wire.into_inner();
    let unread = wire.unread();
    Ok(Played { written: wire.written, is_over, unread })
}

/// Polls a connection until nothing more can happen; whether it ended.
fn drive(
    connection: impl Future<Output = ()>,
    wire: &RefCell<Wire<'_>>,
    clock: &Clock,
    script: Script<'_>,
) -> Result<bool, Violation> {
    let mut connection = pin!(connection);
    let woken = Arc::new(Woken::default());
    let waker = Waker::from(Arc::clone(&woken));
    let mut context = Context::from_waker(&waker);
    // For the timeouts of head, content and idling, and one to see that nothing is left.
    let mut hours = 4;
    let mut polls = 0;
    // As long as the longest delays of as many requests as the bytes have room for: what waits longer is never answered, and the
    // connection's looks for its client would go on for ever.
    let mut patience = LONGEST_DELAY * (1 + script.delivery.bytes.len() as u32 / SHORTEST_REQUEST_BYTES);
    loop {
        polls += 1;
        let bound = 200 + 8 * script.delivery.bytes.len() + wire.borrow().written.len();
        if polls > bound {
            return violation!("the connection is still at work after {polls} polls");
        }
        clock.0.wanted.store(u64::MAX, Relaxed);
        if connection.as_mut().poll(&mut context).is_ready() {
            return Ok(true);
        }
        if woken.0.swap(false, Relaxed) || wire.borrow_mut().goes_on() {
            continue;
        }
        let now = clock.0.elapsed_ns.load(Relaxed);
        let wanted = clock.0.wanted.load(Relaxed);
        if wanted <= now + LONGEST_DELAY.as_nanos() as u64
            && let Some(left) = patience.checked_sub(Duration::from_nanos(wanted - now))
        {
            patience = left;
            clock.0.elapsed_ns.store(wanted, Relaxed);
            continue;
        }
        match script.end {
            End::Close if !wire.borrow().is_closed => wire.borrow_mut().is_closed = true,
            End::Timeouts if hours > 0 => {
                hours -= 1;
                clock.0.elapsed_ns.store(now + TIMEOUT.as_nanos() as u64, Relaxed);
            }
            _ => return Ok(false),
        }
    }
}

/// The client's end of a stream.
struct Wire<'a> {
    pieces: Pieces<'a>,
    piece: &'a [u8],
    /// The present piece comes only when nothing else happens.
    is_awaited: bool,
    is_closed: bool,
    written: Vec<u8>,
    room: Option<usize>,
    is_full: bool,
}

impl<'a> Wire<'a> {
    fn new(script: Script<'a>) -> Self {
        Self {
            pieces: script.delivery.pieces(),
            piece: &[],
            is_awaited: false,
            is_closed: false,
            written: Vec::with_capacity(1024),
            room: script.room,
            is_full: false,
        }
    }

    /// Lets the client take bytes, or send the piece that was awaited: one thing at a time. Whether there was one.
    fn goes_on(&mut self) -> bool {
        std::mem::take(&mut self.is_full) || std::mem::take(&mut self.is_awaited)
    }

    fn unread(&self) -> usize {
        self.piece.len() + self.pieces.clone().map(|piece| piece.bytes.len()).sum::<usize>()
    }
}

struct Stream<'w, 'a>(&'w RefCell<Wire<'a>>);

impl Read for Stream<'_, '_> {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        let mut wire = self.0.borrow_mut();
        while wire.piece.is_empty() {
            let Some(piece) = wire.pieces.next() else {
                return if wire.is_closed { Poll::Ready(Ok(())) } else { Poll::Pending };
            };
            (wire.piece, wire.is_awaited) = (piece.bytes, piece.awaited);
        }
        if wire.is_awaited {
            return Poll::Pending;
        }
        let (now, later) = wire.piece.split_at(wire.piece.len().min(buffer.remaining()));
        buffer.put_slice(now);
        wire.piece = later;
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream<'_, '_> {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let mut wire = self.0.borrow_mut();
        if wire.is_full {
            return Poll::Pending;
        }
        let count = wire.room.unwrap_or(bytes.len()).min(bytes.len());
        wire.is_full = wire.room.is_some();
        wire.written.extend_from_slice(&bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A clock that the driver moves. Its sleeps wake nobody: they say what they wait for, and are polled when it is time.
#[derive(Clone)]
struct Clock(Arc<Time>);

struct Time {
    start: Instant,
    elapsed_ns: AtomicU64,
    /// The earliest end of the sleeps that were polled since this was last `u64::MAX`.
    wanted: AtomicU64,
}

struct Sleeping(Clock, u64);

impl Clock {
    fn start() -> Self {
        Self(Arc::new(Time {
            start: Instant::now(),
            elapsed_ns: AtomicU64::new(0),
            wanted: AtomicU64::new(u64::MAX),
        }))
    }
}

impl Future for Sleeping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        let time = &self.0.0;
        if time.elapsed_ns.load(Relaxed) >= self.1 {
            return Poll::Ready(());
        }
        time.wanted.fetch_min(self.1, Relaxed);
        Poll::Pending
    }
}

impl Sleep for Sleeping {}

impl Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        let deadline = u64::try_from((deadline - self.0.start).as_nanos()).unwrap_or(u64::MAX);
        Box::pin(Sleeping(self.clone(), deadline))
    }

    fn now(&self) -> Instant {
        self.0.start + Duration::from_nanos(self.0.elapsed_ns.load(Relaxed))
    }
}
