//! The guard: a small process between a launcher and what it launches, so that nothing outlives the launcher.
//!
//! A parent-death signal reaches children but not grandchildren, and a launcher that is killed with SIGKILL can
//! clean up nothing. The guard is the subreaper of everything below it, so that an orphan becomes its child, and
//! it holds the read end of a pipe whose write end only the launcher has. When that pipe closes, for whatever
//! reason, the guard kills all its descendants. When the launched program ends by itself, the guard kills what
//! it left behind, waits for all of it, and prints a [`Report`] with the exact resource usage of the whole tree.
//!
//! A program that launches guarded processes offers the guard as a hidden command of itself that calls [`run`].

use std::{
    ffi::OsString,
    io::{self, Write},
    os::unix::process::ExitStatusExt,
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, atomic::AtomicBool},
    time::Duration,
};

use nix::sys::resource::{UsageWho, getrusage};
use rustix::{
    event::{PollFd, PollFlags, poll},
    io::Errno,
    process::{Pid, PidfdFlags, Signal, WaitOptions, pidfd_open, set_child_subreaper, wait},
    time::Timespec,
};
use serde::{Deserialize, Serialize};

use crate::processes;

/// How a process ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Ended {
    /// It exited with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

/// What a tree of processes used, as the kernel accounts for it when they are waited for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// CPU time in user mode, microseconds.
    pub user_us: u64,
    /// CPU time in the kernel, microseconds.
    pub system_us: u64,
    /// The largest resident set of any one process, KiB.
    pub peak_rss_kib: u64,
    /// Context switches because a task waited.
    pub voluntary_switches: u64,
    /// Context switches because a task's time was up or a better one woke.
    pub involuntary_switches: u64,
}

/// What the guard prints, as one JSON line on stdout after an empty one, when everything below it has ended.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// How the launched program itself ended, or why it could not be started.
    pub guarded: Result<Ended, String>,
    /// What it and all its descendants used.
    pub usage: Usage,
    /// How many of its descendants were still running when it ended, and were killed.
    pub left_behind: usize,
}

/// How a report's line begins.
pub(crate) const REPORT_BEGINS: &str = "{\"guarded\":";

/// What a launcher writes to the guard to have SIGTERM sent to the program.
pub(crate) const TERMINATE: u8 = b't';
/// What a launcher writes to the guard to end everything below it at once.
pub(crate) const KILL: u8 = b'k';

/// Longest time between two looks at what is left, once everything was killed.
const REAP_INTERVAL: Duration = Duration::from_millis(20);

/// Runs `program` below this process until it ends or stdin closes; see the module's description.
///
/// # Errors
/// Only what concerns the guard itself; that the program could not be started is part of the report.
pub fn run(program: OsString, arguments: Vec<OsString>) -> io::Result<()> {
    // Interrupts are for the launcher to act on: it tells the guard by the pipe. (A handler, unlike an ignored
    // signal, is not inherited by the program.)
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))?;
    }
    set_child_subreaper(Some(rustix::process::getpid()))?;

    let spawned = Command::new(&program).args(arguments).stdin(Stdio::null()).spawn();
    let guarded = match spawned {
        Ok(mut child) => {
            let pid = child.id();
            watch(pid)?;
            let ended = match child.try_wait()? {
                Some(status) => status,
                None => {
                    processes::send(pid, Signal::KILL);
                    child.wait()?
                }
            };
            Ok(ended.into())
        }
        Err(error) => Err(format!("cannot start {}: {error}", program.display())),
    };
    let left_behind = end_descendants()?;
    let report = Report { guarded, usage: usage_of_waited_children()?, left_behind };

    // On a line of its own even where the program's last line has no end.
    let line = format!("\n{}\n", serde_json::to_string(&report)?);
    // The launcher may be gone; there is nobody left to tell then.
    drop(io::stdout().lock().write_all(line.as_bytes()));
    Ok(())
}

/// Obeys the launcher until the program ends, or until the launcher says kill or goes away.
fn watch(pid: u32) -> io::Result<()> {
    let program = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let program = pidfd_open(program, PidfdFlags::empty())?;
    let launcher = io::stdin();
    loop {
        let mut ready = [PollFd::new(&program, PollFlags::IN), PollFd::new(&launcher, PollFlags::IN)];
        match poll(&mut ready, None) {
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let [program_ended, launcher_spoke] = ready.map(|fd| !fd.revents().is_empty());
        if program_ended {
            return Ok(());
        }
        if launcher_spoke {
            // Unbuffered, so that what poll sees is all there is.
            let mut words = [0; 16];
            let length = rustix::io::read(&launcher, &mut words)?;
            // `KILL`, the end of the pipe, or anything that no launcher of this version says.
            if length == 0 || words[..length].iter().any(|&word| word != TERMINATE) {
                return Ok(());
            }
            processes::send(pid, Signal::TERM);
        }
    }
}

/// Kills and waits for whatever is still below this process; how many there were.
fn end_descendants() -> io::Result<usize> {
    let own = std::process::id();
    let mut left_behind = 0;
    loop {
        let descendants = processes::descendants(own);
        left_behind = left_behind.max(descendants.len());
        for pid in descendants {
            processes::send(pid, Signal::KILL);
        }
        match wait(WaitOptions::NOHANG) {
            Ok(Some(_)) => {}
            // Killed but not yet dead, or dead but its parent, also dying, has not been reaped.
            Ok(None) => {
                let interval = Timespec { tv_sec: 0, tv_nsec: i64::from(REAP_INTERVAL.subsec_nanos()) };
                poll(&mut [], Some(&interval)).or_else(|errno| match errno {
                    Errno::INTR => Ok(0),
                    other => Err(other),
                })?;
            }
            Err(Errno::CHILD) => return Ok(left_behind),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}

fn usage_of_waited_children() -> io::Result<Usage> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN)?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let microseconds = |time: nix::sys::time::TimeVal| count(time.tv_sec() * 1_000_000 + time.tv_usec());
    Ok(Usage {
        user_us: microseconds(usage.user_time()),
        system_us: microseconds(usage.system_time()),
        peak_rss_kib: count(usage.max_rss()),
        voluntary_switches: count(usage.voluntary_context_switches()),
        involuntary_switches: count(usage.involuntary_context_switches()),
    })
}

impl From<ExitStatus> for Ended {
    fn from(status: ExitStatus) -> Self {
        match (status.code(), status.signal()) {
            (Some(code), _) => Self::Code(code),
            (None, Some(signal)) => Self::Signal(signal),
            (None, None) => Self::Code(-1),
        }
    }
}

impl std::fmt::Display for Ended {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => match Signal::from_named_raw(*signal) {
                Some(name) => write!(f, "signal {name:?}"),
                None => write!(f, "signal {signal}"),
            },
        }
    }
}
