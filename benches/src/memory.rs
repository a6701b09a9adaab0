//! The HTTP service of the controlled rows without a kernel: a connection whose stream is memory.

use std::future::Future;
use std::io;
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};
use kit::args::{Config, Limits};
use kit::execute::Inline;
use kit::policy::Policy;
use kit::runtime::Peer;
use kit::service::{Service, Site};
use kit::shutdown::Shutdown;

/// The name by which answers are signed.
const SERVER: &str = "in-memory";

/// What came out of a connection.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Written {
    /// How many bytes in all.
    pub bytes: u64,
    /// How many writes they took.
    pub writes: u64,
    /// The bytes of the last write.
    pub last: Vec<u8>,
}

/// A service that runs operations where their request was read, as one worker of one process.
pub fn service(policy: Policy) -> io::Result<Service<Inline>> {
    let limit = Duration::from_secs(3600);
    let config = Config {
        listen: ([127, 0, 0, 1], 0).into(),
        workers: 1,
        cpus: host::cpus::CpuSet::allowed()?,
        limits: Limits {
            max_connections: 1,
            max_body_bytes: 1 << 20,
            header_timeout: limit,
            body_timeout: limit,
            idle_timeout: limit,
            drain_timeout: limit,
            linger: limit,
        },
        policy,
        faults: app::Faults::Off,
    };
    Ok(Service::new(Site::new(SERVER, &config, Shutdown::new()), Inline, NoTimer))
}

/// Serves `count` times the bytes of `request` on one connection, each in a read of its own as a waiting client
/// would send them, and returns what was written until the connection ended.
///
/// # Panics
///
/// If the service waits for something: what is served here must be done at once.
pub fn serve(service: &Service<Inline>, request: &[u8], count: u64) -> Written {
    let written = Arc::new(Mutex::new(Written::default()));
    let stream =
        Stream { request: request.to_vec(), left: count, written: Arc::clone(&written), read: false };
    let mut connection = pin!(kit::connection::serve(stream, service.clone(), |_| Peer::default()));
    let mut context = Context::from_waker(Waker::noop());
    // Each poll serves a request at least; two are allowed for the beginning and the end.
    let ended = (0..count + 2).any(|_| connection.as_mut().poll(&mut context).is_ready());
    assert!(ended, "the connection waits after {count} requests");
    let mut written = written.lock().unwrap_or_else(PoisonError::into_inner);
    std::mem::take(&mut *written)
}

/// A client that sends the same request again and again, and takes every answer.
struct Stream {
    request: Vec<u8>,
    left: u64,
    /// Whether the request was read and its answer not written yet.
    read: bool,
    written: Arc<Mutex<Written>>,
}

impl Read for Stream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.read {
            // The client waits for its answer; the task that writes it is the one that is polled.
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        if self.left > 0 {
            self.left -= 1;
            self.read = true;
            buffer.put_slice(&self.request);
        }
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream {
    fn poll_write(mut self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.read = false;
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        written.bytes += bytes.len() as u64;
        written.writes += 1;
        written.last.clear();
        written.last.extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A timer that tells the time and never fires: no limit is reached in a benchmark.
struct NoTimer;

struct Never;

impl Future for Never {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        Poll::Pending
    }
}

impl Sleep for Never {}

impl Timer for NoTimer {
    fn sleep(&self, _: Duration) -> Pin<Box<dyn Sleep>> {
        Box::pin(Never)
    }

    fn sleep_until(&self, _: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Never)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use app::{Expectation, Operation};

    #[test]
    fn every_request_is_answered_in_one_write() {
        let service = service(Policy::Enforced).unwrap();
        let written = serve(&service, b"GET /simple HTTP/1.1\r\nHost: c\r\n\r\n", 50);
        assert_eq!(written.writes, 50);
        assert_eq!(written.bytes, 50 * written.last.len() as u64);
        let body = written.last.split(|&byte| byte == b'\n').next_back().unwrap();
        assert_eq!(Expectation::of(&Operation::Simple).matches(body), Ok(()));
    }

    #[test]
    fn a_body_comes_back() {
        let request = b"POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\n\r\nhello";
        let written = serve(&service(Policy::Enforced).unwrap(), request, 3);
        assert!(written.last.ends_with(b"\r\n\r\nhello"), "{written:?}");
    }
}
