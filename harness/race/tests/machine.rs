//! What is read of the machine, against what processes know of themselves. They are this test's own program, started again, and do
//! what they are told on stdin, one line for one line.

use std::{
    hint,
    io::{BufRead, BufReader, Write},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use host::{cpus::CpuSet, freeze::Freezer, tether};
use race::machine::{
    alone::{Alone, NotAlone},
    edge::{Accounts, Edges},
};
use rustix::time::{ClockId, clock_gettime};

/// Says to this test, started again, that it is one of the processes.
const TOLD: &str = "TOLD_ON_STDIN";
/// Where a process that is told to takes the lock.
const PLACE: &str = "PLACE_OF_LOCK";

fn clock(id: ClockId) -> Duration {
    Duration::try_from(clock_gettime(id)).unwrap()
}

fn burn(time: Duration, id: ClockId) {
    let began = clock(id);
    while clock(id) - began < time {
        hint::spin_loop();
    }
}

/// The process that is told what to do: `burn MS`, the same in a `thread` that ends, or in a `child` that is waited for; each is
/// answered with the CPU time of this process before and after, in nanoseconds.
fn obey() {
    let mut held = Vec::new();
    for order in std::io::stdin().lines() {
        let before = clock(ClockId::ProcessCPUTime);
        let order = order.unwrap();
        let (what, time) = order.split_once(' ').unwrap_or((&order, "0"));
        let time = Duration::from_millis(time.parse().unwrap());
        match what {
            "burn" => burn(time, ClockId::ProcessCPUTime),
            "thread" => thread::spawn(move || burn(time, ClockId::ThreadCPUTime)).join().unwrap(),
            "child" => {
                let mut child = Told::new(|_| ());
                child.tell(&format!("burn {}", time.as_millis()));
                child.end();
            }
            "lock" => {
                let place = PathBuf::from(std::env::var_os(PLACE).unwrap());
                held.push(Alone::in_places(&[place]).unwrap());
            }
            _ => {}
        }
        println!("clocks: {} {}", before.as_nanos(), clock(ClockId::ProcessCPUTime).as_nanos());
    }
}

/// A process that is told what to do.
struct Told {
    process: Child,
    orders: ChildStdin,
    answers: BufReader<ChildStdout>,
}

impl Told {
    fn new(adapt: impl FnOnce(&mut Command)) -> Self {
        let mut command = tether::command(std::env::current_exe().unwrap());
        command.args(["processes_do_what_they_are_told", "--exact", "--nocapture"]).env(TOLD, "1");
        adapt(&mut command);
        Self::spawn(command)
    }

    /// Below a shell, which is to a tree what a guard is.
    fn below_a_shell() -> Self {
        let mut command = tether::command("sh");
        let script = "\"$0\" processes_do_what_they_are_told --exact --nocapture; :";
        command.args(["-c", script]).arg(std::env::current_exe().unwrap()).env(TOLD, "1");
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut process = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (orders, answers) = (process.stdin.take().unwrap(), process.stdout.take().unwrap());
        let mut told = Self { process, orders, answers: BufReader::new(answers) };
        told.tell("begin");
        told
    }

    /// Its CPU time before and after it did that, in nanoseconds.
    fn tell(&mut self, order: &str) -> [u64; 2] {
        writeln!(self.orders, "{order}").unwrap();
        loop {
            let mut line = String::new();
            assert!(self.answers.read_line(&mut line).unwrap() > 0, "it ended");
            // What names the test may stand before it on the line.
            if let Some((_, clocks)) = line.split_once("clocks: ") {
                let (before, after) = clocks.trim().split_once(' ').unwrap();
                return [before, after].map(|clock| clock.parse().unwrap());
            }
        }
    }

    fn end(mut self) {
        drop(self.orders);
        assert!(self.process.wait().unwrap().success());
    }
}

#[test]
fn processes_do_what_they_are_told() {
    if std::env::var_os(TOLD).is_some() {
        obey();
    }
}

fn first_cpu() -> CpuSet {
    CpuSet::allowed().unwrap().iter().take(1).collect()
}

/// A process that runs on `cpus`: it inherits that of the thread which starts it.
fn told_on(cpus: &CpuSet) -> Told {
    let _pinned = cpus.pin_current_thread().unwrap();
    Told::new(|_| ())
}

fn no_generator() -> CpuSet {
    CpuSet::default()
}

#[test]
fn what_a_foreign_process_used_is_seen_to_the_nanosecond_and_named() {
    let cpus = first_cpu();
    let mut burner = told_on(&cpus);
    let mut edges = Edges::default();
    // The row is below somebody who has nothing below: a process that is told what to do has no children.
    let row = Told::new(|_| ());
    for order in ["burn 40", "thread 40"] {
        let [_, since] = burner.tell("nothing");
        let before = edges.read(row.process.id(), &[]).unwrap();
        let [first, last] = burner.tell(order);
        let after = edges.read(row.process.id(), &[]).unwrap();
        let accounts = Accounts::between(&before, &after, &cpus, &no_generator(), &[]);
        let [later, _] = burner.tell("nothing");
        let taken: u64 =
            accounts.shares.takers.iter().filter(|it| it.pid == burner.process.id()).map(|it| it.ns).sum();
        assert!(
            (last - first..=later - since).contains(&taken),
            "{order}: {taken}; {since} {first} {last} {later}"
        );
        assert!(accounts.shares.foreign_ns >= taken && accounts.foreign_share() > 0.0, "{accounts:?}");
        assert_eq!((accounts.row.cpu_ns, accounts.shares.row_ns), (0, 0), "{accounts:?}");
        let this = accounts
            .shares
            .takers
            .iter()
            .find(|it| it.pid == std::process::id() || it.pid == row.process.id());
        assert!(this.is_none(), "{this:?}");
    }
    burner.end();
    row.end();
}

#[test]
fn what_ran_elsewhere_all_the_time_does_not_count() {
    let allowed = CpuSet::allowed().unwrap();
    let Some(other) = allowed.iter().nth(1) else { return eprintln!("not tried: one CPU") };
    let (cpus, other) = (first_cpu(), CpuSet::from_iter([other]));
    let (mut burner, row, mut edges) = (told_on(&other), Told::new(|_| ()), Edges::default());
    let before = edges.read(row.process.id(), &[]).unwrap();
    let [first, last] = burner.tell("burn 30");
    let after = edges.read(row.process.id(), &[]).unwrap();
    let pid = burner.process.id();
    let of = |cpus: &CpuSet| Accounts::between(&before, &after, cpus, &no_generator(), &[]).shares.takers;
    assert!(!of(&cpus).iter().any(|taker| taker.pid == pid));
    assert!(of(&other).iter().any(|taker| taker.pid == pid && taker.ns >= last - first));
    burner.end();
    row.end();
}

#[test]
fn the_rows_tree_is_the_rows_its_guard_is_the_harnesss_and_so_is_this_process() {
    let allowed = CpuSet::allowed().unwrap();
    let (mut row, mut edges) = (Told::below_a_shell(), Edges::default());
    let guard = row.process.id();
    for (order, in_children) in [("burn 30", false), ("thread 30", false), ("child 30", true)] {
        let [_, since] = row.tell("nothing");
        let before = edges.read(guard, &[]).unwrap();
        let [first, last] = row.tell(order);
        burn(Duration::from_millis(5), ClockId::ThreadCPUTime);
        let after = edges.read(guard, &[]).unwrap();
        let accounts = Accounts::between(&before, &after, &allowed, &allowed, &[]);
        let used = &accounts.row;
        let [later, _] = row.tell("nothing");
        // Whoever has had a child also has what watches over it.
        let (processes, most) = if in_children { (2, u64::MAX) } else { (1, later - since) };
        assert!(
            (last - first..=most).contains(&used.cpu_ns),
            "{order}: {used:?}; {since} {first} {last} {later}"
        );
        assert_eq!((used.ended, used.lost_ns, used.processes), (0, 0, processes), "{order}: {used:?}");
        assert!(used.threads >= processes, "{order}: {used:?}");
        assert!(used.memory.kib > 0 && used.voluntary_switches > 0, "{used:?}");
        let child = if in_children { 30_000_000 } else { 0 };
        assert!(used.children_ns + used.children_within_ns >= child, "{order}: {used:?}");
        assert!(in_children || used.children_ns == 0, "{order}: {used:?}");
        assert!(accounts.shares.row_ns >= last - first, "{order}: {accounts:?}");
        assert!(accounts.shares.harness_ns >= 5_000_000, "{order}: {accounts:?}");
        assert!(!accounts.shares.takers.iter().any(|taker| taker.pid == guard), "{accounts:?}");
        assert!(accounts.clock_step_ns == 0 && accounts.stretch_ns > 30_000_000, "{accounts:?}");
    }
    row.end();
}

#[test]
fn user_and_system_time_of_a_row_come_to_what_its_clocks_say() {
    let (mut row, mut edges, allowed) = (Told::below_a_shell(), Edges::default(), CpuSet::allowed().unwrap());
    let guard = row.process.id();
    let before = edges.read(guard, &[]).unwrap();
    row.tell("burn 200");
    row.tell("child 100");
    let after = edges.read(guard, &[]).unwrap();
    let used = Accounts::between(&before, &after, &allowed, &allowed, &[]).row;
    let modes = used.modes.unwrap();
    // Four figures, each cut to 10 ms at both readings.
    let apart = (modes.user_ns + modes.system_ns).abs_diff(used.total_cpu_ns());
    assert!(apart <= 80_000_000, "{used:?}");
    // It asks the kernel for its clock all the while, so that there is much of either.
    assert!(modes.user_ns > 0 && modes.system_ns > 0, "{used:?}");
    row.end();
}

#[test]
fn the_accounts_of_a_frozen_row_stand_still() {
    let (mut row, mut edges, allowed) = (Told::below_a_shell(), Edges::default(), CpuSet::allowed().unwrap());
    row.tell("burn 5");
    let guard = row.process.id();
    let frozen = Freezer::below(guard).freeze().unwrap();
    let before = edges.read(guard, &[]).unwrap();
    // An order that waits.
    writeln!(row.orders, "burn 5").unwrap();
    let after = edges.read(guard, &[]).unwrap();
    frozen.thaw().unwrap();
    let Accounts { row: used, shares, .. } = Accounts::between(&before, &after, &allowed, &allowed, &[]);
    assert_eq!(
        (used.cpu_ns, used.run_delay_ns, used.voluntary_switches, shares.row_ns),
        (0, 0, 0, 0),
        "{used:?}"
    );
    assert_eq!((used.processes, used.ended), (1, 0), "{used:?}");
    row.tell("nothing");
    row.end();
}

#[test]
fn accounts_are_the_same_when_they_have_been_written_and_read() {
    let mut edges = Edges::default();
    let (before, allowed) = (edges.read(std::process::id(), &[]).unwrap(), CpuSet::allowed().unwrap());
    let after = edges.read(std::process::id(), &[]).unwrap();
    let accounts = Accounts::between(&before, &after, &allowed, &allowed, &[]);
    let text = serde_json::to_string(&accounts).unwrap();
    assert_eq!(serde_json::from_str::<Accounts>(&text).unwrap(), accounts);
}

#[test]
fn a_run_that_was_killed_leaves_the_host_to_the_next() {
    let place = tempfile::tempdir().unwrap();
    let mut run = Told::new(|command| {
        command.env(PLACE, place.path());
    });
    run.tell("lock");
    let places = [place.path().to_owned()];
    match Alone::in_places(&places) {
        Err(NotAlone::Another { pid }) => assert_eq!(pid, Some(run.process.id())),
        other => panic!("{other:?}"),
    }
    run.process.kill().unwrap();
    run.process.wait().unwrap();
    Alone::in_places(&places).unwrap();
}
