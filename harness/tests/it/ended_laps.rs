//! Laps that a person ends, or that are killed: what was finished is kept, and nothing that was started stays.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    time::Instant,
};

use rustix::process::{Pid, Signal, kill_process};

use crate::{
    lap::{Lap, PATIENCE, assert_they_end, harness},
    support::finish,
};

/// A lap that is under way: its first finished trial was seen.
fn under_way(lap: &Lap) -> (Child, Pid) {
    let mut child = lap
        .command(&["--trials", "1000", "--scenario", "open"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the harness ended early");
        if line.contains("open ") {
            break;
        }
    }
    std::thread::spawn(move || lines.read_to_end(&mut Vec::new()));
    (child, pid)
}

/// The processes that the harness has started, which must not be there once it has ended.
fn started_by(harness: Pid) -> Vec<u32> {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let found = host::processes::descendants(harness.as_raw_nonzero().get().unsigned_abs());
        // A guard and the server below it.
        if found.len() >= 2 {
            return found;
        }
        assert!(Instant::now() < deadline, "no server was started");
    }
}

#[test]
fn ctrl_c_ends_what_was_started_and_keeps_the_finished_trials() {
    let lap = Lap::with_rows(&[("a", "right")]);
    let (child, pid) = under_way(&lap);
    let processes = started_by(pid);
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(finish(child, PATIENCE).status.code(), Some(130));
    assert_they_end(&processes);
    assert!(!lap.trials().is_empty());
    assert!(lap.report().contains("interrupted"), "{}", lap.report());
    assert_eq!(harness(&["check", lap.out().to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn nothing_outlives_a_harness_that_is_killed() {
    let lap = Lap::with_rows(&[("a", "daemonises"), ("b", "right")]);
    let (mut child, pid) = under_way(&lap);
    let processes = started_by(pid);
    child.kill().unwrap();
    child.wait().unwrap();
    assert_they_end(&processes);
    // What was finished is there, and whole.
    assert!(!lap.trials().is_empty());
}
