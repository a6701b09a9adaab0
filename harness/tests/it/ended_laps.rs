//! Laps that a person ends, or that are killed: what was finished is kept, and nothing that was started stays.

use std::{
    io::{BufRead, BufReader, Read},
    process::{Child, Stdio},
    time::Instant,
};

use race::machine::alone::{Alone, NotAlone};
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    lap::{Lap, PATIENCE, assert_they_end, harness, stderr},
    support::finish,
};

/// A lap that is under way: its first start was finished.
fn under_way(lap: &Lap) -> (Child, Pid) {
    let mut child = lap
        .command(&["--starts", "1000", "--rounds", "1", "--duration", "50ms", "--scenario", "open"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap());
    loop {
        let mut line = String::new();
        assert!(lines.read_line(&mut line).unwrap() > 0, "the harness ended early");
        // Each start has one window of each row, or two where it was disturbed.
        if line.contains("start 2") {
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
fn ctrl_c_ends_what_was_started_and_keeps_the_finished_starts() {
    let lap = Lap::with_rows(&[("a", "right")]);
    let (child, pid) = under_way(&lap);
    let processes = started_by(pid);
    kill_process(pid, Signal::INT).unwrap();
    assert_eq!(finish(child, PATIENCE).status.code(), Some(130));
    assert_they_end(&processes);
    assert!(!lap.measurements().complete.is_empty());
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
    assert!(!lap.measurements().complete.is_empty());
}

#[test]
fn two_runs_at_once_are_refused_with_the_others_process_and_leave_nothing() {
    // Where somebody measures on this host now, theirs is the other run.
    let other = Alone::on_this_host();
    let pid = match &other {
        Ok(_) => Some(std::process::id()),
        Err(NotAlone::Another { pid }) => *pid,
        Err(error) => panic!("{error}"),
    };
    let lap = Lap::with_rows(&[("ours", "right")]);
    let command = lap.command_alone(&["--starts", "1"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn();
    let output = finish(command.unwrap(), PATIENCE);
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    let expected = pid.map_or_else(String::new, |pid| format!(" (process {pid})"));
    assert!(said.contains(&format!("another run measures on this host{expected}")), "{said}");
    assert!(!lap.out().exists(), "a run that was refused has a folder");
}
