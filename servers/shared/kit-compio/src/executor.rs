//! A compio executor, and kit's runtime interface on it.

use std::{
    cell::RefCell,
    future::{Future, poll_fn},
    io,
    pin::Pin,
    rc::Rc,
    sync::Arc,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use compio::{
    driver::ProactorBuilder,
    net::{TcpListener, TcpStream},
    runtime::{Runtime, RuntimeBuilder, spawn},
    time::{Sleep, sleep},
};
use kit::{
    accept::{self, Drained},
    execute::Execute,
    runtime::Peer,
    service::{Service, Site},
    start::Error,
};
use send_wrapper::SendWrapper;

use crate::{io::Stream, needs::COMPIO, turns::run};

/// Entries of each submission queue, and twice as many completions: compio's own default, stated because it decides a measurement.
const RING_ENTRIES: u32 = 1024;

/// How many tasks run between two looks at the ring: compio's own default, stated for the same reason.
const TASKS_PER_TURN: usize = 61;

/// Serves `listener` on an executor that is the calling thread's alone until `stopping` is raised and the drain is over. `ready` is called
/// when it accepts. Of the connections that the server may have, this executor takes `max_connections`.
///
/// # Errors
/// The executor cannot be started, or `ready` failed.
pub fn serve(
    site: Arc<Site>,
    listener: std::net::TcpListener,
    max_connections: usize,
    execute: impl Execute,
    ready: impl FnOnce() -> Result<(), Error>,
) -> Result<Drained, Error> {
    let runtime = runtime().map_err(|error| COMPIO.refused(error))?;
    run(&runtime, async move {
        let listener =
            kit::runtime::Runtime::listener(&Compio, listener).map_err(Error::system("take the listener"))?;
        let stopping = site.stopping.clone();
        let service = Service::new(site, execute, CompioTimer);
        ready()?;
        // A task of its own: the future that an executor runs is polled at every turn.
        let serving = spawn(accept::serve(Compio, listener, service, max_connections, stopping));
        serving.await.map_err(|_| Error::Failed("the accept loop panicked".to_owned()))
    })
}

fn runtime() -> io::Result<Runtime> {
    let mut ring = ProactorBuilder::new();
    // None of the flags that let the kernel do less (cooperative or deferred task work), nor a kernel thread that polls: compio's
    // defaults.
    ring.capacity(RING_ENTRIES);
    RuntimeBuilder::new().with_proactor(ring).event_interval(TASKS_PER_TURN).build()
}

/// The compio executor that the calling task runs on.
#[derive(Clone, Copy, Debug)]
struct Compio;

type Accepting = Pin<Box<dyn Future<Output = io::Result<TcpStream>>>>;

/// A listener and the accept that is under way in the kernel. The latter outlives the future that
/// asked for it: dropped, it could take a connection along that it had completed.
struct Listener {
    listener: Rc<TcpListener>,
    accepting: RefCell<Option<Accepting>>,
}

impl Listener {
    fn poll_accept(&self, context: &mut Context<'_>) -> Poll<io::Result<TcpStream>> {
        let mut accepting = self.accepting.borrow_mut();
        let future = accepting.get_or_insert_with(|| {
            let listener = Rc::clone(&self.listener);
            Box::pin(async move { listener.accept().await.map(|(stream, _)| stream) })
        });
        let outcome = future.as_mut().poll(context);
        if outcome.is_ready() {
            *accepting = None;
        }
        outcome
    }
}

impl kit::runtime::Runtime for Compio {
    type Listener = Listener;
    type Stream = Stream;
    type Timer = CompioTimer;

    fn listener(&self, listener: std::net::TcpListener) -> io::Result<Listener> {
        // io_uring answers an accept on a non-blocking socket at once instead of waiting for a connection.
        listener.set_nonblocking(false)?;
        let listener = Rc::new(TcpListener::from_std(listener)?);
        Ok(Listener { listener, accepting: RefCell::new(None) })
    }

    async fn accept(&self, listener: &Listener) -> io::Result<Stream> {
        poll_fn(|context| listener.poll_accept(context)).await.map(|stream| Stream::new(&stream))
    }

    fn peer(stream: &Stream) -> Peer {
        stream.peer()
    }

    fn timer(&self) -> CompioTimer {
        CompioTimer
    }
}

impl<Task> hyper::rt::Executor<Task> for Compio
where
    Task: Future<Output = ()> + 'static,
{
    fn execute(&self, task: Task) {
        // compio catches a panic of a task, which was reported where it began.
        spawn(task).detach();
    }
}

/// The executor's timers.
#[derive(Clone, Copy, Debug)]
struct CompioTimer;

impl hyper::rt::Timer for CompioTimer {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn hyper::rt::Sleep>> {
        Box::pin(CompioSleep(SendWrapper::new(Box::pin(sleep(duration)))))
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn hyper::rt::Sleep>> {
        self.sleep(deadline.saturating_duration_since(Instant::now()))
    }
}

/// hyper wants sleeps that could be sent; one of compio's never leaves its executor, and the wrapper panics rather than let
/// it be used elsewhere.
struct CompioSleep(SendWrapper<Pin<Box<Sleep>>>);

impl Future for CompioSleep {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        self.0.as_mut().poll(context)
    }
}

impl hyper::rt::Sleep for CompioSleep {}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use hyper::rt::Executor as _;

    use super::*;

    #[test]
    fn a_connection_that_panics_ends_alone() {
        let runtime = runtime().unwrap();
        let ended = Rc::new(Cell::new(0));
        run(&runtime, async {
            for number in 0..4 {
                let counted = Rc::clone(&ended);
                Compio.execute(async move {
                    assert!(number % 2 == 0, "an odd one, as this test wants it");
                    counted.set(counted.get() + 1);
                });
            }
            // Each task that ends, one way or the other, lets go of the count.
            while Rc::strong_count(&ended) > 1 {
                sleep(Duration::from_millis(1)).await;
            }
        });
        assert_eq!(ended.get(), 2);
    }
}
