//! One worker process, from the primary's side.

use std::{
    fmt,
    io::{self, Read},
    os::{
        fd::{AsFd, BorrowedFd, OwnedFd},
        unix::process::{CommandExt, ExitStatusExt},
    },
    process::{Child, ChildStdout, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    pipe::PIPE_BUF,
    process::{Pid, PidfdFlags, Signal, pidfd_open, pidfd_send_signal},
};

use crate::worker::{READY, arguments};

/// The longest reason that a worker gives for not starting, bytes: what a pipe takes in one piece.
const LONGEST_REASON: usize = PIPE_BUF;

/// A worker process that was started and whose exit was not seen yet.
#[derive(Debug)]
pub(crate) struct Process {
    child: Child,
    /// Readable when the process has ended.
    handle: OwnedFd,
    /// Readable when the process says that it is ready, or why it cannot be; `None` when it has.
    says: Option<ChildStdout>,
    /// Why it cannot be.
    reason: Option<String>,
    started: Instant,
}

impl Process {
    /// Starts this same program again as worker number `index`, `handed` its standard input. The kernel ends the worker
    /// when the calling thread ends.
    pub(crate) fn start(name: &str, index: usize, handed: OwnedFd) -> io::Result<Self> {
        #[expect(clippy::disallowed_methods, reason = "a worker ties itself to its primary")]
        let mut child = Command::new("/proc/self/exe")
            .arg0(name)
            .args(std::env::args_os().skip(1))
            .args(arguments(index))
            .stdin(handed)
            .stdout(Stdio::piped())
            // A Ctrl-C at a terminal must reach the primary alone, which passes it on once.
            .process_group(0)
            .spawn()?;
        match pidfd_open(Pid::from_child(&child), PidfdFlags::empty()) {
            Ok(handle) => {
                let says = child.stdout.take();
                Ok(Self { child, handle, says, reason: None, started: Instant::now() })
            }
            // Nobody would see it end.
            Err(errno) => child.kill().and_then(|()| child.wait()).and(Err(errno.into())),
        }
    }

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        // The one error there can be is that it has ended, which is what is wanted.
        let _ = pidfd_send_signal(&self.handle, signal);
    }

    /// Readable when the process has ended.
    pub(crate) fn ends(&self) -> BorrowedFd<'_> {
        self.handle.as_fd()
    }

    /// Readable when the process says that it is ready, or will never say so.
    pub(crate) fn says(&self) -> Option<BorrowedFd<'_>> {
        self.says.as_ref().map(ChildStdout::as_fd)
    }

    /// To be called when [`Self::says`] is readable: whether it said that it is ready.
    pub(crate) fn is_ready(&mut self) -> bool {
        // A line is written, and read, in one piece. One read: it must not wait for a worker that says no more.
        let mut line = [0; LONGEST_REASON];
        let count = self.says.take().and_then(|mut says| says.read(&mut line).ok()).unwrap_or(0);
        let said = &line[..count];
        let reason = String::from_utf8_lossy(said).trim().trim_start_matches("error: ").to_owned();
        self.reason = (said != READY && !reason.is_empty()).then_some(reason);
        said == READY
    }

    /// To be called when [`Self::ends`] is readable: how it ended.
    pub(crate) fn end(mut self) -> Ended {
        let lived = self.age();
        Ended { lived, status: self.child.wait(), reason: self.reason }
    }
}

/// How a worker process ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// From its start.
    pub(crate) lived: Duration,
    /// What it said of why it could not start.
    pub(crate) reason: Option<String>,
    status: io::Result<ExitStatus>,
}

impl Ended {
    pub(crate) fn is_success(&self) -> bool {
        self.status.as_ref().is_ok_and(ExitStatus::success)
    }
}

impl fmt::Display for Ended {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.status {
            Err(error) => write!(f, "was lost ({error})"),
            Ok(status) => match (status.code(), status.signal()) {
                (Some(code), _) => write!(f, "exited with code {code}"),
                (None, Some(signal)) => write!(f, "was ended by signal {signal}"),
                (None, None) => f.write_str("ended"),
            },
        }
    }
}
