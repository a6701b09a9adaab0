//! A connection that is polled by hand: its stream, its clock, and what it answers.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};
use kit::{
    args::{Config, Limits},
    connection,
    execute::Execute,
    policy::Policy,
    runtime::Peer,
    service::{Service, Site},
    shutdown::Shutdown,
};

/// A stream of given bytes, and what was written to it.
#[derive(Clone, Default)]
pub(crate) struct Stream {
    pub(crate) unread: Arc<Mutex<Vec<u8>>>,
    written: Arc<Mutex<Vec<u8>>>,
    /// What lies in the socket, of which the runtime has not heard.
    pub(crate) unheard: Arc<Mutex<Vec<u8>>>,
    /// The client takes nothing.
    pub(crate) full: Arc<AtomicBool>,
    /// The client has ended its sending half.
    pub(crate) ended: Arc<AtomicBool>,
    /// The client has reset the connection, which a read would tell.
    pub(crate) reset: Arc<AtomicBool>,
    /// How often was looked whether it has.
    pub(crate) looks: Arc<AtomicUsize>,
}

impl Stream {
    fn peer(&self) -> Peer {
        self.looks.fetch_add(1, SeqCst);
        let unread = self.unread.lock().unwrap().len() + self.unheard.lock().unwrap().len();
        Peer { is_gone: self.reset.load(SeqCst), unread_bytes: unread as u64 }
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reset.load(SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut unread = self.unread.lock().unwrap();
        if unread.is_empty() {
            return if self.ended.load(SeqCst) { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let count = unread.len().min(buffer.remaining());
        buffer.put_slice(&unread[..count]);
        unread.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        if self.full.load(SeqCst) {
            return Poll::Pending;
        }
        self.written.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A clock that stands still until the test moves it; its sleeps wake nobody, since the test polls.
#[derive(Clone)]
pub(crate) struct Clock(Arc<Mutex<Instant>>);

struct Sleeping(Clock, Instant);

impl Future for Sleeping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.now() >= self.1 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Sleep for Sleeping {}

impl Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Sleeping(self.clone(), deadline))
    }

    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }
}

impl Clock {
    fn advance(&self, milliseconds: u64) {
        *self.0.lock().unwrap() += Duration::from_millis(milliseconds);
    }
}

/// How long a connection that was refused something is read from.
pub(crate) const LINGER_MILLISECONDS: u64 = 1_000;
pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const HEAD: &[u8] = b"GET /simple HTTP/1.1\r\nHost: test\r\n\r\n";

/// One connection, polled by hand.
pub(crate) struct Played<E: Execute> {
    pub(crate) stream: Stream,
    pub(crate) clock: Clock,
    pub(crate) connection: connection::Connection<Stream, E>,
    pub(crate) site: Arc<Site>,
}

impl<E: Execute> Played<E> {
    /// A header timeout of one second, an idle timeout of ten, a linger of a fifth.
    pub(crate) fn new(execute: E) -> Self {
        Self::with(execute, |_| ())
    }

    /// The same with other limits.
    pub(crate) fn with(execute: E, change: impl FnOnce(&mut Limits)) -> Self {
        let mut limits = Limits {
            max_connections: 1,
            max_body_bytes: 100,
            header_timeout: SECOND,
            body_timeout: 5 * SECOND,
            idle_timeout: 10 * SECOND,
            drain_timeout: SECOND,
            linger: SECOND / 5,
        };
        change(&mut limits);
        let listen = ([127, 0, 0, 1], 0).into();
        let cpus = [0].into_iter().collect();
        let config =
            Config { listen, workers: 1, cpus, limits, policy: Policy::Enforced, faults: app::Faults::Off };
        let site = Site::new("test", &config, Shutdown::new());
        let clock = Clock(Arc::new(Mutex::new(Instant::now())));
        let stream = Stream::default();
        let service = Service::new(Arc::clone(&site), execute, clock.clone());
        let stopping = site.stopping.clone();
        let connection = connection::serve_until(stream.clone(), service, Stream::peer, stopping);
        Self { stream, clock, connection, site }
    }

    /// Lets the client send `bytes`; what is answered, and whether the connection is over.
    pub(crate) fn send(&mut self, bytes: &[u8]) -> (String, bool) {
        self.stream.unread.lock().unwrap().extend_from_slice(bytes);
        let over = Pin::new(&mut self.connection).poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let written = std::mem::take(&mut *self.stream.written.lock().unwrap());
        (String::from_utf8(written).unwrap(), over)
    }

    /// The runtime hears of what lies in the socket.
    pub(crate) fn hear(&mut self) -> (String, bool) {
        let bytes = std::mem::take(&mut *self.stream.unheard.lock().unwrap());
        self.send(&bytes)
    }

    /// The server is told to stop.
    pub(crate) fn stop(&mut self) -> (String, bool) {
        self.site.stopping.raise();
        self.send(b"")
    }

    pub(crate) fn wait(&mut self, milliseconds: u64) -> (String, bool) {
        self.clock.advance(milliseconds);
        self.send(b"")
    }
}

/// No answer, and the connection stays.
pub(crate) fn nothing() -> (String, bool) {
    (String::new(), false)
}
