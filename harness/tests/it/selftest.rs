//! The self-test as a whole: real processes, sockets and time. Both sides poll without pause, so that only one at a time
//! may run, and what the machine's noise may excuse is not held against it.

use std::{
    path::Path,
    process::{Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::support::finish;
use host::cpus::CpuSet;

const PATIENCE: Duration = Duration::from_secs(120);

/// A run that was disturbed for more than this part of its time can be excused any median.
const QUIET: f64 = 0.1;

static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn alone() -> MutexGuard<'static, ()> {
    ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner)
}

fn selftest(arguments: &[&str]) -> Output {
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command.arg("selftest").args(arguments).stdin(Stdio::null());
    finish(command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap(), PATIENCE)
}

fn text(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), &output.stderr].concat()).into_owned()
}

/// Whether this machine has a CPU for each side. Where it has not, the self-test must say so.
fn can_be_judged() -> bool {
    if CpuSet::allowed().unwrap().len() > 1 {
        return true;
    }
    let output = selftest(&["--short", "--case", "errors"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("cannot be judged on one CPU"), "{}", text(&output));
    false
}

fn read(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_error_is_counted_under_its_kind() {
    let _alone = alone();
    if !can_be_judged() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("selftest.json");
    let output = selftest(&["--short", "--case", "errors", "--export-json", json.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let report = read(&json);
    let checks = report["cases"][0]["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 9, "{report:#}");
    for name in ["right answers", "timeout or in flight at the end", "closed early", "reset", "wrong answer"]
    {
        let check = checks.iter().find(|check| check["check"] == name).unwrap();
        assert!(check["expected"].as_f64().unwrap() >= 10.0, "too few to show anything: {check:#}");
    }
}

#[test]
fn a_server_that_waits_longer_than_it_says_is_not_believed() {
    let _alone = alone();
    if !can_be_judged() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("selftest.json");
    let arguments =
        ["--short", "--case", "constant", "--lie", "0.05", "--export-json", json.to_str().unwrap()];
    for _ in 0..5 {
        let output = selftest(&arguments);
        let report = read(&json);
        let case = &report["cases"][0];
        let checks = case["checks"].as_array().unwrap();
        let median = checks.iter().find(|check| check["check"] == "service p50, log").unwrap();
        assert_ne!(median["verdict"], "pass", "{report:#}");
        let disturbance = case["disturbances"][0].as_object().unwrap();
        let shares = ["stolen", "generator_starved", "server_starved", "late"];
        if shares.iter().all(|share| disturbance[*share].as_f64().unwrap() < QUIET) {
            assert_eq!(median["verdict"], "fail", "{report:#}");
            assert_eq!(output.status.code(), Some(1), "{}", text(&output));
            assert!(text(&output).contains("| FAIL"), "{}", text(&output));
            return;
        }
    }
}

#[test]
fn one_cpu_is_too_few_and_the_message_says_so() {
    let _alone = alone();
    let restricted = std::thread::spawn(|| {
        let allowed = CpuSet::allowed().unwrap();
        CpuSet::from_iter(allowed.iter().take(1)).apply_to_current_thread().unwrap();
        selftest(&["--short", "--case", "errors"])
    });
    let output = restricted.join().unwrap();
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("cannot be judged on one CPU"), "{}", text(&output));
}

#[test]
fn a_file_that_cannot_be_written_is_refused_before_anything_is_measured() {
    let output = selftest(&["--short", "--export-json", "/nowhere/at/all.json"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("/nowhere/at/all.json cannot be written"), "{}", text(&output));
}
