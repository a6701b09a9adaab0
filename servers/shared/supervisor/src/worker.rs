//! The worker's side: who it is, what it was handed, and what its primary tells it.

use std::{
    ffi::CString,
    fs::File,
    io,
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::net::UnixStream,
    },
    sync::Arc,
    time::Duration,
};

use clap::Args;
use host::parent::{self, Untied};
use kit::{
    cluster::{Cluster, Member},
    failure,
    start::Error,
    worker::{Kind, Worker},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    process::Signal,
};

use crate::channel::{Order, Word};

/// How long a worker waits for what its primary has sent before it started it.
const BEGIN_TIMEOUT: Duration = Duration::from_secs(10);

/// The hidden arguments by which a primary tells a worker what it is.
#[derive(Args, Clone, Copy, Debug)]
pub struct Role {
    /// For workers: their number
    #[arg(long, hide = true, requires = "primary", value_parser = within::whole(0..=usize::MAX))]
    worker_index: Option<usize>,

    /// For workers: the process that started them
    #[arg(long, hide = true, requires = "worker_index", value_parser = within::whole(1..=u32::MAX))]
    primary: Option<u32>,
}

/// The arguments of [`Role`] for worker number `index` of this process.
pub(crate) fn arguments(index: usize) -> [String; 4] {
    let primary = std::process::id().to_string();
    ["--worker-index".to_owned(), index.to_string(), "--primary".to_owned(), primary]
}

impl Role {
    /// What this process is to do if it is a worker, which then tells its primary why it cannot start; `None` in the primary.
    pub fn assignment(self) -> Option<Assignment> {
        let (index, primary) = self.worker_index.zip(self.primary)?;
        failure::tell_on_stdout();
        Some(Assignment { index, primary })
    }
}

/// One worker's part.
#[derive(Clone, Copy, Debug)]
pub struct Assignment {
    /// The worker's number: its place.
    pub index: usize,
    primary: u32,
}

/// What a worker begins with.
#[derive(Debug)]
pub struct Begun {
    /// What the primary handed over: of its own place. Nothing where workers take what the primary is offered ([`Task::Take`]).
    pub handed: Option<OwnedFd>,
    /// The counters of all workers; none where the system has no memory to share.
    pub cluster: Option<Arc<Cluster>>,
    /// Which of them are its own.
    pub member: Member,
    /// How many places there were when it was started.
    pub places: usize,
    /// What the primary goes on to tell it.
    pub channel: Channel,
}

impl Assignment {
    /// Makes the calling thread, which must be the main one, the worker: ties the process to its primary, gives the thread the
    /// worker's name, and takes what the primary handed it.
    ///
    /// # Errors
    /// The primary is gone already, or the system refuses.
    pub fn begin(self) -> Result<Begun, Error> {
        parent::end_with(self.primary, Signal::KILL).map_err(|untied| match untied {
            Untied::Orphaned(_) => Error::Failed("the primary is gone".to_owned()),
            Untied::Refused(source) => Error::System { what: "tie this worker to its primary", source },
        })?;
        Worker::new(Kind::Process, self.index).make_current();
        take_name().map_err(Error::system("name this worker"))?;
        let channel = take_stdin().map_err(Error::system("take the channel to the primary"))?;
        let (side, places, handed, memory) =
            first_order(channel.as_fd()).map_err(Error::system("take what the primary handed over"))?;
        let cluster = memory
            .map(Cluster::open)
            .transpose()
            .map_err(Error::system("map the counters of the workers"))?;
        let member = Member { place: self.index, side };
        Ok(Begun { handed, cluster: cluster.map(Arc::new), member, places, channel: Channel(channel) })
    }
}

/// The worker's end of the channel to its primary, which is to be read by the event loop that serves: an answer to a ping says that it
/// turns.
#[derive(Debug)]
pub struct Channel(OwnedFd);

/// What a primary tells a worker that serves.
#[derive(Debug)]
pub enum Task {
    /// Accept from this listener as well: nobody else serves that place.
    Serve {
        /// Whose it is.
        place: usize,
        /// The listener.
        handed: OwnedFd,
    },
    /// Accept from that place's listener no more, at once: its own worker does.
    Release {
        /// Whose it is.
        place: usize,
    },
    /// Take these: the one that was asked for ([`Channel::ask`]), or, before a [`Self::Drain`], what else there is.
    Take {
        /// Fewer than the primary has sent where this process has no descriptors for them: what is missing is closed.
        handed: Vec<OwnedFd>,
    },
    /// Answer what is under way, and end. Nothing comes to be taken after this.
    Drain {
        /// Whether others accept from all its listeners.
        handed_over: bool,
    },
}

impl Channel {
    /// Tells the primary that this worker is ready.
    ///
    /// # Errors
    /// The primary is gone.
    pub fn ready(&self) -> Result<(), Error> {
        Word::Ready
            .send(self.as_fd())
            .map_err(Error::system("tell the primary that this worker is ready"))?;
        failure::started();
        // What a library prints is for the log, from now on: in the channel it would cost the primary a look each time.
        rustix::stdio::dup2_stdout(rustix::stdio::stderr())
            .map_err(|errno| Error::system("have standard output go to the log")(errno.into()))
    }

    /// The same channel once more, for an event loop to wait until it is readable. Nothing is to be read from it by other means than
    /// [`next`](Self::next).
    ///
    /// # Errors
    /// There is no descriptor left.
    pub fn watched(&self) -> io::Result<UnixStream> {
        self.0.try_clone().map(UnixStream::from)
    }

    /// Tells the primary that this worker would take one more of what it is offered. To be said once for each, when there is room and a
    /// descriptor for it.
    ///
    /// # Errors
    /// The primary is gone, or has taken nothing for hundreds of words.
    pub fn ask(&self) -> io::Result<()> {
        Word::Asks.send(self.as_fd())
    }

    /// Tells the primary that this worker was told to end by somebody else. Its answer is a [`Task::Drain`], behind all that it had given
    /// before.
    ///
    /// # Errors
    /// As [`ask`](Self::ask).
    pub fn leave(&self) -> io::Result<()> {
        Word::Leaves.send(self.as_fd())
    }

    /// The next task, if there is one at present. Pings are answered in between.
    ///
    /// # Errors
    /// The primary is gone.
    pub fn next(&self) -> io::Result<Option<Task>> {
        loop {
            return Ok(Some(match Order::receive(self.as_fd())? {
                None => return Ok(None),
                Some(Order::Ping) => {
                    // Fails only where the primary has taken nothing for hundreds of pings.
                    let _ = Word::Pong.send(self.as_fd());
                    continue;
                }
                // It has begun already.
                Some(Order::Begin { .. }) => continue,
                Some(Order::Serve { place, handed }) => Task::Serve { place, handed },
                Some(Order::Release { place }) => Task::Release { place },
                Some(Order::Take { handed }) => Task::Take { handed },
                Some(Order::Drain { handed_over }) => Task::Drain { handed_over },
            }));
        }
    }
}

impl AsFd for Channel {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.0.as_fd()
    }
}

fn first_order(channel: BorrowedFd<'_>) -> io::Result<(usize, usize, Option<OwnedFd>, Option<OwnedFd>)> {
    let patience = Timespec::try_from(BEGIN_TIMEOUT).map_err(io::Error::other)?;
    poll(&mut [PollFd::from_borrowed_fd(channel, PollFlags::IN)], Some(&patience))?;
    match Order::receive(channel)? {
        Some(Order::Begin { side, places, handed, memory }) => Ok((side, places, handed, memory)),
        _ => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// Goes by the name that it was started by, also in lists that show what the kernel calls it: that is the descriptor's number by which
/// the program was found.
fn take_name() -> io::Result<()> {
    const LONGEST: usize = 15;
    let name = std::env::args_os().next().unwrap_or_default().into_encoded_bytes();
    let name = name.rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    let name = CString::new(&name[..name.len().min(LONGEST)])?;
    Ok(rustix::thread::set_name(&name)?)
}

/// Takes standard input's place in the process, so that what was there closes when whoever has it lets go of it.
fn take_stdin() -> io::Result<OwnedFd> {
    let channel = io::stdin().as_fd().try_clone_to_owned()?;
    rustix::stdio::dup2_stdin(&File::open("/dev/null")?)?;
    Ok(channel)
}
