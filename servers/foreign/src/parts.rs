//! The processes that make up an original: they are watched together and end together.

use std::{
    fmt,
    os::fd::OwnedFd,
    pin::pin,
    sync::Arc,
    task::{Context, Waker},
    time::{Duration, Instant},
};

use host::{
    launch::{Launch, Process},
    processes,
    ready::Ready,
    waker::Bell,
};
use kit::{shutdown::Shutdown, start::Error};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, pidfd_open, set_child_subreaper},
};

use crate::failure::Failure;

/// How long killed processes may take to vanish.
const KILL_DEADLINE: Duration = Duration::from_secs(5);

/// A process with the name that messages call it by.
#[derive(Debug)]
pub(crate) struct Part {
    name: String,
    pub(crate) process: Process,
}

impl Part {
    pub(crate) fn start(name: impl Into<String>, launch: Launch) -> Result<Self, Failure> {
        let name = name.into();
        let process = launch.spawn().map_err(|error| Failure::of(format!("{name}: {error}")))?;
        Ok(Self { name, process })
    }

    /// Waits for its ready line.
    pub(crate) fn ready(&mut self, within: Duration) -> Result<Ready, Failure> {
        self.process.ready(within).map_err(|error| Failure::of(format!("{}: {error}", self.name)))
    }

    /// Fails with its last words if it has ended.
    pub(crate) fn check_alive(&mut self) -> Result<(), Failure> {
        match self.process.ended() {
            Ok(None) => Ok(()),
            Ok(Some(ended)) => {
                Err(Failure::of(format!("{} ended ({ended}){}", self.name, self.last_words())))
            }
            Err(error) => Err(Failure::of(format!("{}: {error}", self.name))),
        }
    }

    /// Sends `signal`, waits for the end, and kills what outstays `deadline`.
    pub(crate) fn stop(self, signal: Signal, deadline: Instant) {
        processes::send(self.process.pid(), signal);
        match self.process.wait(deadline.saturating_duration_since(Instant::now())) {
            Ok(exit) if exit.forced => tracing::warn!("{} did not end in time and was killed", self.name),
            Ok(_) => {}
            Err(error) => tracing::warn!("{}: {error}", self.name),
        }
    }

    /// What it wrote to stderr first with one of `words` in it, as an explanation: what follows, follows from it.
    pub(crate) fn said(&self, words: &[&str]) -> Option<String> {
        let lines = self.process.stderr();
        let line = lines.iter().find(|line| words.iter().any(|word| line.contains(word)))?;
        Some(format!("{}: {}", self.name, line.trim()))
    }

    fn last_words(&self) -> LastWords {
        LastWords(self.process.stderr())
    }
}

struct LastWords(Vec<String>);

impl fmt::Display for LastWords {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.iter().rev().find(|line| !line.trim().is_empty()) {
            Some(line) => write!(f, ": {}", line.trim()),
            None => Ok(()),
        }
    }
}

/// Makes this process the parent of whatever loses its own below it, so that nothing can leave the tree.
pub(crate) fn adopt_orphans() -> Result<(), Error> {
    set_child_subreaper(Some(rustix::process::getpid()))
        .map_err(|errno| Error::System { what: "adopt orphaned processes", source: errno.into() })
}

/// Kills whatever is still below this process, and waits until it is gone.
pub(crate) fn end_the_rest() {
    let deadline = Instant::now() + KILL_DEADLINE;
    let own = std::process::id();
    loop {
        let left = processes::descendants(own);
        if left.is_empty() || Instant::now() >= deadline {
            return;
        }
        for pid in left {
            processes::send(pid, Signal::KILL);
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// Sleeps until the stop, or until one of `parts` has ended, which is an error.
pub(crate) fn watch(parts: &mut [&mut Part], stopping: &Shutdown) -> Result<(), Error> {
    let bell = Bell::new().map_err(Error::system("make an eventfd"))?;
    let bell = Arc::new(bell);
    let waker = Waker::from(Arc::clone(&bell));
    let mut stopped = pin!(stopping.wait());
    if stopped.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
        return Ok(());
    }
    let pidfds = parts.iter().map(|part| pidfd_of(&part.process)).collect::<Result<Vec<_>, _>>()?;
    loop {
        let mut ready = vec![PollFd::new(&bell, PollFlags::IN)];
        ready.extend(pidfds.iter().map(|pidfd| PollFd::new(pidfd, PollFlags::IN)));
        match poll(&mut ready, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(errno) => return Err(Error::System { what: "watch processes", source: errno.into() }),
        }
        if !ready[0].revents().is_empty() {
            return Ok(());
        }
        for part in parts.iter_mut() {
            part.check_alive().map_err(Failure::into_error)?;
        }
    }
}

fn pidfd_of(process: &Process) -> Result<OwnedFd, Error> {
    let pid = i32::try_from(process.pid()).ok().and_then(Pid::from_raw);
    let pid = pid.ok_or_else(|| Error::Failed(format!("{} is no process", process.pid())))?;
    pidfd_open(pid, PidfdFlags::empty())
        .map_err(|errno| Error::System { what: "watch a process", source: errno.into() })
}
