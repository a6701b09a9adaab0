//! `harness load` as a person runs it, against servers that answer rightly, wrongly, late and not at all.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
        mpsc::{Receiver, channel},
    },
    time::Duration,
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A server on a port of its own that answers each request line as `answer` says, for as long as the test lasts.
pub(crate) fn serve(answer: impl Fn(&str) -> String + Clone + Send + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let answer = answer.clone();
            std::thread::spawn(move || answer_all(&stream, &answer));
        }
    });
    address
}

fn answer_all(stream: &TcpStream, answer: &impl Fn(&str) -> String) -> Option<()> {
    stream.set_nodelay(true).ok()?;
    let (mut reader, mut writer) = (BufReader::new(stream), stream);
    loop {
        let (mut line, mut header, mut length) = (String::new(), String::new(), 0);
        reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
        while header != "\r\n" {
            header.clear();
            reader.read_line(&mut header).ok().filter(|&length| length > 0)?;
            if let Some(value) = header.strip_prefix("content-length: ") {
                length = value.trim().parse().ok()?;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        writer.write_all(answer(&line).as_bytes()).ok()?;
    }
}

fn answer(status: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n\r\n{body}", body.len())
}

const RIGHT: &str = r#"{"origin":"scripted","worker":"t0","payload":499500}"#;

/// Answers `/simple` rightly, and knows nothing else.
pub(crate) fn right(line: &str) -> String {
    if line.contains(" /simple ") { answer("200 OK", RIGHT) } else { answer("404 Not Found", "no such path") }
}

/// An address at which nothing listens: it was free a moment ago.
fn nobody() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn command(arguments: &[&str]) -> Command {
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command.arg("load").args(arguments).env("LC_ALL", "C.UTF-8");
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Exit code, stdout and stderr of a whole run.
fn load(arguments: &[&str]) -> (i32, String, String) {
    ended(command(arguments).spawn().unwrap())
}

pub(crate) fn ended(child: Child) -> (i32, String, String) {
    let pid = Pid::from_child(&child);
    let (sender, receiver): (_, Receiver<Output>) = channel();
    std::thread::spawn(move || sender.send(child.wait_with_output().unwrap()));
    let Ok(output) = receiver.recv_timeout(PATIENCE) else {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("it did not end within {PATIENCE:?}");
    };
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code().unwrap(), text(output.stdout), text(output.stderr))
}

pub(crate) fn json(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

/// The names of the checks that failed, of the run and of its streams.
fn failed_checks(report: &Value) -> Vec<&str> {
    let streams = report["streams"].as_array().unwrap().iter().map(|stream| &stream["self_checks"]);
    streams
        .chain([&report["self_checks"]])
        .flat_map(|checks| checks.as_array().unwrap())
        .filter(|check| check["passed"] == false)
        .map(|check| check["name"].as_str().unwrap())
        .collect()
}

#[test]
fn a_closed_loop_is_measured_printed_and_exported() {
    let folder = tempfile::tempdir().unwrap();
    let (file, log) = (folder.path().join("a.json"), folder.path().join("a.hlog"));
    let url = format!("{}/simple", serve(right));
    let exports = ["--export-json", file.to_str().unwrap(), "--export-hdr", log.to_str().unwrap()];
    let arguments = [&[&url, "-c", "2", "-z", "300ms", "-w", "50ms", "--seed", "7"][..], &exports].concat();
    let (code, stdout, stderr) = load(&arguments);
    assert_eq!(code, 0, "{stdout}{stderr}");
    for expected in ["closed loop, 2 connections", "p50", "99% interval", "errors    none", "seed 7", "█"] {
        assert!(stdout.contains(expected), "{expected} is not in:\n{stdout}");
    }
    let report = json(&file);
    assert_eq!((&report["url"], &report["seed"]), (&format!("http://{url}").into(), &7.into()));
    assert!(report["requests_per_second"].as_f64().unwrap() > 0.0);
    assert!(report["generator"]["cpu_per_request_us"].as_f64().unwrap() > 0.0);
    let stream = &report["streams"][0];
    let count = stream["counts"]["ok"].as_u64().unwrap();
    assert_eq!(stream["status"]["200"].as_u64().unwrap(), stream["counts"]["completed"].as_u64().unwrap());
    assert!(stream["response_us"]["p50"].as_f64().unwrap() > 0.0 && stream["lag_us"].is_null(), "{stream}");

    let log = stats::hdr_log::HdrLog::read(&std::fs::read(&log).unwrap()).unwrap();
    let times = log.response_times("/simple").unwrap();
    assert_eq!((times.len(), times.censored()), (count, 0));
    assert!((log.range().unwrap().length_s() - 0.3).abs() < 0.01);
}

#[test]
fn two_requests_half_a_second_apart_are_two_a_second_and_not_four() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    let url = format!("{}/simple", serve(right));
    for (arguments, expected) in [
        (&["-q", "2", "-n", "2"][..], 2.0),
        (&["-q", "2", "-n", "1"], 2.0),
        (&["-q", "20", "-n", "2", "-c", "2"], 20.0),
        (&["-q", "2", "-z", "600ms", "-w", "0s"], 2.0),
        (&["-q", "0.5", "-z", "100ms", "-w", "0s"], 0.5),
    ] {
        let exports = [&url[..], "--export-json", file.to_str().unwrap()];
        let (code, stdout, stderr) = load(&[&exports, arguments].concat());
        assert_eq!(code, 0, "{stdout}{stderr}");
        let report = json(&file);
        for rate in ["requests_per_second", "offered_per_second"] {
            let rate = report["streams"][0][rate].as_f64().unwrap();
            assert!((rate / expected - 1.0).abs() < 1e-6, "{arguments:?}: {rate}");
        }
        assert_eq!(report["requests_per_second"], report["streams"][0]["requests_per_second"]);
        assert!(stdout.contains(&format!("  {expected:.1} right answers a second;")), "{stdout}");
    }
}

/// A server that answers anything, and the targets that it was asked for.
fn listening() -> (SocketAddr, Receiver<String>) {
    let (asked, targets) = channel();
    let address = serve(move |line| {
        let _ = asked.send(line.split(' ').nth(1).unwrap().to_owned());
        answer("200 OK", "anything")
    });
    (address, targets)
}

#[test]
fn a_target_is_sent_as_it_was_given_and_what_cannot_be_is_said() {
    let (address, targets) = listening();
    for path in ["/?q='x'", "/a/../b", "/a//./b/..", "/%7e%zz", "/?a={b}|^`\"<>\\"] {
        let (code, _, stderr) = load(&[&format!("{address}{path}"), "-n", "1", "-c", "1"]);
        assert_eq!((code, targets.recv_timeout(PATIENCE).unwrap().as_str()), (0, path), "{stderr}");
        assert!(!stderr.contains("note:"), "{stderr}");
    }
    let (_, _, stderr) = load(&[&format!("{address}/a b?caf\u{e9}#end"), "-n", "1", "-c", "1"]);
    assert_eq!(targets.recv_timeout(PATIENCE).unwrap(), "/a%20b?caf%C3%A9");
    assert!(stderr.contains("note: `/a b?caf\u{e9}` is sent as `/a%20b?caf%C3%A9`"), "{stderr}");
    assert!(stderr.contains("note: `#end` is a fragment"), "{stderr}");
    let mix = ["--mix", "c/../d=1,/e/../f'=1", "-n", "2", "-c", "2"];
    let (code, _, stderr) = load(&[&[&format!("{address}/a/b")[..]], &mix[..]].concat());
    assert_eq!(code, 0, "{stderr}");
    let mut asked = [targets.recv_timeout(PATIENCE).unwrap(), targets.recv_timeout(PATIENCE).unwrap()];
    asked.sort_unstable();
    assert!(asked.iter().all(|target| ["/a/c/../d", "/e/../f'"].contains(&target.as_str())), "{asked:?}");
    let (code, _, stderr) = load(&[&format!("{address}/a\nb"), "-n", "1"]);
    assert!(code == 2 && stderr.contains("control character"), "{code} {stderr}");
}

#[test]
fn only_what_leads_elsewhere_is_called_a_redirect() {
    for (status, is_redirect) in
        [("302 Found", true), ("308 Permanent Redirect", true), ("304 Not Modified", false)]
    {
        let url = format!("{}/simple", serve(move |_| answer(status, "")));
        let (code, stdout, _) = load(&[&url, "-n", "3", "-c", "1"]);
        assert_eq!(
            (code, stdout.contains("redirects are not followed")),
            (1, is_redirect),
            "{status}: {stdout}"
        );
        assert_eq!(stdout.contains("--expect-status 304"), !is_redirect, "{status}: {stdout}");
    }
}

/// As [`load`], after what `shell` does first.
fn load_after(shell: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = host::tether::command("sh");
    let script = format!("{shell} && exec \"$0\" load \"$@\"");
    command.args(["-c", &script, env!("CARGO_BIN_EXE_harness")]).args(arguments);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    ended(command.spawn().unwrap())
}

#[test]
fn the_soft_limit_of_open_files_is_raised_and_a_hard_one_is_said_with_what_to_do() {
    let url = format!("{}/simple", serve(right));
    let arguments = [&url[..], "-c", "200", "-n", "200"];
    let (code, stdout, stderr) = load_after("ulimit -S -n 40", &arguments);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let (code, stdout, stderr) = load_after("ulimit -n 40", &arguments);
    assert!(code != 0 && stderr.contains("`ulimit -Hn 264` as root"), "{code}: {stdout}{stderr}");
}

#[test]
fn where_the_locale_is_not_utf_8_everything_is_ascii() {
    let url = format!("{}/simple", serve(right));
    let arguments = [&url[..], "-c", "2", "-n", "50", "--quiet"];
    for (shell, is_ascii) in [
        ("export LC_ALL=C", true),
        ("unset LC_ALL LC_CTYPE; export LANG=de_DE.ISO-8859-1", true),
        ("export LC_ALL=C.UTF-8", false),
    ] {
        let (code, stdout, stderr) = load_after(shell, &arguments);
        assert_eq!((code, stdout.is_ascii()), (0, is_ascii), "{shell}: {stdout}{stderr}");
        assert_eq!(stdout.contains("##"), is_ascii, "{shell}: {stdout}");
    }
}

#[test]
fn a_command_is_recorded_as_a_shell_reads_it() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("O'Brien's $1.json");
    let url = format!("{}/simple", serve(right));
    let arguments = [
        "load",
        &url,
        "-n",
        "1",
        "-H",
        "x: a 'b' \"c\"",
        "--export-json",
        file.to_str().unwrap(),
        "-m",
        "GET",
    ];
    let (code, stdout, stderr) = load(&arguments[1..]);
    assert_eq!(code, 0, "{stdout}{stderr}");
    let command = json(&file)["command"].as_str().unwrap().to_owned();
    let script = format!("harness() {{ printf '%s\\0' \"$@\"; }}; {command}");
    let read = host::tether::command("sh").args(["-c", &script]).output().unwrap();
    let expected: String = arguments.map(|argument| format!("{argument}\0")).concat();
    assert_eq!(String::from_utf8(read.stdout).unwrap(), expected, "{command}");
}

#[test]
fn an_open_loop_sends_what_was_asked_for_and_tells_its_own_lag() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    let url = serve(right).to_string();
    let mix = ["--mix", "simple=0.75,other=0.25", "--expect-body", RIGHT];
    let out = ["-q", "400", "-z", "500ms", "-w", "0s", "--export-json", file.to_str().unwrap()];
    let (code, stdout, stderr) = load(&[&[url.as_str()][..], &mix, &out].concat());
    assert_eq!(code, 0, "{stdout}{stderr}");
    let report = json(&file);
    let due = |stream: usize| report["streams"][stream]["counts"]["due"].as_u64().unwrap();
    // 300 and 100 a second, evenly spaced from the start, for half a second.
    assert_eq!((due(0), due(1)), (150, 50));
    assert!(
        report["streams"][0]["lag_us"]["p99"].is_f64() && report["streams"][0]["lag_us"]["p99_9"].is_f64()
    );
    assert!(report["machine"]["steal"].is_f64());
    assert_eq!(report["streams"][1]["errors"]["status_4xx"], 50);
    assert!(failed_checks(&report).contains(&"answers"));
    assert!(stdout.contains("warning: other: no request was answered rightly"), "{stdout}");
}

#[test]
fn a_number_of_requests_ends_the_run_when_they_are_answered() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    let url = format!("{}/simple", serve(right));
    let out =
        ["-n", "101", "-c", "4", "--requests-per-connection", "10", "--export-json", file.to_str().unwrap()];
    let (code, stdout, stderr) = load(&[&[url.as_str()][..], &out].concat());
    assert_eq!(code, 0, "{stdout}{stderr}");
    let report = json(&file);
    assert_eq!((&report["streams"][0]["counts"]["ok"], &report["interrupted"]), (&101.into(), &false.into()));
}

#[test]
fn what_every_request_is_refused_is_shown_and_fails() {
    let url = format!("{}/nowhere", serve(right));
    let (code, stdout, _) = load(&[&url, "-c", "1", "-z", "200ms", "-w", "0s", "--quiet"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("errors    status_4xx "), "{stdout}");
    let warning = "warning: no request was answered rightly; expected was any status of class 2xx; the first: status 404";
    assert!(stdout.contains(warning), "{stdout}");

    let (code, stdout, _) = load(&[&url, "-n", "5", "--expect-status", "404"]);
    assert_eq!(code, 0, "{stdout}");
}

#[test]
fn a_redirect_is_not_followed() {
    let url = serve(|_| {
        "HTTP/1.1 302 Found\r\nlocation: http://elsewhere.invalid/\r\ncontent-length: 0\r\n\r\n".to_owned()
    });
    let (code, stdout, _) = load(&[&url.to_string(), "-n", "5"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("redirects are not followed: load the URL that they lead to"), "{stdout}");
}

#[test]
fn a_wrong_answer_fails_the_run_and_is_quoted() {
    let url = format!("{}/simple", serve(|_| answer("200 OK", &RIGHT.replace("499500", "499501"))));
    let (code, stdout, _) = load(&[&url, "-n", "5"]);
    assert_eq!(code, 1, "{stdout}");
    assert!(stdout.contains("payload is 499501, not 499500"), "{stdout}");
    assert!(stdout.contains("if any content is right, say so with --expect-status 200"), "{stdout}");
    assert_eq!(load(&[&url, "-n", "5", "--verify", "none"]).0, 0);
}

#[test]
fn a_rate_beyond_what_the_server_can_do_is_a_result_with_a_warning() {
    // One connection, answered after 20 ms: 50 a second at most, of 400.
    let url = format!(
        "{}/simple",
        serve(|line| {
            std::thread::sleep(Duration::from_millis(20));
            right(line)
        })
    );
    let rate = ["-q", "400", "-c", "1", "-z", "300ms", "-w", "0s", "-t", "300ms"];
    let (code, stdout, _) = load(&[&[url.as_str()][..], &rate].concat());
    assert_eq!(code, 0, "{stdout}");
    assert!(stdout.contains("warning: the server did not keep up: 400/s offered, "), "{stdout}");
    assert!(stdout.contains("; never answered: "), "{stdout}");
    assert!(stdout.contains("> "), "{stdout}");
}

#[test]
fn a_closed_loop_on_a_server_that_stalls_is_told_what_it_hides() {
    let answered = Arc::new(AtomicU32::new(0));
    let url = format!(
        "{}/simple",
        serve(move |line| {
            // One request in a thousand meets a stall, which no percentile up to p99 shows.
            if answered.fetch_add(1, Ordering::Relaxed) == 500 {
                std::thread::sleep(Duration::from_millis(300));
            }
            right(line)
        })
    );
    let (code, stdout, _) = load(&[&url, "-c", "1", "-n", "1000"]);
    assert_eq!(code, 0, "{stdout}");
    let slowest = stdout.split_once("warning: the closed loop hides a stall: the slowest answer took ");
    let (slowest, _) = slowest.and_then(|(_, rest)| rest.split_once(',')).expect(&stdout);
    assert!(duration::parse(slowest).unwrap() >= Duration::from_millis(300), "{slowest}");
    assert!(stdout.contains("measure with --rate"), "{stdout}");
}

#[test]
fn a_server_that_cannot_be_reached_is_named() {
    let address = nobody();
    let (code, stdout, stderr) = load(&[&format!("http://{address}/simple")]);
    let expected = format!(
        "error: cannot connect to {address} (http://{address}/simple): Connection refused (os error 111); see whether the \
         server is running and listens on this address\n"
    );
    assert_eq!((code, stdout.as_str(), stderr.as_str()), (1, "", expected.as_str()));

    let (code, _, stderr) = load(&["http://nowhere.invalid/"]);
    assert_eq!(code, 1, "{stderr}");
    assert!(stderr.starts_with("error: host `nowhere.invalid` cannot be resolved: "), "{stderr}");
}

#[test]
fn a_command_line_that_cannot_be_meant_is_a_usage_error() {
    let url = serve(right).to_string();
    for (arguments, expected) in [
        (
            &["https://127.0.0.1:8443/simple"][..],
            "error: `https://127.0.0.1:8443/simple` asks for TLS, which is not supported; measure the server behind it with http://127.0.0.1:8443/simple\n",
        ),
        (&["ftp://127.0.0.1/"], "error: `ftp://127.0.0.1/` has the scheme `ftp`; only http can be loaded\n"),
        (&[&url, "--start-at", "@1000000000"], "in the past; choose a later one"),
        (
            &[&url, "-q", "0"],
            "a rate of 0 sends nothing; choose one from 0.000001 to 10000000, or leave it out for a closed loop",
        ),
        (
            &[&url, "-d", "@/nowhere/at-all"],
            "error: /nowhere/at-all cannot be read: No such file or directory",
        ),
        (&[&url, "--cpus", "1023"], "error: --cpus 1023: this process may use "),
        (&[&url, "-c", "4000000000"], "`4000000000` is no whole number from 1 to 1000000\n"),
        (&[&url, "--pipeline", "4294967295"], "`4294967295` is no whole number from 1 to 100000\n"),
        (
            &[&url, "-c", "100", "--pipeline", "100000"],
            "error: 10000000 requests may be in flight on all connections",
        ),
    ] {
        let (code, stdout, stderr) = load(arguments);
        assert_eq!((code, stdout.as_str()), (2, ""), "{arguments:?}: {stderr}");
        assert!(stderr.contains(expected), "{expected} is not in:\n{stderr}");
    }
}

#[test]
fn a_file_that_cannot_be_written_is_found_out_before_the_run() {
    let url = serve(right).to_string();
    let (code, stdout, stderr) = load(&[&url, "--export-json", "/nowhere/at-all/a.json"]);
    assert_eq!((code, stdout.as_str()), (1, ""), "{stderr}");
    assert!(stderr.starts_with("error: /nowhere/at-all/a.json cannot be written: "), "{stderr}");
}

#[test]
fn an_interrupted_run_shows_what_it_has_and_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("a.json");
    let (sender, asked) = channel();
    let url = format!(
        "{}/simple",
        serve(move |line| {
            let _ = sender.send(());
            right(line)
        })
    );
    let arguments = [&url, "-c", "1", "-z", "10m", "-w", "0s", "--export-json", file.to_str().unwrap()];
    let child = command(&arguments).spawn().unwrap();
    // The window opens with the run, so that what was asked for belongs to it.
    (0..20).for_each(|_| asked.recv_timeout(PATIENCE).unwrap());
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (code, stdout, stderr) = ended(child);
    assert_eq!(code, 130, "{stdout}{stderr}");
    assert!(stdout.contains("PARTIAL RESULTS: interrupted after "), "{stdout}");
    assert!(stdout.contains(" of a window of 600.0 s"), "{stdout}");
    assert!(stderr.contains("interrupted: what was measured until now is shown; once more to end at once"));
    let report = json(&file);
    assert_eq!(report["interrupted"], true);
    assert!(report["streams"][0]["counts"]["ok"].as_u64().unwrap() > 0);
}

#[test]
fn a_run_interrupted_before_its_window_or_its_start_measured_nothing() {
    let (sender, asked) = channel();
    let url = format!(
        "{}/simple",
        serve(move |line| {
            let _ = sender.send(());
            right(line)
        })
    );
    let child = command(&[&url, "-c", "1", "-w", "10m"]).spawn().unwrap();
    asked.recv_timeout(PATIENCE).unwrap();
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (code, stdout, _) = ended(child);
    assert_eq!(code, 130, "{stdout}");
    assert!(
        stdout.contains("PARTIAL RESULTS: interrupted before the window opened; nothing was measured"),
        "{stdout}"
    );

    let mut child = command(&[&url, "--start-at", "2999-01-01T00:00:00Z"]).spawn().unwrap();
    let mut line = String::new();
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    stderr.read_line(&mut line).unwrap();
    assert!(line.starts_with("starts at 2999-01-01T00:00:00Z, in "), "{line}");
    kill_process(Pid::from_child(&child), Signal::INT).unwrap();
    let (code, stdout, _) = ended(child);
    assert_eq!((code, stdout.as_str()), (130, "interrupted before the start; nothing was measured\n"));
}

#[test]
fn the_live_view_is_plain_lines_where_there_is_no_terminal() {
    let url = format!("{}/simple", serve(right));
    let (code, _, stderr) = load(&[&url, "-c", "1", "-z", "1300ms", "-w", "0s"]);
    assert_eq!(code, 0);
    assert!(
        stderr.contains("measuring, ") && stderr.contains(" errors, ") && stderr.contains("p99 "),
        "{stderr}"
    );
    assert!(!stderr.contains('\x1b'), "{stderr}");
    let (_, _, stderr) = load(&[&url, "-c", "1", "-z", "1300ms", "-w", "0s", "--quiet"]);
    assert_eq!(stderr, "");
}
