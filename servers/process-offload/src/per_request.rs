//! A child for each operation, as `child_process.fork` in a request handler starts one, but at most so many at a time.
//!
//! As many threads as there may be children start them, each one at a time: it takes the operation that has waited longest, starts a
//! child with it, waits for the result, answers, and waits for the child's end. Threads, since starting a process and waiting for it
//! blocks, and the front is not to be blocked; and each stays as long as the server, since the kernel ends a child with the thread
//! that has started it.

use std::{
    collections::HashMap,
    io,
    os::{
        fd::{AsFd, AsRawFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, Command, ExitStatus},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        mpsc::{self, Receiver, Sender},
    },
    thread,
    time::Duration,
};

use app::{Answer, Operation};
use kit::{
    execute::{Done, Outcome, Refused},
    offload::{self, Call, RETRY_AFTER},
    start::Error,
    worker::{Kind, Worker},
};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    fs::{Mode, OFlags},
    io::Errno,
};

use crate::{
    args::{Children, SERVER},
    child, link,
    protocol::{self, Garbage},
};

/// How often it is counted for how long a child has computed. A tree that is stopped and continued has lost one of these at most.
const HEARTBEAT: Duration = Duration::from_secs(1);

/// What a child says that cannot start.
const COMPLAINT: &str = "error: ";

/// A child has one operation.
const FIRST: u64 = 1;

/// The front's side: those who start children.
#[derive(Debug)]
pub struct Starters(Sender<Call>);

impl offload::Pool for Starters {
    fn call(&self, call: Call) {
        // Where nobody is left to come, the call is dropped, and so it is not counted on.
        let _ = self.0.send(call);
    }
}

/// The children that there are.
#[derive(Debug, Default)]
pub struct Running {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    /// No more are started.
    over: bool,
    /// The front's ends of their links, by who has started them.
    links: HashMap<usize, Arc<OwnedFd>>,
}

impl Running {
    fn state(&self) -> MutexGuard<'_, State> {
        // Nothing that can panic happens under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn begin(&self, starter: usize, link: &Arc<OwnedFd>) -> Result<(), Lost> {
        let mut state = self.state();
        if state.over {
            return Err(Lost::Over);
        }
        state.links.insert(starter, Arc::clone(link));
        Ok(())
    }

    fn finish(&self, starter: usize) {
        self.state().links.remove(&starter);
        self.changed.notify_all();
    }

    /// Ends all children, in the middle of what they compute, and waits for their ends.
    pub fn end(&self) {
        let mut state = self.state();
        state.over = true;
        state.links.values().for_each(|link| link::cut(link.as_fd()));
        while !state.links.is_empty() {
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

/// Starts the threads, and one child, which shows that they can be had.
///
/// # Errors
/// They cannot.
pub fn start(children: &Children) -> Result<(Starters, Arc<Running>), Error> {
    let program = rustix::fs::open("/proc/self/exe", OFlags::PATH | OFlags::CLOEXEC, Mode::empty())
        .map_err(|errno| Error::System { what: "find this program's own file", source: errno.into() })?;
    let running = Arc::new(Running::default());
    let starter = Starter {
        index: 0,
        program: Arc::new(program),
        hang_timeout: children.patience.hang_timeout(),
        running: Arc::clone(&running),
    };
    let (calls, work) = mpsc::channel();
    let work = Arc::new(Mutex::new(work));
    for index in 0..children.count.get() {
        let (starter, work) = (Starter { index, ..starter.clone() }, Arc::clone(&work));
        thread::Builder::new()
            .name(format!("starter-{index}"))
            .spawn(move || while starter.serve_next(&work) {})
            .map_err(Error::system("start the threads that start children"))?;
    }
    starter.compute(&Operation::Simple, |_| ()).map_err(|lost| match lost {
        Lost::NotStarted(source) => Error::System { what: "start a child", source },
        lost => Error::Failed(format!("worker {} {lost}", starter.worker())),
    })?;
    Ok((Starters(calls), running))
}

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error("is not started: the server ends")]
    Over,
    #[error("cannot be started: {0}")]
    NotStarted(io::Error),
    /// In its own words.
    #[error("cannot start: {0}")]
    Said(String),
    #[error("{0}")]
    Ended(String),
    #[error("has sent {0}")]
    Garbage(#[from] Garbage),
    #[error("did not answer for {0:?} and was killed")]
    Hung(Duration),
    #[error("cannot be waited for: {0}")]
    System(io::Error),
}

/// One who starts children, one at a time.
#[derive(Clone, Debug)]
struct Starter {
    index: usize,
    program: Arc<OwnedFd>,
    hang_timeout: Option<Duration>,
    running: Arc<Running>,
}

impl Starter {
    fn worker(&self) -> Worker {
        Worker::new(Kind::Process, self.index)
    }

    /// Computes the operation that has waited longest, as soon as there is one; whether there may be another.
    fn serve_next(&self, work: &Mutex<Receiver<Call>>) -> bool {
        let call = work.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(call) = call else { return false };
        let Some(job) = call.take() else { return true };
        let operation = *job.operation();
        let mut job = Some(job);
        let mut answer = |outcome| {
            if let Some(job) = job.take() {
                job.answer(outcome);
            }
        };
        let computed = self.compute(&operation, |computed| answer(self.outcome(computed)));
        if let Err(lost) = computed {
            if !self.running.state().over {
                tracing::warn!("an operation has failed: worker {} {lost}", self.worker());
            }
            answer(Err(match lost {
                // Not for what it is: the system has no more processes, at present.
                Lost::NotStarted(_) => Refused::Busy { retry_after: RETRY_AFTER },
                _ => Refused::Panicked,
            }));
        }
        true
    }

    fn outcome(&self, computed: Option<Answer>) -> Outcome {
        computed.map(|answer| Done { answer, worker: self.worker() }).ok_or(Refused::Panicked)
    }

    /// Has a child compute `operation`, and waits for its end. `tell` gets the answer as soon as it is there; `None` if the
    /// operation panicked.
    fn compute(&self, operation: &Operation, tell: impl FnOnce(Option<Answer>)) -> Result<(), Lost> {
        let (link, end) = link::pair().map_err(Lost::NotStarted)?;
        let link = Arc::new(link);
        self.running.begin(self.index, &link)?;
        let computed = self.compute_by(&link, end, operation, tell);
        self.running.finish(self.index);
        computed
    }

    fn compute_by(
        &self,
        link: &OwnedFd,
        end: OwnedFd,
        operation: &Operation,
        tell: impl FnOnce(Option<Answer>),
    ) -> Result<(), Lost> {
        // Before there is anybody to read it, so that it does not wait.
        link::send(link, &protocol::start(FIRST, operation)).map_err(Lost::NotStarted)?;
        let mut process = self.fork(end).map_err(Lost::NotStarted)?;
        let computed = self.answer(link, operation).map(tell);
        // One that has said or closed all it had is ending, and how is decided by then. Any other ends by this.
        let _ = process.kill();
        let ended = how(process.wait());
        computed.map_err(|lost| match lost {
            Lost::Ended(_) => Lost::Ended(ended),
            lost => lost,
        })
    }

    /// Starts a child, which the kernel ends with the calling thread.
    fn fork(&self, end: OwnedFd) -> io::Result<Child> {
        #[expect(clippy::disallowed_methods, reason = "a child ties itself to its server")]
        let mut command = Command::new(format!("/proc/self/fd/{}", self.program.as_raw_fd()));
        command
            .arg0(SERVER)
            .args(std::env::args_os().skip(1))
            .args(child::errand())
            .stdin(end.try_clone()?)
            .stdout(end)
            // A Ctrl-C at a terminal must reach the server alone.
            .process_group(0);
        command.spawn()
    }

    fn answer(&self, link: &OwnedFd, operation: &Operation) -> Result<Option<Answer>, Lost> {
        loop {
            if !self.is_readable(link)? {
                return Err(Lost::Hung(self.hang_timeout.unwrap_or_default()));
            }
            match link::receive(link) {
                Ok(packet) => {
                    let said = String::from_utf8_lossy(&packet);
                    return match said.strip_prefix(COMPLAINT) {
                        Some(why) => Err(Lost::Said(why.trim().to_owned())),
                        None => Ok(protocol::answer(FIRST, operation, &packet)?),
                    };
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                Err(_gone) => return Err(Lost::Ended(String::new())),
            }
        }
    }

    /// Waits until the child says something or ends; `false` if it does neither for too long.
    fn is_readable(&self, link: &OwnedFd) -> Result<bool, Lost> {
        let mut left = self.hang_timeout;
        loop {
            // Counted in steps, since all of the tree may be stopped and continued, and then no child is to blame.
            let step = left.map(|left| left.min(HEARTBEAT));
            let patience = step.and_then(|step| Timespec::try_from(step).ok());
            match poll(&mut [PollFd::new(link, PollFlags::IN)], patience.as_ref()) {
                Ok(0) => {}
                Ok(_) => return Ok(true),
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(Lost::System(errno.into())),
            }
            left = left.zip(step).map(|(left, step)| left - step);
            if left.is_some_and(|left| left.is_zero()) {
                return Ok(false);
            }
        }
    }
}

/// How a child has ended.
fn how(status: io::Result<ExitStatus>) -> String {
    match status {
        Err(error) => format!("was lost ({error})"),
        Ok(status) => match (status.code(), status.signal()) {
            (Some(code), _) => format!("exited with code {code}"),
            (None, Some(signal)) => format!("was ended by signal {signal}"),
            (None, None) => "ended".to_owned(),
        },
    }
}
