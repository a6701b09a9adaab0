//! The guard where the system refuses it something: it still ends everything below it, and still reports.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read, Write},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use host::{
    guard::{Ended, Report},
    processes, tether,
};
use rustix::process::{Pid, Resource, Rlimit, Signal, prlimit};
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

const PATIENCE: Duration = Duration::from_secs(20);

/// Says its pid and those of a child and of a daemon, which left its session; serves until it is ended.
const FAMILY: &str = "sleep 300 & child=$!; setsid sh -c 'echo $$; exec sleep 300' & echo $$ $child; wait";

/// A guard above [`FAMILY`], or above nothing, and what a launcher has of it.
struct Guarded {
    guard: Child,
    launcher: Option<ChildStdin>,
    said: BufReader<ChildStdout>,
    family: Vec<u32>,
}

impl Guarded {
    /// `command` is the guard with the program below it.
    fn spawn(mut command: Command) -> Self {
        let mut guard = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (launcher, said) = (guard.stdin.take(), BufReader::new(guard.stdout.take().unwrap()));
        Self { guard, launcher, said, family: Vec::new() }
    }

    fn start(command: Command) -> Self {
        let mut guarded = Self::spawn(command);
        guarded.meet();
        assert_eq!(guarded.family.len(), 3, "{:?}", guarded.family);
        guarded
    }

    /// Reads who is below the guard, or nobody where it started nothing.
    fn meet(&mut self) {
        while self.family.len() < 3 {
            let mut line = String::new();
            self.said.read_line(&mut line).unwrap();
            if line.trim().is_empty() {
                return;
            }
            self.family.extend(line.split_whitespace().map(|pid| pid.parse::<u32>().unwrap()));
        }
    }

    /// The launcher says `word`, or nothing and is gone: what is reported within a deadline, with nobody left.
    fn end(mut self, word: Option<u8>) -> Report {
        let launcher = self.launcher.take().map(|mut launcher| {
            // A guard that has started nothing is gone already.
            word.inspect(|word| drop(launcher.write_all(&[*word])));
            launcher
        });
        let kept = word.and(launcher);
        let ended = processes::wait_until(&mut self.guard, Instant::now() + PATIENCE).unwrap();
        let left: Vec<u32> = self.family.iter().copied().filter(|&pid| lives(pid)).collect();
        for &pid in &left {
            processes::send(pid, Signal::KILL);
        }
        if ended.is_none() {
            self.guard.kill().unwrap();
            self.guard.wait().unwrap();
        }
        assert!(left.is_empty(), "{left:?} of {:?} outlived the guard ({ended:?})", self.family);
        assert!(ended.is_some_and(|ended| ended.success()), "{ended:?}");
        drop(kept);
        let mut said = String::new();
        self.said.read_to_string(&mut said).unwrap();
        said.lines().find_map(|line| serde_json::from_str(line).ok()).expect("a report")
    }
}

/// Whether a process is there and not merely unburied.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn guard() -> String {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(|deps| deps.parent()).unwrap();
    folder.join("examples/guard").display().to_string()
}

fn family() -> Command {
    let mut command = tether::command(guard());
    command.args(["sh", "-c", FAMILY]);
    command
}

/// Does `work` where the kernel answers `errno` to system calls, as a container's does.
fn without<T: Send + 'static>(
    calls: Vec<(i64, Vec<SeccompRule>)>,
    errno: i32,
    work: impl FnOnce() -> T + Send + 'static,
) -> T {
    let here = std::env::consts::ARCH.try_into().unwrap();
    let errno = SeccompAction::Errno(errno.unsigned_abs());
    let filter = SeccompFilter::new(BTreeMap::from_iter(calls), SeccompAction::Allow, errno, here).unwrap();
    let filter = BpfProgram::try_from(filter).unwrap();
    // A filter is a thread's, for good, and inherited by what the thread starts.
    let confined = thread::spawn(move || {
        seccompiler::apply_filter(&filter).unwrap();
        work()
    });
    confined.join().unwrap()
}

/// A call, whatever it is told.
fn any(call: i64) -> (i64, Vec<SeccompRule>) {
    (call, Vec::new())
}

/// `poll` of any number of files but three: the standard library looks at the three that every program has before `main`,
/// and gives up where it may not.
#[cfg(target_arch = "x86_64")]
fn polls() -> Vec<(i64, Vec<SeccompRule>)> {
    let other = SeccompCondition::new(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 3).unwrap();
    vec![any(libc::SYS_ppoll), (libc::SYS_poll, vec![SeccompRule::new(vec![other]).unwrap()])]
}

#[cfg(not(target_arch = "x86_64"))]
fn polls() -> Vec<(i64, Vec<SeccompRule>)> {
    let other = SeccompCondition::new(1, SeccompCmpArgLen::Qword, SeccompCmpOp::Ne, 3).unwrap();
    vec![(libc::SYS_ppoll, vec![SeccompRule::new(vec![other]).unwrap()])]
}

const TERMINATE: u8 = b't';
const KILL: u8 = b'k';

#[test]
fn without_pidfds_and_without_poll_it_obeys_the_launcher_as_ever() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        for refused in [vec![any(libc::SYS_pidfd_open)], polls()] {
            for (word, ended) in
                [(None, Signal::KILL), (Some(KILL), Signal::KILL), (Some(TERMINATE), Signal::TERM)]
            {
                let guarded = without(refused.clone(), errno, || Guarded::start(family()));
                let report = guarded.end(word);
                assert_eq!(report.guarded, Ok(Ended::Signal(ended.as_raw())), "{errno} {word:?}");
                assert!(report.left_behind >= 1 && report.usage.is_some(), "{report:?}");
            }
        }
    }
}

#[test]
fn a_program_that_cannot_be_waited_for_is_ended_with_its_descendants_and_that_is_reported() {
    let mut guarded = without(vec![any(libc::SYS_waitid)], libc::EPERM, || Guarded::spawn(family()));
    guarded.meet();
    let report = guarded.end(Some(TERMINATE));
    assert!(report.guarded.is_err_and(|reason| reason.contains("cannot watch sh")));
}

#[test]
fn where_it_cannot_adopt_orphans_it_starts_nothing_and_says_so() {
    // Of all that prctl does, PR_SET_CHILD_SUBREAPER alone.
    let adopt = SeccompCondition::new(0, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, 36).unwrap();
    let refused = vec![(libc::SYS_prctl, vec![SeccompRule::new(vec![adopt]).unwrap()])];
    let mut guarded = without(refused, libc::EPERM, || Guarded::spawn(family()));
    guarded.meet();
    assert!(guarded.family.is_empty(), "{:?}", guarded.family);
    let report = guarded.end(Some(TERMINATE));
    assert!(report.guarded.is_err_and(|reason| reason.contains("cannot guard sh")));
}

#[test]
fn with_hardly_a_descriptor_it_starts_nothing_or_ends_all_of_it() {
    let mut started = 0;
    // Four are what it takes to load the guard; what more, to start a program and to find its descendants, is its affair. Whoever
    // started the tests may have handed files to them, which would count.
    for limit in 4..10 {
        let mut command = tether::command("sh");
        let closed = (3..10).map(|file| format!("{file}<&- ")).collect::<String>();
        let starved = format!("exec {closed}; ulimit -n {limit}; exec \"$0\" sh -c \"$1\"");
        command.args(["-c", &starved, &guard(), FAMILY]);
        let mut guarded = Guarded::spawn(command);
        guarded.meet();
        let nobody = guarded.family.is_empty();
        started += usize::from(!nobody);
        let report = guarded.end(None);
        match report.guarded {
            Err(reason) => assert!(nobody && reason.contains("Too many open files"), "{limit}: {reason}"),
            Ok(ended) => assert_eq!((ended, nobody), (Ended::Signal(9), false), "{limit}"),
        }
    }
    assert!(started > 1, "{started}");
}

#[test]
fn with_no_descriptor_left_at_all_it_ends_everything() {
    for word in [None, Some(KILL), Some(TERMINATE)] {
        let guarded = Guarded::start(family());
        let none = Rlimit { current: Some(0), maximum: Some(0) };
        prlimit(Some(Pid::from_child(&guarded.guard)), Resource::Nofile, none).unwrap();
        let report = guarded.end(word);
        assert!(report.guarded.is_ok() && report.left_behind >= 1, "{report:?}");
    }
}
