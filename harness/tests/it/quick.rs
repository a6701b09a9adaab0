//! `harness quick` against scripted servers: what is counted, what is written, and how it ends.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Output, Stdio},
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::Duration,
};

use crate::support::finish;
use host::processes;
use rustix::process::Signal;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(60);

/// What a server does with a request, by its number on its connection, from 1.
#[derive(Clone, Copy, Debug)]
enum Does {
    Answer(u16),
    AnswerAndClose,
    Close,
    Nothing,
}

/// A server on a port of its own that does as `script` says, and tells of every request.
fn server(script: fn(u32) -> Does) -> (SocketAddr, Receiver<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, requests) = channel();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, asked) = (stream.unwrap(), asked.clone());
            thread::spawn(move || serve(stream, script, &asked));
        }
    });
    (address, requests)
}

fn serve(mut stream: TcpStream, script: fn(u32) -> Does, asked: &Sender<Vec<String>>) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines().map_while(Result::ok);
    for n in 1.. {
        let head: Vec<String> = lines.by_ref().take_while(|line| !line.is_empty()).collect();
        if head.is_empty() {
            return;
        }
        // The test may have seen enough.
        let _ = asked.send(head);
        let body = "{\"payload\":499500}";
        let (status, close, more) = match script(n) {
            Does::Answer(status) => (status, "", true),
            Does::AnswerAndClose => (200, "connection: close\r\n", false),
            Does::Close => return,
            Does::Nothing => continue,
        };
        let answer = format!("HTTP/1.1 {status} S\r\n{close}content-length: {}\r\n\r\n{body}", body.len());
        if stream.write_all(answer.as_bytes()).is_err() || !more {
            return;
        }
    }
}

fn start(arguments: &[&str]) -> Child {
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command
        .arg("quick")
        .args(arguments)
        .env("TZ", "UTC")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// Runs `-c COUNT -n NUM` against `address` and returns the report with what was printed.
fn report(address: SocketAddr, count: &str, num: &str) -> (Value, Output) {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let url = format!("http://{address}/simple?a=1");
    let output =
        finish(start(&["--count", count, "--num", num, &url, "-o", file.to_str().unwrap()]), PATIENCE);
    (serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap(), output)
}

/// The counters without those of the endpoint.
fn counters(report: &Value) -> Vec<(&str, u64)> {
    let all = report["counters"].as_object().unwrap().iter();
    let shown = all.filter(|(name, _)| !name.starts_with("plugins."));
    shown.map(|(name, n)| (name.as_str(), n.as_u64().unwrap())).collect()
}

#[test]
fn every_answer_is_counted_and_both_reports_agree() {
    let (address, requests) = server(|n| Does::Answer(if n.is_multiple_of(3) { 404 } else { 200 }));
    let (report, output) = report(address, "8", "5");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let aggregate = &report["aggregate"];
    let expected = [
        ("http.codes.200", 32),
        ("http.codes.404", 8),
        ("http.downloaded_bytes", 720),
        ("http.requests", 40),
        ("http.responses", 40),
        ("vusers.completed", 8),
        ("vusers.created", 8),
        ("vusers.created_by_name.0", 8),
        ("vusers.failed", 0),
    ];
    assert_eq!(counters(aggregate), expected);
    for (name, count) in [
        ("http.response_time", 40),
        ("http.response_time.2xx", 32),
        ("http.response_time.4xx", 8),
        ("plugins.metrics-by-endpoint.response_time./simple", 40),
        ("vusers.session_length", 8),
    ] {
        assert_eq!(aggregate["summaries"][name]["count"], count, "{name}");
    }
    // The periods are the whole.
    let periods = report["intermediate"].as_array().unwrap();
    for (name, n) in expected {
        let sum: u64 = periods.iter().filter_map(|period| period["counters"][name].as_u64()).sum();
        assert_eq!(sum, n, "{name}");
    }
    // So is what is printed.
    let stdout = text(&output.stdout);
    let summary = stdout.split_once("Summary report @ ").unwrap().1;
    for (name, n) in expected {
        let line = summary.lines().find(|line| line.starts_with(&format!("{name}: "))).unwrap();
        assert!(line.ends_with(&format!(". {n}")), "{line}");
    }
    assert!(stdout.ends_with("report.json\n"), "{stdout}");
    assert!(text(&output.stderr).contains("coordinated omission"), "{}", text(&output.stderr));
    // And what the server saw.
    let seen: Vec<Vec<String>> = requests.try_iter().collect();
    assert_eq!(seen.len(), 40);
    assert!(seen.iter().all(|head| head[0] == "GET /simple?a=1 HTTP/1.1"), "{:?}", seen[0]);
    assert!(seen[0].contains(&format!("host: {address}")), "{:?}", seen[0]);
}

#[test]
fn users_that_fail_are_counted_and_the_others_go_on() {
    let (address, _requests) = server(|n| if n == 3 { Does::Close } else { Does::Answer(200) });
    let (report, output) = report(address, "4", "5");
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let expected = [
        ("errors.ECONNRESET", 4),
        ("http.codes.200", 8),
        ("http.downloaded_bytes", 144),
        ("http.requests", 12),
        ("http.responses", 8),
        ("vusers.created", 4),
        ("vusers.created_by_name.0", 4),
        ("vusers.failed", 4),
    ];
    assert_eq!(counters(&report["aggregate"]), expected);
    assert!(report["aggregate"]["summaries"].get("vusers.session_length").is_none());
}

#[test]
fn a_connection_that_the_server_ends_is_opened_again() {
    let (address, _requests) = server(|n| if n == 2 { Does::AnswerAndClose } else { Does::Answer(200) });
    let (report, _) = report(address, "3", "5");
    assert_eq!(report["aggregate"]["counters"]["vusers.completed"], 3);
    assert_eq!(report["aggregate"]["counters"]["http.codes.200"], 15);
}

#[test]
fn redirects_are_counted_and_warned_of() {
    let (address, _requests) = server(|_| Does::Answer(302));
    let (report, output) = report(address, "1", "2");
    assert_eq!(report["aggregate"]["counters"]["http.codes.302"], 2);
    assert!(text(&output.stderr).contains("2 answers were redirects"), "{}", text(&output.stderr));
}

#[test]
fn a_server_that_is_not_there_is_a_failure_with_a_report() {
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let (report, output) = report(nobody, "3", "2");
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(report["aggregate"]["counters"]["errors.ECONNREFUSED"], 3);
    assert_eq!(report["aggregate"]["counters"]["vusers.failed"], 3);
    let stderr = text(&output.stderr);
    assert!(stderr.contains("was answered (3 ECONNREFUSED); see whether the server is running"), "{stderr}");
    assert!(!stderr.contains("coordinated omission"), "{stderr}");
}

#[test]
fn ctrl_c_keeps_what_was_measured_and_says_that_it_is_not_all() {
    let (address, requests) = server(|n| if n == 2 { Does::Nothing } else { Does::Answer(200) });
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let url = format!("http://{address}/simple");
    let quick = start(&["-c", "2", "-n", "9", &url, "-o", file.to_str().unwrap()]);
    // Both users wait for their second answer.
    (0..4).for_each(|_| drop(requests.recv_timeout(PATIENCE).unwrap()));
    assert!(processes::send(quick.id(), Signal::INT));
    let output = finish(quick, PATIENCE);
    assert_eq!(output.status.code(), Some(130), "{}", text(&output.stderr));
    let expected = "2 of 2 users had arrived, 2 not done";
    assert!(text(&output.stdout).contains(&format!("Interrupted: {expected}. Total time: ")));
    assert!(text(&output.stdout).contains("(interrupted: partial results)"));
    assert!(text(&output.stderr).contains(expected), "{}", text(&output.stderr));
    let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(report["interrupted"], true);
    assert_eq!(report["aggregate"]["counters"]["http.requests"], 4);
    assert_eq!(report["aggregate"]["counters"]["http.responses"], 2);
}

#[test]
fn quiet_prints_nothing_and_still_writes() {
    let (address, _requests) = server(|_| Does::Answer(200));
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    fs::write(&file, "an earlier and much longer report ".repeat(1000)).unwrap();
    let url = format!("{address}/simple");
    let output =
        finish(start(&["-q", "-k", "-c", "2", "-n", "1", "-o", file.to_str().unwrap(), &url]), PATIENCE);
    assert_eq!(
        (output.status.code(), text(&output.stdout), text(&output.stderr)),
        (Some(0), String::new(), String::new())
    );
    let report: Value = serde_json::from_str(&fs::read_to_string(file).unwrap()).unwrap();
    assert_eq!(report["aggregate"]["counters"]["http.requests"], 2);
    assert!(report.get("interrupted").is_none());
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_sent() {
    let printed = |arguments: &[&str]| {
        let output = finish(start(arguments), PATIENCE);
        format!(
            "exit code {}\n{}{}",
            output.status.code().unwrap(),
            text(&output.stdout),
            text(&output.stderr)
        )
    };
    insta::assert_snapshot!("quick_help", printed(&["--help"]));
    insta::assert_snapshot!("quick_tls", printed(&["https://127.0.0.1:8443/simple"]));
    insta::assert_snapshot!("quick_zero", printed(&["-c", "0", "127.0.0.1:1/"]));
    insta::assert_snapshot!("quick_no_url", printed(&["-n", "5"]));
    insta::assert_snapshot!(
        "quick_unwritable",
        printed(&["127.0.0.1:1/", "-o", "/nowhere/at-all/report.json"])
    );
    let unknown = printed(&["http://no-such-host.invalid/"]);
    assert!(
        unknown.starts_with("exit code 1\nerror: host `no-such-host.invalid` cannot be resolved"),
        "{unknown}"
    );
}
