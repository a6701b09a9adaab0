//! The comparison of generators, with tools that print what they are told to, and the logging server as it is.

use std::{
    ffi::OsString,
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Stdio,
    time::Duration,
};

use host::{cpus::CpuSet, launch::Launch};
use selftest::beside::{
    arrival_log,
    server::Server,
    stand::{Stand, Window},
    tool::{Generator, Load, Tool},
    window_error::WindowError,
};
use terminal::interrupt::Interrupt;

const PATIENCE: Duration = Duration::from_secs(30);
const HARNESS: &str = env!("CARGO_BIN_EXE_harness");
const WINDOW: Duration = Duration::from_secs(1);

fn guard() -> Vec<OsString> {
    [HARNESS, "guard", "--"].map(OsString::from).to_vec()
}

fn stand() -> Stand {
    let cpu = CpuSet::allowed().unwrap().nth_wrapping(0);
    Stand {
        server_cpu: cpu,
        generator_cpu: cpu,
        guard: guard(),
        interrupt: Interrupt::never(),
        folder: tempfile::tempdir().unwrap(),
    }
}

/// A program that runs the lines of a shell script.
fn stub(folder: &Path, generator: Generator, script: &str) -> Tool {
    let program = folder.join("stub");
    fs::write(&program, format!("#!/bin/sh\n{script}\n")).unwrap();
    fs::set_permissions(&program, fs::Permissions::from_mode(0o755)).unwrap();
    Tool { generator, program, version: "stub".to_owned() }
}

fn window(stand: &Stand, tool: &Tool) -> Result<Window, WindowError> {
    // Any server will do: no stub asks it anything.
    let server = Server::Ready {
        name: arrival_log::SERVER,
        program: HARNESS.into(),
        leading: vec!["arrival-log".into()],
        trailing: vec!["--log".into(), stand.folder.path().join("log").into()],
        needs_port: false,
    };
    let serving = server.start(stand, stand.server_cpu).unwrap();
    stand.window(tool, &serving, 64, WINDOW, Load::Closed)
}

const WRK: &str = "cat <<'END'
Running 1s test @ http://127.0.0.1:1/simple
  1 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency   702.11us  105.31us   3.51ms   91.01%
    Req/Sec    91.20k     2.95k   95.10k    80.00%
  1000 requests in 1.00s, 25.73MB read
Requests/sec:   1000.50
Transfer/sec:     12.25MB
END";

const OHA: &str = r#"cat <<'END'
{ "summary": { "successRate": 1.0, "total": 1.0, "requestsPerSec": 52034.5 },
  "statusCodeDistribution": { "200": 52000 },
  "errorDistribution": { "aborted due to deadline": 64 } }
END"#;

/// Writes its report where it is told to, as our own generator does.
const OWN: &str = r#"while [ "$1" != --export-json ]; do shift; done
echo '{"requests_per_second": 90000.5, "machine": {"steal": 0.0},
       "streams": [{"counts": {"due": 90001, "completed": 90001, "ok": 90001},
                   "connections": {"planned": 64, "open_at_start": 64}, "lag_us": null}]}' > "$2""#;

#[test]
fn every_tools_report_is_read_and_its_cpu_time_is_the_whole_processs() {
    for (generator, script, requests, per_second) in [
        (Generator::Wrk, WRK, 1_000, 1_000.5),
        (Generator::Oha, OHA, 52_000, 52_034.5),
        (Generator::Own, OWN, 90_001, 90_000.5),
    ] {
        let stand = stand();
        // Some work that only the kernel's account of the process can know of.
        let script = format!("i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done\n{script}");
        let measured = window(&stand, &stub(stand.folder.path(), generator, &script)).unwrap();
        assert_eq!((measured.requests, measured.per_second), (requests, per_second), "{generator:?}");
        assert!(measured.cpu_per_request_us > 0.0, "{measured:?}");
        assert!(measured.peak_rss_kib > 0, "{measured:?}");
    }
}

#[test]
fn a_tool_that_fails_is_reported_with_its_last_words_and_never_with_figures() {
    for (generator, script, expected) in [
        (
            Generator::Wrk,
            "echo 'unable to connect' >&2; exit 1",
            "wrk ended with exit code 1: unable to connect",
        ),
        (Generator::Wrk, "echo hello", "wrk's report has no `N requests in`; it begins: hello"),
        (Generator::Oha, "echo nonsense", "oha's report is not understood"),
        (
            Generator::Wrk,
            "printf '  10 requests in 1.00s, 1KB read\\n  Socket errors: connect 0, read 3, write 0, timeout 1\\nRequests/sec: 10.0\\n'",
            "wrk counted 4 failed requests of 10",
        ),
        (
            Generator::Wrk,
            "printf '  0 requests in 1.00s, 0B read\\nRequests/sec: 0.0\\n'",
            "wrk counted 0 failed requests of 0",
        ),
        // It says that all is well, and leaves no report.
        (Generator::Own, "exit 0", "report.json"),
    ] {
        let stand = stand();
        let error = window(&stand, &stub(stand.folder.path(), generator, script)).unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
    }
}

#[test]
fn an_old_report_is_never_taken_for_a_new_one() {
    let stand = stand();
    window(&stand, &stub(stand.folder.path(), Generator::Own, OWN)).unwrap();
    let error = window(&stand, &stub(stand.folder.path(), Generator::Own, "exit 0")).unwrap_err();
    assert!(matches!(error, WindowError::File { .. }), "{error}");
}

#[test]
fn a_tool_that_is_not_there_is_no_error_and_one_that_cannot_be_run_is() {
    let stand = stand();
    // Nobody's PATH has it in a test of this project; where it is installed, it says its version.
    let found = stand.tool(Generator::Wrk2, Path::new("unused")).unwrap();
    assert_eq!(found.is_some(), Generator::Wrk2.find().is_some());
    let error = stand.tool(Generator::Own, Path::new("/nowhere/harness")).unwrap_err();
    assert!(error.to_string().contains("cannot start /nowhere/harness"), "{error}");
}

/// The command in a PATH in which no tool is but those that building needs, which are refused as well.
fn command(arguments: &[&str], path: &Path) -> (Option<i32>, String) {
    let output = host::tether::command(HARNESS)
        .args(["generators"])
        .args(arguments)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("PATH", path)
        .env("CARGO", "/nowhere/cargo")
        .stdin(Stdio::null())
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

#[test]
fn missing_tools_are_said_with_how_to_install_them() {
    let folder = tempfile::tempdir().unwrap();
    let own = stub(folder.path(), Generator::Own, "echo harness 0.1.0").program;
    let (code, said) = command(&["--own", own.to_str().unwrap()], &folder.path().join("empty"));
    for line in [
        "wrk is not installed and is left out: `apt install wrk`",
        "oha is not installed and is left out: `cargo install oha`",
        "wrk2 is not installed and is left out",
    ] {
        assert!(said.contains(line), "{said}");
    }
    // Then the ceiling is to be built, with a cargo that is not there.
    assert!(code == Some(1) && said.contains("ceiling is not built"), "{code:?} {said}");
}

#[test]
fn what_cannot_be_done_is_refused_before_anything_is_measured() {
    let folder = tempfile::tempdir().unwrap();
    let page = folder.path().join("page.md");
    fs::write(&page, "# A page without a place for tables\n").unwrap();
    let own = stub(folder.path(), Generator::Own, "echo harness 0.1.0").program;
    let arguments = ["--own", own.to_str().unwrap(), "--markdown", page.to_str().unwrap()];
    let (code, said) = command(&arguments, folder.path());
    assert!(code == Some(1) && said.contains("there is no place for the tables"), "{code:?} {said}");
    for (arguments, expected) in [
        (["--window", "1500ms"], "`1500ms` is no whole number of seconds"),
        (["--pairs", "1"], "`1` is no whole number from 2 to 100"),
        (["--only", "wrk3"], "possible values: wrk, oha, lag, arrivals, null-servers, memory"),
        (["--connections", "0"], "`0` is no whole number from 1 to 50000"),
    ] {
        let (code, said) = command(&arguments, folder.path());
        assert!(code == Some(2) && said.contains(expected), "{code:?} {said}");
    }
    if cfg!(debug_assertions) {
        let (code, said) = command(&[], folder.path());
        assert!(code == Some(1) && said.contains("debug build, which is never measured"), "{code:?} {said}");
    }
}

fn log_server(log: &Path) -> (host::launch::Process, std::net::SocketAddr) {
    let cpus = CpuSet::allowed().unwrap();
    let mut server = Launch::new(PathBuf::from(HARNESS))
        .args(["arrival-log", "--listen", "127.0.0.1:0", "--cpus", &cpus.to_string(), "--log"])
        .args([log])
        .guarded_by(guard())
        .spawn()
        .unwrap();
    let address = server.ready(PATIENCE).unwrap().address;
    (server, address)
}

#[test]
fn the_logging_server_notes_every_request_once_and_in_order() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let (server, address) = log_server(&log);
    let connect = || {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    };
    let (mut one, mut other) = (connect(), connect());
    const REQUEST: &[u8] = b"GET /simple HTTP/1.1\r\nHost: test\r\n\r\n";
    let mut answer = [0; 4096];
    for turn in 0..20 {
        let stream = if turn % 3 == 0 { &mut other } else { &mut one };
        // A head that is cut anywhere is one request.
        let (start, end) = REQUEST.split_at(1 + turn);
        stream.write_all(start).unwrap();
        stream.write_all(end).unwrap();
        let count = stream.read(&mut answer).unwrap();
        let text = String::from_utf8_lossy(&answer[..count]).into_owned();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        assert!(
            head.starts_with("HTTP/1.1 200") && head.contains(&format!("content-length: {}", body.len()))
        );
        app::Expectation::of(&app::Operation::Simple).matches(body.as_bytes()).unwrap();
    }
    let exit = server.stop(PATIENCE).unwrap();
    assert!(exit.is_clean(), "{exit:?}");
    assert_eq!(arrival_log::read(&log).unwrap().len(), 20);
}

#[test]
fn a_log_that_is_none_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    for wrong in ["1\n2\nthree\n", "2\n1\n"] {
        fs::write(&log, wrong).unwrap();
        assert!(arrival_log::read(&log).is_err(), "{wrong:?}");
    }
    fs::write(&log, "1\n1\n2\n").unwrap();
    assert_eq!(arrival_log::read(&log).unwrap(), [1, 1, 2]);
}
