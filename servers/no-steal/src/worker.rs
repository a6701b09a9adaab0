//! The workers: threads, each with a runtime of its own, on which connections live that the acceptor gives them.
//!
//! What the acceptor gives is a task of theirs at once: it waits in the runtime's own queue until the thread comes to it, counts among
//! the open connections of the server and of the worker from then on, and is dropped with the runtime. A worker that computes leaves it
//! there, and nobody else takes it.

use std::{
    net::TcpStream,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering::Relaxed},
        mpsc,
    },
    thread::{self, JoinHandle},
};

use host::cpus::CpuSet;
use kit::{
    accept::Place,
    args::Config,
    connection::serve_in,
    execute::Inline,
    runtime::Runtime as _,
    service::Service,
    shutdown::{EndsTogether, Shutdown},
    start::Error,
    worker::{Kind, Worker},
};
use kit_tokio::{Tokio, front::current_thread_runtime, handed::take_in};
use tokio::runtime::Handle;

/// All workers of the server.
#[derive(Debug)]
pub(crate) struct Workers {
    running: Vec<Running>,
    /// Ends them, with the connections that are still open.
    over: Shutdown,
}

#[derive(Debug)]
struct Running {
    runtime: Handle,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<Result<(), Error>>,
}

impl Workers {
    /// Starts `config.workers` of them, pinned to a CPU each if `pin` says so. One that ends before its time raises `stopping`: its
    /// clients would wait for ever.
    ///
    /// # Errors
    /// One of them cannot be started, pinned, or given a runtime.
    pub(crate) fn start(config: &Config, pin: bool, stopping: &Shutdown) -> Result<Self, Error> {
        let mut workers = Self { running: Vec::with_capacity(config.workers), over: Shutdown::new() };
        for index in 0..config.workers {
            let cpus: CpuSet = [config.cpus.nth_wrapping(index)].into_iter().collect();
            match Running::start(index, pin.then_some(cpus), &workers.over, stopping) {
                Ok(worker) => workers.running.push(worker),
                Err(error) => return workers.end().and(Err(error)),
            }
        }
        Ok(workers)
    }

    /// How many connections this worker has been given that are open.
    pub(crate) fn open_on(&self, worker: usize) -> usize {
        self.running[worker].open.load(Relaxed)
    }

    /// Has `worker` serve a connection.
    pub(crate) fn give(&self, worker: usize, stream: TcpStream, service: Service<Inline>, place: Place) {
        let Running { runtime, open, .. } = &self.running[worker];
        let counted = Counted::among(open);
        runtime.spawn(async move {
            match take_in(stream) {
                Ok(stream) => serve_in(stream, service, Tokio::peer, place).await,
                Err(error) => tracing::warn!("a connection is closed, since it cannot be watched: {error}"),
            }
            drop(counted);
        });
    }

    /// Ends all of them, and cuts what is open.
    ///
    /// # Errors
    /// One of them had ended before.
    pub(crate) fn end(self) -> Result<(), Error> {
        self.over.raise();
        let ends = self.running.into_iter().map(|worker| join(worker.thread));
        // All are waited for.
        ends.fold(Ok(()), Result::and)
    }
}

impl Running {
    fn start(
        index: usize,
        cpus: Option<CpuSet>,
        over: &Shutdown,
        stopping: &Shutdown,
    ) -> Result<Self, Error> {
        let (started, runtime) = mpsc::channel();
        let (over, together) = (over.clone(), EndsTogether::with(stopping));
        let thread = thread::Builder::new().name(format!("worker-{index}")).spawn(move || {
            let _together = together;
            Worker::new(Kind::Thread, index).make_current();
            if let Some(cpus) = cpus {
                cpus.apply_to_current_thread().map_err(Error::system("pin a worker to its CPU"))?;
            }
            let runtime = current_thread_runtime()?;
            // Who asked for it waits for it.
            let _ = started.send(runtime.handle().clone());
            runtime.block_on(over.wait());
            Ok(())
        });
        let thread = thread.map_err(Error::system("start a worker's thread"))?;
        match runtime.recv() {
            Ok(runtime) => Ok(Self { runtime, open: Arc::default(), thread }),
            Err(_) => Err(join(thread).err().unwrap_or_else(|| Error::Failed("a worker ended".to_owned()))),
        }
    }
}

fn join(worker: JoinHandle<Result<(), Error>>) -> Result<(), Error> {
    worker.join().unwrap_or_else(|_| Err(Error::Failed("a worker panicked".to_owned())))
}

/// Counts one connection of a worker while it lives. It decides nothing but who gets the next one, so that nobody waits for the count.
#[derive(Debug)]
struct Counted(Arc<AtomicUsize>);

impl Counted {
    fn among(open: &Arc<AtomicUsize>) -> Self {
        open.fetch_add(1, Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Relaxed);
    }
}
