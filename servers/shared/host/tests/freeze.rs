//! Trees of real processes that are frozen and thawed, and what may happen to them meanwhile.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, ChildStdout, Stdio},
    thread,
    time::{Duration, Instant},
};

use host::{
    freeze::{FreezeFault, Freezer, Group, Limits},
    guard::Ended,
    launch::{Exit, Heard, Launch, Process},
    members, processes, tether,
};
use rustix::process::Signal;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter, SeccompRule,
};

const PATIENCE: Duration = Duration::from_secs(20);
/// The part that this test is to play when it is started again.
const PART: &str = "PART_TO_PLAY";

/// The program `family` below a guard.
struct Family {
    process: Process,
    port: u16,
    told_on: SocketAddr,
}

impl Family {
    fn start() -> Self {
        let mut process = Launch::new(example("family")).guarded_by([example("guard")]).spawn().unwrap();
        let line = match process.next_line(Instant::now() + PATIENCE).unwrap() {
            Heard::Line(line) => line,
            other => panic!("{other:?}"),
        };
        let ports: Vec<u16> = line.split_whitespace().map(|port| port.parse().unwrap()).collect();
        Self { process, port: ports[0], told_on: SocketAddr::from(([127, 0, 0, 1], ports[1])) }
    }

    fn freezer(&self) -> Freezer {
        let limits = Limits { idle_within: PATIENCE, stopped_within: PATIENCE, ..Limits::default() };
        Freezer::below(self.process.launched()).listening_on(self.port).limits(limits)
    }

    fn order(&self, order: &str) -> Order {
        let mut connection = TcpStream::connect(self.told_on).unwrap();
        connection.set_read_timeout(Some(PATIENCE)).unwrap();
        writeln!(connection, "{order}").unwrap();
        Order(connection)
    }

    fn tell(&self, order: &str) -> String {
        self.order(order).answer()
    }

    fn pids(&self) -> Vec<u32> {
        let living = members::below(self.process.launched()).unwrap().living;
        living.iter().map(|member| member.pid).collect()
    }

    /// The server itself, which is the guard's child.
    fn pid(&self) -> u32 {
        self.pids()[0]
    }

    /// Somebody else lets the server go on.
    fn resume_from_outside(&self) {
        assert!(processes::send(self.pid(), Signal::CONT));
    }

    /// That it obeys SIGTERM.
    fn end(self) -> Exit {
        let exit = self.process.stop(PATIENCE).unwrap();
        assert!(exit.ended == Ended::Signal(Signal::TERM.as_raw()) && !exit.forced, "{exit:?}");
        exit
    }
}

/// An order that is not yet answered.
struct Order(TcpStream);

impl Order {
    fn answer(self) -> String {
        let mut answer = String::new();
        BufReader::new(self.0).read_line(&mut answer).unwrap();
        assert!(answer.ends_with('\n'), "it ended");
        answer.trim().to_owned()
    }
}

fn example(name: &str) -> String {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(|deps| deps.parent()).unwrap();
    folder.join("examples").join(name).display().to_string()
}

/// The states of all threads of a process that are there.
fn states(pid: u32) -> BTreeSet<char> {
    let tasks = fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten().flatten();
    let stats = tasks.filter_map(|task| fs::read_to_string(task.path().join("stat")).ok());
    stats.map(|stat| stat.rsplit_once(") ").unwrap().1.chars().next().unwrap()).collect()
}

/// Whether a process is there and not merely unburied.
fn lives(pid: u32) -> bool {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn all_end(pids: &[u32]) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(left) = pids.iter().find(|&&pid| lives(pid)) {
        if Instant::now() > deadline {
            for &pid in pids {
                processes::send(pid, Signal::KILL);
            }
            panic!("{left} of {pids:?} outlived what should end it");
        }
        thread::yield_now();
    }
}

#[test]
fn a_tree_stands_still_as_a_whole_and_is_the_same_after_three_times() {
    let family = Family::start();
    let (child, daemon) = (family.tell("child").parse().unwrap(), family.tell("daemon").parse().unwrap());
    family.tell("watch");
    family.tell("threads 64");
    let (freezer, pids) = (family.freezer(), family.pids());
    assert!(pids.contains(&child) && pids.contains(&daemon), "{child} and {daemon} of {pids:?}");
    for _ in 0..3 {
        let frozen = freezer.freeze().unwrap();
        assert_eq!(frozen.members().iter().map(|member| member.pid).collect::<Vec<_>>(), pids);
        for &pid in &pids {
            assert_eq!(states(pid), BTreeSet::from(['T']), "{pid}");
        }
        assert!(!states(family.process.launched()).contains(&'T'), "the guard must be able to end the tree");
        // Who asks meanwhile is answered later.
        let asked = family.order("noticed");
        frozen.check().unwrap();
        assert_eq!(frozen.thaw().unwrap().iter().map(|member| member.pid).collect::<Vec<_>>(), pids);
        assert_eq!(asked.answer(), "0", "a parent noticed that its child was stopped");
        assert_eq!(family.pids(), pids);
    }
    assert_eq!(family.end().left_behind, pids.len() - 1);
}

#[test]
fn one_that_starts_another_between_freeze_and_thaw_is_found_out_and_goes_on() {
    let family = Family::start();
    let frozen = family.freezer().freeze().unwrap();
    family.resume_from_outside();
    let new: u32 = family.tell("child").parse().unwrap();
    match frozen.thaw().unwrap_err() {
        FreezeFault::ForkedAnew(changes) => {
            assert!(changes.gone.is_empty() && changes.come[0].pid == new, "{changes:?}");
        }
        other => panic!("{other}"),
    }
    family.tell("rest");
    // Which is then as it is, and can be frozen again.
    family.freezer().freeze().unwrap().thaw().unwrap();
    family.end();
}

#[test]
fn one_that_dies_while_frozen_is_named_and_the_others_go_on() {
    let family = Family::start();
    let child: u32 = family.tell("child").parse().unwrap();
    let frozen = family.freezer().freeze().unwrap();
    assert!(processes::send(child, Signal::KILL));
    all_end(&[child]);
    match frozen.thaw().unwrap_err() {
        FreezeFault::Died { gone } => {
            assert_eq!(gone.iter().map(|member| member.pid).collect::<Vec<_>>(), [child]);
        }
        other => panic!("{other}"),
    }
    family.tell("rest");
    family.end();
}

#[test]
fn a_tree_that_ended_while_frozen_is_told_so_and_so_is_one_that_never_was() {
    let family = Family::start();
    let frozen = family.freezer().freeze().unwrap();
    let (freezer, pids) = (family.freezer(), family.pids());
    assert!(processes::send(pids[0], Signal::KILL));
    all_end(&pids);
    let fault = frozen.thaw().unwrap_err();
    assert!(matches!(&fault, FreezeFault::Died { gone } if gone.len() == pids.len()), "{fault}");
    let fault = freezer.freeze().unwrap_err();
    assert!(matches!(fault, FreezeFault::Nothing { .. }), "{fault}");
}

#[test]
fn one_that_closed_its_listener_is_found_out_when_it_is_frozen_and_when_it_is_thawed() {
    let family = Family::start();
    let frozen = family.freezer().freeze().unwrap();
    family.resume_from_outside();
    family.tell("close");
    let fault = frozen.thaw().unwrap_err();
    assert!(matches!(fault, FreezeFault::ClosedListener { port } if port == family.port), "{fault}");
    let fault = family.freezer().freeze().unwrap_err();
    assert!(matches!(fault, FreezeFault::ClosedListener { .. }), "{fault}");
    // And it is not left stopped.
    family.tell("rest");
    family.end();
}

#[test]
fn one_that_somebody_else_let_go_on_has_used_cpu() {
    let family = Family::start();
    let frozen = family.freezer().freeze().unwrap();
    family.resume_from_outside();
    family.tell("rest");
    let fault = frozen.thaw().unwrap_err();
    assert!(matches!(fault, FreezeFault::Ran { used, .. } if used > Duration::ZERO), "{fault}");
    family.end();
}

#[test]
fn one_that_is_at_work_is_not_frozen_before_it_rests() {
    let family = Family::start();
    family.tell("spin");
    let hurried = Limits { idle_within: Duration::from_millis(50), ..Limits::default() };
    let fault = family.freezer().limits(hurried).freeze().unwrap_err();
    assert!(matches!(fault, FreezeFault::NotIdle { .. }), "{fault}");
    let freezer = family.freezer();
    let freezing = thread::spawn(move || freezer.freeze().unwrap());
    family.tell("rest");
    freezing.join().unwrap().thaw().unwrap();
    family.end();
}

#[test]
fn one_that_cannot_be_stopped_is_named_and_nothing_stays_stopped() {
    if !tether::command("python3").arg("--version").status().is_ok_and(|status| status.success()) {
        return eprintln!("not tried: no python3, which starts programs so that it waits for them to begin");
    }
    let family = Family::start();
    let folder = tempfile::tempdir().unwrap();
    family.tell("child");
    let fifo = folder.path().join("fifo");
    family.tell(&format!("stick {}", fifo.display()));
    // Who is stuck waits for its child, and cannot be interrupted.
    let is_stuck = |pid: u32| states(pid).contains(&'D') && !members::below(pid).unwrap().living.is_empty();
    let deadline = Instant::now() + PATIENCE;
    let stuck = loop {
        match family.pids().into_iter().find(|&pid| is_stuck(pid)) {
            Some(stuck) if fifo.exists() => break stuck,
            _ => {}
        }
        assert!(Instant::now() < deadline, "nobody is stuck");
        thread::yield_now();
    };
    let hurried =
        Limits { idle_within: PATIENCE, stopped_within: Duration::from_millis(50), ..Limits::default() };
    let fault = family.freezer().limits(hurried).freeze().unwrap_err();
    assert!(matches!(&fault, FreezeFault::NotStopped { member, .. } if member.pid == stuck), "{fault}");
    family.tell("rest");
    for pid in family.pids() {
        assert!(!states(pid).contains(&'T'), "{pid}");
    }
    family.end();
}

#[test]
fn one_that_may_not_be_stopped_is_named_and_nothing_stays_stopped() {
    let family = Family::start();
    family.tell("child");
    // As the kernel answers where it runs as another user.
    let stop = u64::from(Signal::STOP.as_raw().unsigned_abs());
    let stop = SeccompCondition::new(1, SeccompCmpArgLen::Dword, SeccompCmpOp::Eq, stop).unwrap();
    let rules = BTreeMap::from([(libc::SYS_kill, vec![SeccompRule::new(vec![stop]).unwrap()])]);
    let refuse = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let here = std::env::consts::ARCH.try_into().unwrap();
    let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, here).unwrap();
    let filter = BpfProgram::try_from(filter).unwrap();
    let freezer = family.freezer();
    // A filter is a thread's, for good.
    let fault = thread::spawn(move || {
        seccompiler::apply_filter(&filter).unwrap();
        freezer.freeze().unwrap_err()
    });
    let fault = fault.join().unwrap();
    assert!(matches!(&fault, FreezeFault::Refused { member, .. } if member.pid == family.pid()), "{fault}");
    family.tell("rest");
    family.end();
}

#[test]
fn the_guard_ends_a_frozen_tree_which_does_not_hear_sigterm() {
    let family = Family::start();
    family.tell("daemon");
    let (pids, frozen) = (family.pids(), family.freezer().freeze().unwrap());
    let exit = family.process.stop(Duration::from_millis(100)).unwrap();
    assert!(exit.forced && exit.ended == Ended::Signal(Signal::KILL.as_raw()), "{exit:?}");
    all_end(&pids);
    drop(frozen);

    let family = Family::start();
    family.tell("daemon");
    let (pids, frozen) = (family.pids(), family.freezer().freeze().unwrap());
    // The launcher goes away.
    drop(family.process);
    all_end(&pids);
    drop(frozen);
}

#[test]
fn one_that_nobody_holds_any_more_obeys_sigterm() {
    let family = Family::start();
    family.tell("child");
    drop(family.freezer().freeze().unwrap());
    family.end();
}

/// Where this user may make one: as root on a host with a hierarchy of version 2, for one.
fn group(name: &str) -> Option<Group> {
    match Group::create(&format!("{name}-{}", std::process::id())) {
        Ok(group) => Some(group),
        Err(error) => {
            eprintln!("not tried: {error}");
            None
        }
    }
}

#[test]
fn a_cgroup_of_version_2_freezes_a_tree_and_what_it_froze_can_be_ended() {
    let Some(by) = group("freeze-test") else { return };
    let family = Family::start();
    family.tell("daemon");
    family.tell("threads 8");
    let (freezer, pids) = (family.freezer().by_group(by), family.pids());
    for _ in 0..3 {
        let frozen = freezer.freeze().unwrap();
        assert_eq!(frozen.members().iter().map(|member| member.pid).collect::<Vec<_>>(), pids);
        let asked = family.order("rest");
        assert_eq!(frozen.thaw().unwrap().len(), pids.len());
        asked.answer();
    }
    let frozen = freezer.freeze().unwrap();
    drop(family.process);
    all_end(&pids);
    drop(frozen);
}

/// This test as a child process, and what it says.
fn played(test: &str, part: &str) -> (Child, BufReader<ChildStdout>) {
    let mut process = tether::command(std::env::current_exe().unwrap())
        .args([test, "--exact", "--nocapture"])
        .env(PART, part)
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let said = BufReader::new(process.stdout.take().unwrap());
    (process, said)
}

#[test]
fn a_frozen_tree_ends_with_whoever_froze_it() {
    const THIS: &str = "a_frozen_tree_ends_with_whoever_froze_it";
    let say = |pids: &[u32]| {
        println!("pids: {}", pids.iter().map(u32::to_string).collect::<Vec<_>>().join(" "));
        loop {
            thread::park();
        }
    };
    match std::env::var(PART).ok().as_deref() {
        Some("guarded") => {
            let family = Family::start();
            family.tell("daemon");
            let (pids, _frozen) = (family.pids(), family.freezer().freeze().unwrap());
            say(&pids);
        }
        Some(_) => {
            // What has no guard is tethered.
            let mut shell = Launch::new("sh").args(["-c", "sleep 300 & echo $! $$; wait"]).spawn().unwrap();
            let Heard::Line(line) = shell.next_line(Instant::now() + PATIENCE).unwrap() else { panic!() };
            let pids: Vec<u32> = line.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
            assert!(pids.iter().all(|&pid| processes::send(pid, Signal::STOP)));
            say(&pids);
        }
        None => {}
    }
    for part in ["guarded", "tethered"] {
        let (mut launcher, mut said) = played(THIS, part);
        let pids: Vec<u32> = loop {
            let mut line = String::new();
            assert!(said.read_line(&mut line).unwrap() > 0, "{part}: it ended");
            // The test's own name may stand before it on the line.
            if let Some((_, pids)) = line.split_once("pids: ") {
                break pids.split_whitespace().map(|pid| pid.parse().unwrap()).collect();
            }
        };
        assert!(pids.len() >= 2 && pids.iter().all(|&pid| lives(pid)), "{part}: {pids:?}");
        launcher.kill().unwrap();
        launcher.wait().unwrap();
        all_end(&pids);
    }
}
