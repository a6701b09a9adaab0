//! What ends with the process that started it. The tests play that process themselves, started again as a child, so that it
//! can be killed as a test process is: with its threads, and without a word.

use std::{
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use host::{
    launch::{Heard, Launch, Process},
    parent::{self, Untied},
    processes, tether,
};
use rustix::process::Signal;

const PATIENCE: Duration = Duration::from_secs(20);
/// What a test is to play when it is started again.
const PART: &str = "PART_TO_PLAY";

/// A test of this file, by its whole name, as a child process, playing `part`.
struct Played {
    process: Child,
    said: BufReader<ChildStdout>,
}

impl Played {
    fn new(test: &str, part: &str) -> Self {
        let mut process = tether::command(std::env::current_exe().unwrap())
            .args([test, "--exact", "--nocapture"])
            .env(PART, part)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let said = BufReader::new(process.stdout.take().unwrap());
        Self { process, said }
    }

    /// The words after `what` on the next line that has it: libtest prints lines of its own, and no end before a test's.
    fn hear(&mut self, what: &str) -> Vec<String> {
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "it ended without saying {what}");
            if let Some((_, rest)) = line.split_once(what) {
                return rest.split_whitespace().map(str::to_owned).collect();
            }
        }
    }

    fn pids(&mut self) -> Vec<u32> {
        self.hear("pids:").iter().map(|pid| pid.parse().unwrap()).collect()
    }

    fn kill(mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
    }
}

fn part() -> Option<String> {
    std::env::var(PART).ok()
}

fn for_ever() -> ! {
    loop {
        thread::park();
    }
}

/// Whether a process is there and not merely unburied.
fn lives(pid: u32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    stat.rsplit_once(") ").is_some_and(|(_, rest)| !rest.starts_with(['Z', 'X']))
}

fn all_end(pids: &[u32]) {
    let deadline = Instant::now() + PATIENCE;
    while let Some(left) = pids.iter().find(|&&pid| lives(pid)) {
        if Instant::now() > deadline {
            for &pid in pids {
                processes::send(pid, Signal::KILL);
            }
            panic!("{left} of {pids:?} outlived who started it");
        }
        thread::yield_now();
    }
}

/// A server with a child, and with a daemon in a session of its own that its parent has left: three pids.
const SERVER: &str = "sleep 300 & child=$!; daemon=$(setsid sh -c 'sleep 300 >&- 2>&- & echo $!'); \
                      echo pids: $$ $child $daemon; wait";

fn guard() -> [String; 1] {
    let own = std::env::current_exe().unwrap();
    let folder = own.parent().and_then(|deps| deps.parent()).unwrap();
    [folder.join("examples/guard").display().to_string()]
}

/// Launches, on a thread that ends then, as those of tests do; passes on what the server says.
fn launch(launch: Launch) -> Process {
    let mut process = thread::spawn(|| launch.spawn().unwrap()).join().unwrap();
    match process.next_line(Instant::now() + PATIENCE).unwrap() {
        Heard::Line(line) => println!("{line}"),
        other => panic!("{other:?}"),
    }
    process
}

#[test]
fn what_a_test_process_launched_ends_with_it_however_it_ends() {
    const THIS: &str = "ends_together::what_a_test_process_launched_ends_with_it_however_it_ends";
    match part().as_deref() {
        Some("launches") => {
            let _launched = launch(Launch::new("sh").args(["-c", SERVER]));
            for_ever();
        }
        // As a test does the harness, which has guards: its own mark must not be theirs, or they would be killed before
        // they have ended what carries none.
        Some("commands a launcher with a guard") => {
            let mut launcher = tether::command(std::env::current_exe().unwrap());
            launcher.args([THIS, "--exact", "--nocapture"]).env(PART, "launches under a guard");
            // Which ends later than this.
            launcher.status().unwrap();
            return;
        }
        Some("launches under a guard") => {
            let path = format!("PATH={}", std::env::var("PATH").unwrap());
            let bare = Launch::new("env").args(["-i", &path, "sh", "-c", SERVER]);
            let _launched = launch(bare.guarded_by(guard()));
            for_ever();
        }
        Some("commands") => {
            // Which ends later than this.
            tether::command("sh").args(["-c", SERVER]).status().unwrap();
            return;
        }
        Some(_) => {
            std::mem::forget(launch(Launch::new("sh").args(["-c", SERVER])));
            return;
        }
        None => {}
    }
    for part in [
        "launches",
        "launches under a guard",
        "commands",
        "commands a launcher with a guard",
        "ends by itself",
    ] {
        let mut test = Played::new(THIS, part);
        let pids = test.pids();
        assert_eq!(pids.len(), 3, "{part}: {pids:?}");
        if part == "ends by itself" {
            assert!(test.process.wait().unwrap().success());
        } else {
            assert!(pids.iter().all(|&pid| lives(pid)), "{part}: {pids:?}");
            test.kill();
        }
        all_end(&pids);
    }
}

#[test]
fn a_process_that_is_tied_ends_with_its_parent_and_not_before() {
    const THIS: &str = "ends_together::a_process_that_is_tied_ends_with_its_parent_and_not_before";
    const PARENT: &str = "PARENT_TO_END_WITH";
    match part().as_deref() {
        Some("parent") => {
            #[expect(clippy::disallowed_methods, reason = "it ties itself, which is what is tested")]
            let mut child = Command::new(std::env::current_exe().unwrap());
            child.args([THIS, "--exact", "--nocapture"]).env(PART, "child");
            // Which ends later than this.
            child.env(PARENT, std::process::id().to_string()).status().unwrap();
            return;
        }
        Some(_) => {
            let parent: u32 = std::env::var(PARENT).unwrap().parse().unwrap();
            parent::end_with(parent, Signal::KILL).unwrap();
            println!("pids: {}", std::process::id());
            for_ever();
        }
        None => {}
    }
    let mut parent = Played::new(THIS, "parent");
    let child = parent.pids();
    assert!(child.len() == 1 && lives(child[0]));
    parent.kill();
    all_end(&child);
}

#[test]
fn a_process_whose_parent_is_gone_already_is_told_so() {
    const THIS: &str = "ends_together::a_process_whose_parent_is_gone_already_is_told_so";
    if part().is_some() {
        // Its own number is never its parent's, as that of one that was replaced is not.
        let untied = parent::end_with(std::process::id(), Signal::KILL);
        println!("orphaned: {}", matches!(untied, Err(Untied::Orphaned(pid)) if pid == std::process::id()));
        return;
    }
    let mut orphan = Played::new(THIS, "orphan");
    assert_eq!(orphan.hear("orphaned:"), ["true"]);
    assert!(orphan.process.wait().unwrap().success());
}
