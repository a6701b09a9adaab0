//! A load of one's own in one line, from the command to the records, and what is refused before anything is started.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use crate::lap::{Lap, scripted_server, stderr};

const LOAD: &str = "simple=100/s";

/// Short rounds and two starts: six windows of each row in each.
const QUICK: [&str; 6] = ["--starts", "2", "--duration", "60ms", "--seed", "1"];

fn stdout(output: &std::process::Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn refused(arguments: &[&str]) -> String {
    let lap = Lap::with_rows(&[("a", "right")]);
    let output = lap.run(arguments);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(!lap.out().join("windows.jsonl").exists());
    stderr(&output)
}

#[test]
fn a_load_in_one_line_is_raced_at_all_of_its_steps_and_ends_with_who_holds_it() {
    let lap = Lap::with_rows(&[("a", "right"), ("b", "right")]);
    let own = ["--load", LOAD, "--objective", "simple p99<10s", "--connections", "3", "--churn", "2"];
    let output = lap.run(&[&own[..], &QUICK[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let windows = lap.windows();
    let rates: BTreeMap<usize, u64> = windows
        .iter()
        .map(|window| {
            (window.round, window.measured.as_ref().unwrap().streams[0].offered_per_second.unwrap() as u64)
        })
        .collect();
    assert_eq!(rates.into_values().collect::<Vec<_>>(), [50, 100, 100, 100, 140, 200]);
    let streams = || windows.iter().map(|window| &window.measured.as_ref().unwrap().streams[0]);
    assert!(streams().all(|stream| stream.connections == 3));
    assert!(streams().map(|stream| stream.reopened).sum::<u64>() > 0, "a connection carries two requests");
    let report = lap.report();
    // Who holds it is not asked: a machine that is busy with something else may leave too little to tell.
    for expected in [
        "## own-load",
        "times the load |",
        "Objective: p99 of simple below 10s",
        "3 connections, 2 requests a connection",
    ] {
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    let out = lap.out();
    assert_eq!(crate::lap::harness(&["check", out.to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn ones_own_server_is_raced_beside_the_field_under_ones_own_load_in_bursts() {
    let lap = Lap::with_rows(&[("a", "right")]);
    let mine = format!("name=mine,cmd={} right", scripted_server().display());
    let own = ["--load", LOAD, "--burst", "10ms,20ms", "--with", &mine];
    let output = lap.run(&[&own[..], &QUICK[..]].concat());
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let windows = lap.windows();
    let rows: BTreeSet<&str> = windows.iter().map(|window| window.row.as_str()).collect();
    assert_eq!(rows, ["a", "mine"].into());
    for window in &windows {
        let measured = window.measured.as_ref().unwrap();
        // The mean is as it was said, though there is nothing for two thirds of the time.
        let said = [50.0, 100.0, 140.0, 200.0];
        let rate = measured.streams[0].offered_per_second.unwrap();
        assert!(said.iter().any(|said| (rate - said).abs() < 1e-6), "{rate}");
    }
    assert!(lap.report().contains("in bursts of 10ms with pauses of 20ms"));
}

#[test]
fn a_load_that_was_printed_into_a_file_makes_the_same_plan() {
    let lap = Lap::with_rows(&[("a", "right")]);
    let own = ["--load", "simple=100/s", "--objective", "p99<5ms", "--burst", "10ms,5ms", "--churn", "7"];
    let printed = lap.run(&[&own[..], &["--print-scenario"]].concat());
    assert_eq!(printed.status.code(), Some(0), "{}", stderr(&printed));
    let planned = lap.run(&[&own[..], &QUICK[..], &["--dry-run"]].concat());
    fs::write(lap.folder.path().join("scenarios/own-load.toml"), &printed.stdout).unwrap();
    let again = lap.run(&[&QUICK[..], &["--scenario", "own-load", "--dry-run"]].concat());
    assert_eq!(again.status.code(), Some(0), "{}", stderr(&again));
    assert_eq!(stdout(&planned), stdout(&again));
    assert!(stdout(&again).contains("objective: p99<5ms"), "{}", stdout(&again));
}

#[test]
fn a_load_that_cannot_be_read_is_pointed_at_and_the_grammar_shown_by_example() {
    let said = refused(&["--load", "simple=900/s, complx(5ms)=240/s"]);
    let lines: Vec<&str> = said.lines().collect();
    let at = lines.iter().position(|line| line.starts_with("  simple=900/s")).unwrap();
    assert_eq!(lines[at + 1], format!("  {:14}^", ""), "{said}");
    assert_eq!(lines[at + 2], "  as in: simple=900/s, complex(5ms)=240/s");
    assert!(refused(&["--load", LOAD, "--objective", "simple p98<5ms"]).contains("`p98` is no percentile"));
}

#[test]
fn what_the_host_has_no_room_for_is_refused_before_anything_is_started() {
    let too_fast = refused(&["--load", "simple=4e6/s"]);
    assert!(too_fast.contains("8000000 requests a second, and a generator on "), "{too_fast}");
    let too_many = refused(&["--load", LOAD, "--connections", "1000000"]);
    assert!(too_many.contains("own-load has 1000000 connections open at once"), "{too_many}");
    let no_stream = refused(&["--load", LOAD, "--objective", "complex p99<5ms"]);
    assert!(no_stream.contains("no stream is called `complex`; there are simple"), "{no_stream}");
    let closed = refused(&["--scenario", "closed", "--objective", "p99<5ms"]);
    assert!(
        closed.contains("no scenario of this run can answer that") && closed.contains("a closed loop"),
        "{closed}"
    );
    assert!(refused(&["--churn", "3"]).contains("--load <LOAD>"));
}
