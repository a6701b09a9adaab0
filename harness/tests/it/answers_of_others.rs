//! What other people's servers answer: long, in many fields, folded, in chunks with blanks. `load`, `quick` and the checks that a race
//! uses take what the RFC lets a server send, at no cost of memory, and name a limit where a person set one.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    process::{Child, Stdio},
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::Duration,
};

use serde_json::Value;

use crate::support::finish;

const PATIENCE: Duration = Duration::from_secs(60);

/// A server that answers each request as `answer` does.
fn serve(answer: impl Fn(&mut TcpStream) -> std::io::Result<()> + Send + Sync + 'static) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || while is_asked(&mut stream) && answer(&mut stream).is_ok() {});
        }
    });
    address
}

/// Reads one request without content.
fn is_asked(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

fn serving(bytes: impl Into<Vec<u8>>) -> SocketAddr {
    let bytes = bytes.into();
    serve(move |stream| stream.write_all(&bytes))
}

fn start(arguments: &[&str]) -> Child {
    let mut command = host::tether::command(env!("CARGO_BIN_EXE_harness"));
    command
        .args(arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap()
}

/// Exit code, and what is printed.
fn ended(child: Child) -> (i32, String) {
    let output = finish(child, PATIENCE);
    let text = String::from_utf8([output.stdout, output.stderr].concat()).unwrap();
    (output.status.code().unwrap(), text)
}

/// Ten requests of `load`, and ten of `quick`.
fn both(address: SocketAddr) -> [(i32, String); 2] {
    let url = format!("http://{address}/");
    [
        ended(start(&["load", &url, "-c", "2", "-n", "10", "--quiet"])),
        ended(start(&["quick", &url, "-c", "2", "-n", "5"])),
    ]
}

#[test]
fn what_the_rfc_lets_a_server_send_is_answered() {
    let many: String = (0..65).map(|index| format!("x-{index}: y\r\n")).collect();
    let very_many: String = (0..5_000).map(|index| format!("x-{index}: y\r\n")).collect();
    for head in [
        "transfer-encoding: chunked\r\n\r\n2 ;a=b\r\nhi\r\n0\r\n\r\n".to_owned(),
        "x: a\r\n b\r\ncontent-length:\r\n 2\r\n\r\nhi".to_owned(),
        format!("{many}content-length: 2\r\n\r\nhi"),
        format!("{very_many}content-length: 2\r\n\r\nhi"),
    ] {
        let [load, quick] = both(serving(format!("HTTP/1.1 200 OK\r\n{head}")));
        let start = &head[..head.len().min(100)];
        assert_eq!(load.0, 0, "{start:?}: {}", load.1);
        assert!(load.1.contains("of 10 due in the window 10 were answered rightly"), "{start:?}: {}", load.1);
        assert_eq!(quick.0, 0, "{start:?}: {}", quick.1);
        assert!(quick.1.contains("http.codes.200"), "{start:?}: {}", quick.1);
        assert!(!quick.1.contains("errors."), "{start:?}: {}", quick.1);
    }
}

#[test]
fn a_limit_that_a_person_sets_is_named_where_it_is_exceeded() {
    let address = serving(format!(
        "HTTP/1.1 200 OK\r\nx: {}\r\ncontent-length: 2000\r\n\r\n{}",
        "y".repeat(500),
        "z".repeat(2_000)
    ));
    let url = format!("http://{address}/");
    for (limit, reason) in [
        (["--max-body", "1000"], "response content of more than 1000 bytes"),
        (["--max-head", "400"], "response head, chunk line or trailer section of more than 400 bytes"),
    ] {
        let (code, text) =
            ended(start(&[&["load", &url, "-c", "1", "-n", "3", "--quiet"][..], &limit].concat()));
        assert_eq!(code, 1, "{text}");
        for expected in ["too_large 3", reason, "raise --max-head or --max-body"] {
            assert!(text.contains(expected), "{expected} is not in:\n{text}");
        }
    }
    let (code, text) = ended(start(&["quick", &url, "-c", "2", "-n", "3", "--max-head", "400"]));
    assert_eq!(code, 1, "{text}");
    assert!(text.contains("(2 RESPONSE_TOO_LARGE); answers were too large: response head"), "{text}");
    assert!(text.contains("of more than 400 bytes; raise --max-head"), "{text}");
}

/// How long the long answer is.
const LONG_MIB: usize = 150;
/// What the harness may have used of memory when all of it has come.
const MOST_RESIDENT_MIB: u64 = 64;

/// Answers with 150 MiB, and the end of them only when told to; says when the rest is sent.
fn serve_long() -> (SocketAddr, Receiver<()>, Sender<()>) {
    let (sent, all_sent) = channel();
    let (go, may_end) = channel::<()>();
    let may_end = std::sync::Mutex::new(may_end);
    let address = serve(move |stream| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        let chunk = [&b"100000\r\n"[..], &vec![b' '; 1 << 20], b"\r\n"].concat();
        (0..LONG_MIB).try_for_each(|_| stream.write_all(&chunk))?;
        sent.send(()).map_err(std::io::Error::other)?;
        may_end.lock().unwrap().recv().map_err(std::io::Error::other)?;
        stream.write_all(b"0\r\n\r\n")
    });
    (address, all_sent, go)
}

/// The most memory that a process had, in MiB.
fn most_resident_mib(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() / 1024
}

/// Runs a command that asks once for the long answer.
fn with_long_answer(arguments: impl Fn(&str) -> Vec<String>) -> (i32, String) {
    let (address, all_sent, go) = serve_long();
    let arguments = arguments(&format!("http://{address}"));
    let child = start(&arguments.iter().map(String::as_str).collect::<Vec<_>>());
    all_sent.recv_timeout(PATIENCE).unwrap();
    let resident_mib = most_resident_mib(child.id());
    go.send(()).unwrap();
    let ended = ended(child);
    assert!(resident_mib < MOST_RESIDENT_MIB, "{resident_mib} MiB for {arguments:?}: {}", ended.1);
    ended
}

fn words(text: &str) -> Vec<String> {
    text.split(' ').map(str::to_owned).collect()
}

#[test]
fn memory_does_not_grow_with_an_answer() {
    for more in ["--verify all", "--verify none", "--expect-status 200"] {
        let (code, text) =
            with_long_answer(|url| words(&format!("load {url}/ -c 1 -n 1 -t 60s --quiet {more}")));
        assert_eq!(code, 0, "{text}");
        assert!(text.contains("of 1 due in the window 1 were answered rightly"), "{text}");
    }
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("report.json");
    let (code, text) =
        with_long_answer(|url| words(&format!("quick {url}/ -c 1 -n 1 -o {}", file.display())));
    assert_eq!(code, 0, "{text}");
    let report: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    let downloaded = &report["aggregate"]["counters"]["http.downloaded_bytes"];
    assert_eq!(downloaded.as_u64(), Some((LONG_MIB as u64) << 20));
}

#[test]
fn an_answer_too_long_for_the_application_is_wrong_by_the_check_that_a_race_uses() {
    let (code, text) = with_long_answer(|url| words(&format!("load {url}/simple -c 1 -n 1 -t 60s --quiet")));
    assert_eq!(code, 1, "{text}");
    let reason = "wrong answer: its 157286400 bytes are more than the 65536 of any right answer";
    assert!(text.contains(reason), "{text}");
    let (code, text) =
        with_long_answer(|url| words(&format!("load {url}/simple -c 1 -n 1 -t 60s --quiet --verify none")));
    assert_eq!(code, 0, "{text}");
}
