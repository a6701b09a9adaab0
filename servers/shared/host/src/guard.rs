//! The guard: a small process between a launcher and what it launches, so that nothing outlives the launcher.
//!
//! A parent-death signal reaches children but not grandchildren, and a launcher that is killed with SIGKILL can
//! clean up nothing. The guard is the subreaper of everything below it, so that an orphan becomes its child, and
//! it holds the read end of a pipe whose write end only the launcher has. When that pipe closes, for whatever
//! reason, the guard kills all its descendants. When the launched program ends by itself, the guard kills what
//! it left behind, waits for all of it, and prints a [`Report`] with the exact resource usage of the whole tree.
//!
//! Nothing that fails ends the guard before what is below it, or without a report. It waits with two threads, one for the
//! program and one for the launcher, since both calls block by themselves: a pidfd and `poll` would need a descriptor that may
//! not be had (`EMFILE`) and calls that a seccomp filter may refuse. What it needs to know its descendants by, it opens before
//! there are any; where that cannot be opened, it starts nothing.
//!
//! A program that launches guarded processes offers the guard as a hidden command of itself that calls [`run`].

use std::{
    collections::BTreeSet,
    ffi::OsString,
    fs::File,
    io::{self, Write},
    os::unix::{fs::FileExt, process::ExitStatusExt},
    process::{Command, ExitStatus, Stdio},
    sync::{Arc, Mutex, PoisonError, atomic::AtomicBool},
    thread,
    time::Duration,
};

use nix::sys::resource::{UsageWho, getrusage};
use rustix::{
    io::Errno,
    process::{Pid, Signal, WaitId, WaitIdOptions, WaitOptions, getpid, set_child_subreaper, wait, waitid},
    thread::gettid,
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
    /// How the launched program itself ended, or why it could not be started or watched.
    pub guarded: Result<Ended, String>,
    /// What it and all its descendants used; absent where the system does not say.
    pub usage: Option<Usage>,
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
/// The report cannot be put into words. That the program could not be started or watched is part of the report.
pub fn run(program: OsString, arguments: Vec<OsString>) -> io::Result<()> {
    let (guarded, left_behind) = match Descendants::adopt() {
        Ok(descendants) => {
            let guarded = guard(&program, arguments);
            (guarded, descendants.end())
        }
        Err(error) => (Err(format!("cannot guard {}: {error}", program.display())), 0),
    };
    let report = Report { guarded, usage: usage_of_waited_children(), left_behind };

    // On a line of its own even where the program's last line has no end.
    let line = format!("\n{}\n", serde_json::to_string(&report)?);
    // The launcher may be gone; there is nobody left to tell then.
    #[expect(clippy::disallowed_methods, reason = "the report is the guard's result, and must not be lost")]
    drop(io::stdout().lock().write_all(line.as_bytes()));
    Ok(())
}

/// Starts the program and waits for its end, which the launcher may ask for. Of a program that cannot be watched, the end is
/// the guard's.
fn guard(program: &OsString, arguments: Vec<OsString>) -> Result<Ended, String> {
    // Interrupts are for the launcher to act on: it tells the guard by the pipe. (A handler, unlike an ignored
    // signal, is not inherited by the program.)
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::new(AtomicBool::new(false)))
            .map_err(|error| format!("cannot handle signals: {error}"))?;
    }
    let named = |what: &str, error: io::Error| format!("cannot {what} {}: {error}", program.display());
    #[expect(clippy::disallowed_methods, reason = "this is the guard")]
    let mut child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::null())
        .spawn()
        .map_err(|error| named("start", error))?;
    let watched = watch(child.id());
    if watched.is_err() {
        processes::send(child.id(), Signal::KILL);
    }
    let ended = child.wait();
    watched.map_err(|error| named("watch", error))?;
    ended.map(Ended::from).map_err(|error| named("wait for", error))
}

/// Waits for the program's end, and leaves it unburied, so that its pid is nobody else's until this returns. Meanwhile another
/// thread obeys the launcher.
fn watch(pid: u32) -> io::Result<()> {
    let program = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or(io::ErrorKind::InvalidInput)?;
    let living = Arc::new(Mutex::new(Some(pid)));
    let told = Arc::clone(&living);
    // It may wait for the launcher's word for ever: it ends with the process.
    let _obeying = thread::Builder::new().name("launcher".to_owned()).spawn(move || obey(&told))?;
    let ended = loop {
        match waitid(WaitId::Pid(program), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT) {
            Ok(_) => break Ok(()),
            Err(Errno::INTR) => {}
            Err(errno) => break Err(errno.into()),
        }
    };
    *living.lock().unwrap_or_else(PoisonError::into_inner) = None;
    ended
}

/// Does what the launcher says to the program, while that is `living`, until it says kill or goes away.
fn obey(living: &Mutex<Option<u32>>) {
    loop {
        let mut words = [0; 16];
        let length = match rustix::io::read(io::stdin(), &mut words) {
            Ok(length) => length,
            Err(Errno::INTR) => continue,
            // There is nobody to be heard.
            Err(_) => 0,
        };
        // `KILL`, the end of the pipe, or anything that no launcher of this version says.
        let ends = length == 0 || words[..length].iter().any(|&word| word != TERMINATE);
        if let Some(pid) = *living.lock().unwrap_or_else(PoisonError::into_inner) {
            processes::send(pid, if ends { Signal::KILL } else { Signal::TERM });
        }
        if ends {
            return;
        }
    }
}

/// Everything below this process, which becomes the parent of what loses its own there.
struct Descendants {
    /// Lists of this process's children (proc_pid_task(5)), which can be read again without another descriptor. Empty on
    /// kernels that have none.
    children: Vec<File>,
}

impl Descendants {
    fn adopt() -> io::Result<Self> {
        set_child_subreaper(Some(getpid()))?;
        // Children are the thread's that started them; orphans come to the first.
        let threads = BTreeSet::from([getpid(), gettid()].map(Pid::as_raw_pid));
        let lists =
            threads.into_iter().map(|thread| File::open(format!("/proc/self/task/{thread}/children")));
        let children = match lists.collect::<io::Result<_>>() {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Vec::new(),
            lists => lists?,
        };
        // Where there are no lists, this is the only way, and must be possible.
        processes::try_descendants(std::process::id()).or_else(|error| match children.is_empty() {
            true => Err(error),
            false => Ok(Vec::new()),
        })?;
        Ok(Self { children })
    }

    /// All of them; where descriptors lack only the children, whose own become children once their parents are dead.
    fn list(&self) -> Vec<u32> {
        processes::try_descendants(std::process::id())
            .unwrap_or_else(|_| self.children.iter().flat_map(children_in).collect())
    }

    /// Kills and waits for all of them; how many there were.
    fn end(&self) -> usize {
        let mut left_behind = BTreeSet::new();
        loop {
            let waited = wait(WaitOptions::NOHANG);
            match waited {
                Ok(Some(_)) | Err(Errno::INTR) => continue,
                Err(Errno::CHILD) => return left_behind.len(),
                // Killed but not yet dead, or dead but its parent, also dying, has not been reaped.
                Ok(None) | Err(_) => {}
            }
            let living = self.list();
            if waited.is_err() && living.is_empty() {
                return left_behind.len();
            }
            for pid in living {
                processes::send(pid, Signal::KILL);
                left_behind.insert(pid);
            }
            thread::sleep(REAP_INTERVAL);
        }
    }
}

/// The pids in a list of children, as it is now.
fn children_in(list: &File) -> Vec<u32> {
    let mut text = Vec::new();
    let mut part = [0; 4096];
    while let Ok(length @ 1..) = list.read_at(&mut part, text.len() as u64) {
        text.extend_from_slice(&part[..length]);
    }
    String::from_utf8_lossy(&text).split_whitespace().filter_map(|pid| pid.parse().ok()).collect()
}

fn usage_of_waited_children() -> Option<Usage> {
    let usage = getrusage(UsageWho::RUSAGE_CHILDREN).ok()?;
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let microseconds = |time: nix::sys::time::TimeVal| count(time.tv_sec() * 1_000_000 + time.tv_usec());
    Some(Usage {
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
