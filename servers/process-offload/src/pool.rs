//! The pool: children that are started with the server, supervised, and replaced when they end.
//!
//! Who does what. The supervisor, on a thread of its own, starts children and replaces them, by its rules ([`supervisor`]); for each
//! child that it starts it asks for one end of a [`link`]. The other end gets a task on the front's runtime (`attend`), which
//! lives as long as that child: it takes the operation that has waited longest, sends it, and waits for the result. So an operation
//! costs the front one write and one wake-up, and no thread.
//!
//! Who decides that a child is over. The task, when the child closes its end or says what was not asked for: it cuts the link, by
//! which the child ends, and then the supervisor sees an end like any other. The supervisor, when the child does not answer its
//! pings, since it computes for too long or hangs: it kills it, by which the link ends. Neither has to tell the other.

use std::{
    io,
    net::SocketAddr,
    os::fd::{AsFd, OwnedFd},
    sync::Arc,
    thread::{self, JoinHandle},
};

use app::{Answer, Operation};
use kit::{
    args::Config,
    execute::{Done, Refused},
    offload::{self, Call, Job},
    shutdown::{EndsTogether, Shutdown},
    start::Error,
    worker::{Kind, Worker},
};
use tokio::{
    io::Interest,
    net::UnixStream,
    runtime::Handle,
    sync::{
        Mutex,
        mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel},
    },
};

use crate::{
    args::{Children, SERVER},
    link,
    protocol::{self, Garbage, READY},
};

/// The front's side of the pool.
#[derive(Debug)]
pub struct Pool(UnboundedSender<Call>);

/// What a child that is free can do. Bounded by the number of children, and by kit's queue.
#[derive(Debug)]
struct Waiting {
    /// Operations that their children never read: they have waited longer than all others.
    again: UnboundedReceiver<Job>,
    /// For whatever has waited longest of the rest.
    calls: UnboundedReceiver<Call>,
}

impl offload::Pool for Pool {
    fn call(&self, call: Call) {
        // Where nobody is left to come, the call is dropped, and so it is not counted on.
        let _ = self.0.send(call);
    }
}

/// The supervisor's thread.
#[derive(Debug)]
pub struct Crew {
    stop: Shutdown,
    supervisor: JoinHandle<Result<(), Error>>,
}

impl Crew {
    /// Ends the children, in the middle of what they compute, and waits for their ends.
    ///
    /// # Errors
    /// How the supervision ended, if that was not as it should.
    pub fn end(self) -> Result<(), Error> {
        self.stop.raise();
        let panicked = |_| Err(Error::Failed("the supervisor of the children has panicked".to_owned()));
        self.supervisor.join().unwrap_or_else(panicked)
    }
}

/// Starts the children and returns when all are ready; or, without a crew, when `stopping` was raised first. Should all of them fail
/// later, that raises `stopping`, and [`Crew::end`] says why.
///
/// # Errors
/// A child cannot be started, or is not ready in time.
pub fn start(
    runtime: &Handle,
    config: &Config,
    children: &Children,
    address: SocketAddr,
    stopping: &Shutdown,
) -> Result<(Pool, Option<Crew>), Error> {
    let (calls, called) = unbounded_channel();
    let (given_back, again) = unbounded_channel();
    let waiting = Waiting { again, calls: called };
    let bench = Bench { given_back, waiting: Arc::new(Mutex::new(waiting)) };
    let hand = Hand { runtime: runtime.clone(), bench, links: Vec::new() };
    let crew = supervisor::Crew {
        name: SERVER,
        workers: children.count.get(),
        address,
        drain_timeout: config.limits.drain_timeout,
        rules: children.patience.clone().into(),
        lends: false,
        hand: {
            let mut hand = hand;
            move |place: usize| hand.link(place).map(Some)
        },
        offers: None,
    };
    let (stop, over, all_ready) = (Shutdown::new(), Shutdown::new(), Shutdown::new());
    let supervise = {
        let (stop, all_ready) = (stop.clone(), all_ready.clone());
        let ends = [EndsTogether::with(&over), EndsTogether::with(stopping)];
        move || {
            let _ends = ends;
            supervisor::supervise(crew, &stop, || {
                all_ready.raise();
                Ok(())
            })
        }
    };
    let supervisor = thread::Builder::new()
        .name("supervisor".to_owned())
        .spawn(supervise)
        .map_err(Error::system("start the thread that supervises the children"))?;
    let crew = Crew { stop, supervisor };

    let is_ready = runtime.block_on(async {
        tokio::select! {
            biased;
            () = all_ready.wait() => true,
            () = over.wait() => false,
            () = stopping.wait() => false,
        }
    });
    if is_ready {
        return Ok((Pool(calls), Some(crew)));
    }
    // By a stop, and then this is no failure; or for want of a child.
    crew.end()?;
    Ok((Pool(calls), None))
}

/// What the supervisor hands children: ends of links. It keeps the other ends too, so that no child sees its front close before the
/// supervisor knows of the stop, by which it drops this.
struct Hand {
    runtime: Handle,
    bench: Bench,
    /// Of the last child of each place.
    links: Vec<Option<OwnedFd>>,
}

impl Hand {
    fn link(&mut self, place: usize) -> io::Result<OwnedFd> {
        let (own, handed) = link::pair()?;
        let stream = {
            let _entered = self.runtime.enter();
            UnixStream::from_std(own.try_clone()?.into())?
        };
        if self.links.len() <= place {
            self.links.resize_with(place + 1, || None);
        }
        self.links[place] = Some(own);
        self.runtime.spawn(attend(self.bench.clone(), Worker::new(Kind::Process, place), stream));
        Ok(handed)
    }
}

impl Drop for Hand {
    fn drop(&mut self) {
        self.links.iter().flatten().for_each(|link| link::cut(link.as_fd()));
    }
}

/// Where work is taken from.
#[derive(Clone, Debug)]
struct Bench {
    given_back: UnboundedSender<Job>,
    waiting: Arc<Mutex<Waiting>>,
}

impl Bench {
    /// The next operation, and whether it was given to another child before. Nothing is lost where this is dropped.
    async fn next(&self) -> (Job, bool) {
        loop {
            let mut waiting = self.waiting.lock().await;
            let Waiting { again, calls } = &mut *waiting;
            tokio::select! {
                biased;
                Some(job) = again.recv() => return (job, true),
                Some(call) = calls.recv() => {
                    if let Some(job) = call.take() {
                        return (job, false);
                    }
                }
                // Never, since this can give back itself.
                else => std::future::pending().await,
            }
        }
    }
}

/// Has one child compute, from its start to its end.
async fn attend(bench: Bench, worker: Worker, stream: UnixStream) {
    let mut link = Link { stream, asked: 0 };
    let over = compute(&bench, worker, &mut link).await;
    tracing::debug!("worker {worker} is left: {over}");
    link::cut(link.stream.as_fd());
}

/// Why a child is left.
#[derive(Debug, thiserror::Error)]
enum Lost {
    /// It has begun an operation, maybe.
    #[error("it is gone")]
    Gone,
    /// It is gone, and had not read what it was sent.
    #[error("it is gone, and had not read what it was to compute")]
    NeverRead,
    #[error(transparent)]
    Garbage(#[from] Garbage),
    #[error("{0}")]
    System(io::Error),
}

async fn compute(bench: &Bench, worker: Worker, link: &mut Link) -> Lost {
    match link.receive().await {
        Ok(said) if said == READY => {}
        Ok(said) => return Garbage(said.len()).into(),
        Err(lost) => return lost,
    }
    loop {
        let (job, again) = tokio::select! {
            biased;
            // Nothing was asked for.
            said = link.receive() => return said.map_or_else(|lost| lost, |said| Garbage(said.len()).into()),
            work = bench.next() => work,
        };
        match link.compute(job.operation()).await {
            Ok(answer) => {
                job.answer(answer.map(|answer| Done { answer, worker }).ok_or(Refused::Panicked));
            }
            Err(Lost::NeverRead) if !again => {
                // Fails only where nobody is left to come: then it has failed.
                let _ = bench.given_back.send(job);
                return Lost::NeverRead;
            }
            Err(lost) => {
                tracing::warn!("worker {worker} was lost with an operation, which has failed: {lost}");
                drop(job);
                return lost;
            }
        }
    }
}

/// The front's end of a link, and how many operations went through it.
struct Link {
    /// Packets all the same: tokio has no type for these, and reads and writes only by what it is told.
    stream: UnixStream,
    asked: u64,
}

impl Link {
    /// The next packet. Nothing is lost where this is dropped.
    async fn receive(&self) -> Result<Vec<u8>, Lost> {
        let received = self.stream.async_io(Interest::READABLE, || link::receive(&self.stream)).await;
        received.map_err(|error| match error.kind() {
            io::ErrorKind::UnexpectedEof => Lost::Gone,
            io::ErrorKind::ConnectionReset => Lost::NeverRead,
            _ => Lost::System(error),
        })
    }

    /// The answer to `operation`; `None` if it panicked.
    async fn compute(&mut self, operation: &Operation) -> Result<Option<Answer>, Lost> {
        self.asked += 1;
        // It has room for one, and there is no other. Where it fails the child is gone.
        link::send(&self.stream, &protocol::start(self.asked, operation)).map_err(|_gone| Lost::NeverRead)?;
        let packet = self.receive().await?;
        Ok(protocol::answer(self.asked, operation, &packet)?)
    }
}
