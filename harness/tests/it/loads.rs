//! What scenario files say of connections, as it comes out of whole laps: short, uneven, in bursts, slow and idle ones; and of workers.

use std::{collections::BTreeSet, fs};

use race::records::window::WindowRecord;

use crate::lap::{Lap, harness, stderr};

/// Adds a scenario of one stream of simple on four connections: its figure, its pacing, more keys of the stream and of the scenario.
fn scenario(lap: &Lap, name: &str, [by, pacing]: [&str; 2], stream: &str, more: &str) {
    let text = format!(
        "question = 'Does it work?'\nplacement = 'shared'\nserver_cpus = 1\nwarm_up = '50ms'\nwindow = '100ms'\ntimeout = '1s'\n\
         rounds = 2\nrank = {{ stream = 'simple', by = '{by}' }}\n{more}\n\
         [[stream]]\nname = 'simple'\noperation = 'simple'\nconnections = 4\npacing = {{ {pacing} }}\n{stream}\n"
    );
    fs::write(lap.folder.path().join(format!("scenarios/{name}.toml")), text).unwrap();
}

const CLOSED: &str = "kind = 'closed'";
const OPEN: &str = "kind = 'poisson', rate = { per_second = 400.0 }";

#[test]
fn connections_are_short_uneven_slow_or_idle_as_the_scenario_says_and_the_books_balance() {
    let lap = Lap::with_rows(&[("a", "right")]);
    scenario(&lap, "churn", ["throughput", CLOSED], "requests_per_connection = 2", "");
    scenario(&lap, "skew", ["p99", OPEN], "weights = [10, 1]", "");
    scenario(&lap, "burst", ["p99", OPEN], "bursts = { on = '20ms', off = '30ms' }", "");
    scenario(&lap, "slow", ["p99", OPEN], "send_bytes_per_second = 20000", "");
    scenario(&lap, "slow-readers", ["p99", OPEN], "read_bytes_per_second = 40000", "");
    scenario(&lap, "idle", ["p99", OPEN], "idle_connections = 20", "");
    let names = ["churn", "skew", "burst", "slow", "slow-readers", "idle"];
    let output = lap.run(&["--starts", "1", "--scenario", &names.join(",")]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let windows = lap.windows();
    for window in &windows {
        let stream = &window.measured.as_ref().unwrap().streams[0];
        assert!(stream.accounts_agree, "{window:?}");
        assert_eq!(stream.due, stream.right + stream.censored, "{window:?}");
        assert_eq!(stream.response_times().len(), stream.due, "{window:?}");
    }
    let of = |name: &str| -> Vec<&WindowRecord> {
        let own: Vec<_> = windows.iter().filter(|window| window.scenario == name).collect();
        assert!(own.len() >= 2, "{name} has its windows");
        own
    };
    for churn in of("churn") {
        let measured = churn.measured.as_ref().unwrap();
        let stream = &measured.streams[0];
        let connections: u64 = stream.connections_by_worker.values().sum();
        assert_eq!(connections, measured.answered_in_stretch.div_ceil(2), "{churn:?}");
        assert!(stream.right == 0 || stream.reopened > 0, "{churn:?}");
        let ports = measured.ports.expect("the system tells its ports");
        assert!(ports.taken < ports.range, "{ports:?}");
    }
    for skew in of("skew") {
        let stream = &skew.measured.as_ref().unwrap().streams[0];
        // A seed draws the same arrivals for all, whoever is busy: 20 of 22 parts are of two connections.
        assert_eq!(stream.offered_per_second.map(f64::round), Some(400.0), "{skew:?}");
        let connections: u64 = stream.connections_by_worker.values().sum();
        assert!(connections <= 4, "{skew:?}");
    }
    for burst in of("burst") {
        let stream = &burst.measured.as_ref().unwrap().streams[0];
        assert_eq!(stream.offered_per_second.map(f64::round), Some(400.0), "the mean, {burst:?}");
        // The window opens with a burst: 20 ms of requests, 30 ms of none, twice.
        let due = &stream.slices.due;
        assert!([2, 3, 4, 7, 8, 9].iter().all(|&slice| due[slice] == 0), "{due:?}");
    }
    // What a server used once it need not give back: all windows of its life begin where the first did.
    let before = |idle: &&WindowRecord| idle.measured.as_ref().unwrap().idle.map(|idle| idle.before_kib);
    assert_eq!(of("idle").iter().map(before).collect::<BTreeSet<_>>().len(), 1, "{:?}", of("idle"));
    for idle in of("idle") {
        let record = idle.measured.as_ref().unwrap().idle.expect("it is recorded");
        assert_eq!(record.connections, 20);
    }
    for window in of("slow").into_iter().chain(of("slow-readers")) {
        assert!(window.measured.as_ref().unwrap().idle.is_none(), "{window:?}");
    }
    let report = lap.report();
    for expected in [
        "2 requests a connection",
        "busy as 10 to 1 in turn",
        "in bursts of 20ms with pauses of 30ms",
        "sent at 20000 bytes a second",
        "read at 40000 bytes a second",
        "beside 20 on which nothing happens",
    ] {
        assert!(report.contains(expected), "no `{expected}` in\n{report}");
    }
    assert_eq!(harness(&["check", lap.out().to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn a_row_is_raced_once_for_each_number_of_workers_and_one_that_cannot_be_told_is_left_out() {
    let sized = "sized = { args = ['--workers', '{workers}'] }\n";
    let lap = Lap::with_rows(&[("untold", "right")]).and_reference("told", "right", sized);
    scenario(&lap, "sized", ["throughput", CLOSED], "", "workers = { times_cpus = [1, 2] }");
    let output = lap.run(&["--starts", "1", "--scenario", "sized"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    let raced: BTreeSet<String> = lap.windows().into_iter().map(|window| window.row).collect();
    assert_eq!(raced, ["told-w1", "told-w2"].map(str::to_owned).into());
    let report = lap.report();
    let reason = "the registry does not say how it is told its number of workers";
    assert!(report.contains(reason), "no `{reason}` in\n{report}");
    assert!(report.contains("| told | 1, 2 ") && report.contains(" 2 of 4 |"), "{report}");
    assert_eq!(harness(&["check", lap.out().to_str().unwrap()]).status.code(), Some(0));
}

#[test]
fn a_window_that_would_cut_a_burst_is_refused_with_one_that_holds_whole_ones() {
    let lap = Lap::with_rows(&[("a", "right")]);
    scenario(&lap, "burst", ["p99", OPEN], "bursts = { on = '20ms', off = '30ms' }", "");
    let output = lap.run(&["--starts", "1", "--scenario", "burst", "--duration", "120ms", "--dry-run"]);
    assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
    assert!(stderr(&output).contains("choose one such as 150ms"), "{}", stderr(&output));
    let planned = lap.run(&["--starts", "1", "--scenario", "burst", "--dry-run"]);
    let planned = String::from_utf8_lossy(&planned.stdout).into_owned();
    assert!(planned.contains("simple on 4 connections, in bursts of 20ms with pauses of 30ms"), "{planned}");
}
