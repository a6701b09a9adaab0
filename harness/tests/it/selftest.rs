//! The self-test as a whole: real processes, sockets and time. Both sides poll without pause, so that only one at a time
//! may run, and what is asserted of them holds however busy the machine is.

use std::{
    io::{Read, Write},
    net::TcpStream,
    path::Path,
    process::{Output, Stdio},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use crate::support::{finish, harness_guard};
use host::{cpus::CpuSet, guard::Ended, launch::Launch};

const PATIENCE: Duration = Duration::from_secs(120);

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

/// Runs one case and reads what it exports. `None`, and said, where the machine has no CPU for each side: then the self-test
/// must refuse, which is checked.
fn judged(arguments: &[&str]) -> Option<(Output, serde_json::Value)> {
    if CpuSet::allowed().unwrap().len() < 2 {
        let output = selftest(arguments);
        assert_eq!(output.status.code(), Some(1), "{}", text(&output));
        assert!(text(&output).contains("cannot be judged on one CPU"), "{}", text(&output));
        println!("skipped: there is one CPU, and server and generator need one each");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("selftest.json");
    let output = selftest(&[arguments, &["--export-json", json.to_str().unwrap()]].concat());
    let report = read(&json);
    // Code 1 is for what is wrong, and for nothing that cannot be told.
    let checks = report["cases"][0]["checks"].as_array().unwrap();
    let is_wrong = checks.iter().any(|check| check["verdict"] == "fail");
    assert_eq!(output.status.code(), Some(i32::from(is_wrong)), "{}", text(&output));
    assert_eq!(text(&output).contains("| FAIL"), is_wrong, "{}", text(&output));
    Some((output, report))
}

fn check<'a>(report: &'a serde_json::Value, name: &str) -> &'a serde_json::Value {
    let checks = report["cases"][0]["checks"].as_array().unwrap();
    checks.iter().find(|check| check["check"] == name).unwrap_or_else(|| panic!("no {name} in {report:#}"))
}

fn read(path: &Path) -> serde_json::Value {
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

#[test]
fn every_error_is_counted_under_its_kind() {
    let _alone = alone();
    let Some((output, report)) = judged(&["--short", "--case", "errors"]) else { return };
    assert_eq!(output.status.code(), Some(0), "{}", text(&output));
    let case = &report["cases"][0];
    let checks = case["checks"].as_array().unwrap();
    assert_eq!(checks.len(), 9, "{report:#}");
    // Only what lasted about as long as the timeout can have changed what became of a request.
    let longest_ns = case["disturbances"][0]["longest_ns"].as_u64().unwrap();
    for check in checks {
        let differs = check["found"] != check["expected"];
        assert!(!differs || longest_ns >= TIMEOUT_NS / 2, "{check:#} after {longest_ns} ns at most");
        assert_eq!(check["verdict"] != "pass", differs, "{check:#}");
    }
    for name in ["right answers", "timeout or in flight at the end", "closed early", "reset", "wrong answer"]
    {
        let expected = check(&report, name)["expected"].as_f64().unwrap();
        assert!(expected >= 10.0, "too few to show anything: {report:#}");
    }
}

/// The timeout of the case `errors`.
const TIMEOUT_NS: u64 = 300_000_000;

/// The delay of the case `constant`, in nanoseconds, and the part of it by which the server here waits longer than it says: so
/// much that no delay of a busy machine can hide it. That a lie of a twentieth is found out where nothing disturbs is
/// shown to the judge itself (`judge_tests.rs`).
const DELAY_NS: f64 = 5e6;
const LIE: f64 = 0.5;

#[test]
fn a_server_that_waits_longer_than_it_says_is_not_believed() {
    let _alone = alone();
    let lie = LIE.to_string();
    let Some((_, report)) = judged(&["--short", "--case", "constant", "--lie", &lie]) else { return };
    let median = check(&report, "service p50, log");
    let figure = |name: &str| median[name].as_f64().unwrap();
    // Every request met the lie, on any machine. The histogram rounds by a thousandth.
    assert!(figure("found") >= 0.999 * (figure("expected") + LIE * DELAY_NS), "{median:#}");
    assert!(figure("found") > figure("high") && median["verdict"] != "pass", "{median:#}");
    // A wrong median is excused by nothing less than a disturbance of half of all requests, each of which meets each side
    // twice.
    let disturbance = &report["cases"][0]["disturbances"][0];
    let share = |name: &str| disturbance[name].as_f64().unwrap();
    let generator = share("generator_starved").max(share("late"));
    let of_the_time = 2.0 * share("stolen") + generator + share("server_starved");
    assert!(median["verdict"] == "fail" || of_the_time > 0.1, "{report:#}");
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

#[test]
fn a_planted_server_is_ready_on_its_cpus_answers_as_a_row_does_and_ends_when_it_is_told() {
    let cpus = CpuSet::from_iter(CpuSet::allowed().unwrap().iter().take(1));
    let planted = ["--burn", "10", "--hold", "0.5,1ms", "--stall", "1ms/100ms"];
    let mut server = Launch::new(env!("CARGO_BIN_EXE_harness"))
        .args(["planted", "--listen", "127.0.0.1:0", "--cpus", &cpus.to_string()])
        .args(planted)
        .guarded_by(harness_guard())
        .spawn()
        .unwrap();
    let ready = server.ready(PATIENCE).unwrap();
    assert_eq!((ready.server.as_str(), ready.workers, &ready.cpus), ("planted", 1, &cpus));
    let body = app::Operation::Simple.run().body(&ready.server, "t0");
    let mut client = TcpStream::connect(ready.address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    for _ in 0..10 {
        client.write_all(b"GET /simple HTTP/1.1\r\nhost: a\r\n\r\n").unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(&body) {
            let mut part = [0; 512];
            let count = client.read(&mut part).unwrap();
            assert!(count > 0, "it closed after {}", String::from_utf8_lossy(&answer));
            answer.extend_from_slice(&part[..count]);
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 OK\r\n"), "{}", String::from_utf8_lossy(&answer));
    }
    let exit = server.stop(PATIENCE).unwrap();
    assert!(exit.ended == Ended::Code(0) && exit.is_clean(), "{exit:?}");
}

#[cfg(debug_assertions)]
#[test]
fn a_debug_build_is_never_compared_and_says_what_to_do() {
    let output = selftest(&["--comparison", "--races", "1"]);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output));
    assert!(text(&output).contains("debug build") && text(&output).contains("just selftest-comparison"));
}
