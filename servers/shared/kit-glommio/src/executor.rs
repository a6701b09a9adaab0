//! A glommio executor, and kit's runtime interface on it.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    os::fd::{FromRawFd, IntoRawFd},
    panic::AssertUnwindSafe,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use futures_lite::FutureExt as _;
use glommio::{GlommioError, LocalExecutorBuilder, Placement, net::TcpListener, timer::Timer};
use kit::{
    accept::{self, Drained},
    execute::Execute,
    runtime::{Peer, Runtime},
    service::{Service, Site},
    start::Error,
};
use send_wrapper::SendWrapper;

use crate::{io::Stream, needs::GLOMMIO};

/// Memory that each executor registers for storage I/O, of which this server does none: glommio's least. Its default of
/// 10 MiB is more than the usual locked-memory limit of 8 MiB grants a whole process.
const IO_MEMORY_BYTES: usize = 64 << 10;

/// Entries of each submission queue. A read that must wait takes one, and a full queue costs a system call of its
/// own; glommio's default of 128 is also what this is, stated because it decides a measurement.
const RING_DEPTH: usize = 128;

/// Serves `listener` on an executor that is the calling thread's alone, and keeps that to `cpu`, if one is given, until
/// `stopping` is raised and the drain is over. `ready` is called when it accepts. Of the connections that the server may have,
/// this executor takes `max_connections`.
///
/// # Errors
/// The executor cannot be started, or `ready` failed.
pub fn serve(
    cpu: Option<usize>,
    site: Arc<Site>,
    listener: std::net::TcpListener,
    max_connections: usize,
    execute: impl Execute,
    ready: impl FnOnce() -> Result<(), Error>,
) -> Result<Drained, Error> {
    // No spinning before parking (glommio's default): a thread that spins takes its CPU from whoever shares it.
    let executor = LocalExecutorBuilder::new(cpu.map_or(Placement::Unbound, Placement::Fixed))
        .io_memory(IO_MEMORY_BYTES)
        .ring_depth(RING_DEPTH)
        .spin_before_park(Duration::ZERO)
        .make()
        .map_err(|error| GLOMMIO.refused(error.into()))?;
    executor.run(async move {
        let listener = Glommio.listener(listener).map_err(Error::system("take the listener"))?;
        let stopping = site.stopping.clone();
        let service = Service::new(site, execute, GlommioTimer);
        ready()?;
        Ok(accept::serve(Glommio, listener, service, max_connections, stopping).await)
    })
}

/// The glommio executor that the calling task runs on.
#[derive(Clone, Copy, Debug)]
struct Glommio;

type Accepting = Pin<Box<dyn Future<Output = io::Result<glommio::net::TcpStream>>>>;

/// A listener and the accept that is under way in the kernel. The latter outlives the future that
/// asked for it: dropped, it could take a connection along that it had completed.
struct Listener {
    listener: Rc<TcpListener>,
    accepting: RefCell<Option<Accepting>>,
}

impl Listener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<glommio::net::TcpStream>> {
        let mut accepting = self.accepting.borrow_mut();
        let future = accepting.get_or_insert_with(|| {
            let listener = Rc::clone(&self.listener);
            Box::pin(async move { listener.accept().await.map_err(into_io_error) })
        });
        let outcome = future.as_mut().poll(context);
        if outcome.is_ready() {
            *accepting = None;
        }
        outcome
    }
}

impl Runtime for Glommio {
    type Listener = Listener;
    type Stream = Stream;
    type Timer = GlommioTimer;

    #[expect(unsafe_code, reason = "glommio takes a listener that it did not bind only as a raw descriptor")]
    fn listener(&self, listener: std::net::TcpListener) -> io::Result<Listener> {
        // io_uring answers an accept on a non-blocking socket at once instead of waiting for a connection.
        listener.set_nonblocking(false)?;
        // SAFETY: the descriptor is a listening socket, and `into_raw_fd` has just given up its ownership.
        let listener = Rc::new(unsafe { TcpListener::from_raw_fd(listener.into_raw_fd()) });
        Ok(Listener { listener, accepting: RefCell::new(None) })
    }

    async fn accept(&self, listener: &Listener) -> io::Result<Stream> {
        poll_fn(|context| listener.poll_accept(context)).await.map(Stream::new)
    }

    fn peer(stream: &Stream) -> Peer {
        stream.peer()
    }

    fn timer(&self) -> GlommioTimer {
        GlommioTimer
    }
}

impl<Task> hyper::rt::Executor<Task> for Glommio
where
    Task: Future<Output = ()> + 'static,
{
    fn execute(&self, task: Task) {
        // glommio catches no panic: one in a connection would end the executor, and all its other connections with it. What it
        // leaves half done is dropped with the task, and the panic was reported where it began.
        let guarded = AssertUnwindSafe(task).catch_unwind();
        glommio::spawn_local(async move { drop(guarded.await) }).detach();
    }
}

fn into_io_error(error: GlommioError<()>) -> io::Error {
    match error {
        GlommioError::IoError(error) => error,
        other => io::Error::other(other.to_string()),
    }
}

/// The executor's timers.
#[derive(Clone, Copy, Debug)]
struct GlommioTimer;

impl hyper::rt::Timer for GlommioTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(GlommioSleep(SendWrapper::new(Timer::new(duration))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

/// hyper wants sleeps that could be sent; one of glommio's never leaves its executor, and the wrapper panics rather than let
/// it be used elsewhere.
struct GlommioSleep(SendWrapper<Timer>);

impl Future for GlommioSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut *self.0).poll(context).map(|_elapsed| ())
    }
}

impl hyper::rt::Sleep for GlommioSleep {}

#[cfg(test)]
mod tests {
    use std::{cell::Cell, rc::Rc};

    use hyper::rt::Executor as _;

    use super::*;

    #[test]
    fn a_connection_that_panics_ends_alone() {
        let executor =
            LocalExecutorBuilder::new(Placement::Unbound).io_memory(IO_MEMORY_BYTES).make().unwrap();
        let ended = executor.run(async {
            let ended = Rc::new(Cell::new(0));
            for number in 0..4 {
                let counted = Rc::clone(&ended);
                Glommio.execute(async move {
                    assert!(number % 2 == 0, "an odd one, as this test wants it");
                    counted.set(counted.get() + 1);
                });
            }
            // Each task that ends, one way or the other, lets go of the count.
            while Rc::strong_count(&ended) > 1 {
                glommio::executor().yield_task_queue_now().await;
            }
            ended.get()
        });
        assert_eq!(ended, 2);
    }
}
