//! Connections that fail, by what they fail of: `load` and `quick` name the cause, blame whoever it was, advise what fits, and end
//! with the code that says so.

use std::{
    io::{BufRead, BufReader, Read as _},
    net::{SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::{Command, Output, Stdio},
    thread,
    time::Duration,
};

use host::{cpus::CpuSet, tether};
use rustix::{
    net::{AddressFamily, SocketType, bind, listen, socket, sockopt::set_socket_linger},
    process::{Pid, Signal, kill_process},
};
use serde_json::Value;

use crate::support::finish;

const PATIENCE: Duration = Duration::from_secs(60);

const HARNESS: &str = env!("CARGO_BIN_EXE_harness");

/// What a person sees of a command, and what it wrote as JSON.
struct Seen {
    code: i32,
    text: String,
    json: Option<Value>,
}

fn seen(mut command: Command, json: &Path) -> Seen {
    let child = command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let Output { status, stdout, stderr } = finish(child, PATIENCE);
    Seen {
        code: status.code().unwrap(),
        text: String::from_utf8([stdout, stderr].concat()).unwrap(),
        json: std::fs::read(json)
            .ok()
            .filter(|text| !text.is_empty())
            .map(|text| serde_json::from_slice(&text).unwrap()),
    }
}

fn harness(arguments: &[&str]) -> Command {
    let mut command = tether::command(HARNESS);
    command.args(arguments);
    command
}

/// Runs `load` with `--export-json` and without its live view.
fn load(arguments: &[&str]) -> Seen {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("json");
    let export = ["--quiet", "--export-json", json.to_str().unwrap()];
    seen(harness(&[&["load"], arguments, &export].concat()), &json)
}

impl Seen {
    fn says(&self, expected: &[&str]) {
        for expected in expected {
            assert!(self.text.contains(expected), "{expected} is not in:\n{}", self.text);
        }
    }

    fn is_silent_of(&self, unexpected: &[&str]) {
        for unexpected in unexpected {
            assert!(!self.text.contains(unexpected), "{unexpected} is in:\n{}", self.text);
        }
    }

    /// How often an error of the system was met by requests or attempts in the window, and by attempts of the whole run.
    fn counted(&self, kind: &str, name: &str) -> (u64, u64) {
        let stream = &self.json.as_ref().expect("it was exported")["streams"][0];
        let count = |value: &Value| value.as_u64().unwrap_or(0);
        (count(&stream["causes"][kind][name]), count(&stream["failed_attempts"][name]))
    }
}

/// Runs a script in a network of its own, in which `$1` is the harness, `$2` a folder, and `$3` a CPU; `None`, and a word about
/// it, where no such network can be made.
fn in_own_network(script: &str) -> Option<(Seen, tempfile::TempDir)> {
    let may = tether::command("unshare")
        .args(["-rn", "ip", "link", "set", "lo", "up"])
        .stderr(Stdio::null())
        .status();
    if !may.is_ok_and(|status| status.success()) {
        eprintln!("skipped: no network namespace can be made here (unshare, ip), or it may not be set up");
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let cpu = CpuSet::allowed().unwrap().nth_wrapping(0).to_string();
    let mut command = tether::command("unshare");
    command.args(["-rn", "sh", "-ec", script, "sh", HARNESS]).arg(folder.path()).arg(cpu);
    let seen = seen(command, &folder.path().join("json"));
    Some((seen, folder))
}

/// Sixty-four local ports, none of which is used again soon, and a server.
const FEW_PORTS: &str = "
    ip link set lo up
    echo 50000 50063 > /proc/sys/net/ipv4/ip_local_port_range
    echo 0 > /proc/sys/net/ipv4/tcp_tw_reuse
    mkfifo \"$2/ready\"
    \"$1\" planted --listen 127.0.0.1:8080 --cpus \"$3\" > \"$2/ready\" &
    server=$!
    trap 'kill $server' EXIT
    read -r line < \"$2/ready\"
";

/// What is said of ports that ran out.
const PORTS: [&str; 3] =
    ["this machine has no local port", "not the server's doing", "net.ipv4.ip_local_port_range"];

#[test]
fn local_ports_that_run_out_are_this_machines_fault() {
    let script = format!(
        "{FEW_PORTS}
        code=0
        \"$1\" load 127.0.0.1:8080/ -c 4 --requests-per-connection 1 -z 1s -w 0s --quiet --export-json \"$2/json\" || code=$?
        again=0
        \"$1\" load 127.0.0.1:8080/ --quiet || again=$?
        echo again $again
        exit $code"
    );
    let Some((seen, _folder)) = in_own_network(&script) else { return };
    assert_eq!(seen.code, 1, "{}", seen.text);
    seen.says(&PORTS);
    seen.says(&["(EADDRNOTAVAIL)", "attempts to connect failed, "]);
    seen.is_silent_of(&["see how many connections the server accepts", "no request was answered rightly"]);
    let (in_window, in_all) = seen.counted("connect", "EADDRNOTAVAIL");
    assert!(in_window > 0 && in_all >= in_window, "{in_window} {in_all}");
    // The next finds none from the start.
    seen.says(&[
        "cannot connect to 127.0.0.1:8080 (http://127.0.0.1:8080/): ",
        "(os error 99); let connections carry",
        "again 1",
    ]);
}

#[test]
fn users_without_a_local_port_failed_here() {
    let script = format!(
        "{FEW_PORTS} code=0\n \"$1\" quick 127.0.0.1:8080/ -c 100 -n 1 -o \"$2/json\" || code=$?\n exit $code"
    );
    let Some((seen, _folder)) = in_own_network(&script) else { return };
    assert_eq!(seen.code, 1, "{}", seen.text);
    seen.says(&PORTS);
    let counters = &seen.json.as_ref().unwrap()["aggregate"]["counters"];
    let count = |name: &str| counters[name].as_u64().unwrap();
    let (answered, failed) = (count("http.codes.200"), count("errors.EADDRNOTAVAIL"));
    assert!(answered + failed == 100 && (1..=64).contains(&answered), "{answered} answered, {failed} failed");
}

#[test]
fn where_no_way_leads_is_said_before_anything_is_measured() {
    let script = "
        code=0
        \"$1\" load 127.0.0.1:8080/ || code=$?
        ip link set lo up
        ip route add unreachable 198.51.100.0/24
        \"$1\" load 198.51.100.1:8080/ || code=$code$?
        \"$1\" quick 198.51.100.1:8080/ -c 2 -n 1 || code=$code$?
        exit $code";
    let Some((seen, _folder)) = in_own_network(script) else { return };
    assert_eq!(seen.code, 111, "{}", seen.text);
    seen.says(&[
        "cannot connect to 127.0.0.1:8080 (http://127.0.0.1:8080/): Network is unreachable (os error 101); see the address, the route",
        "cannot connect to 198.51.100.1:8080 (http://198.51.100.1:8080/): No route to host (os error 113); see the address, the route",
        "no request to http://198.51.100.1:8080/ was answered (2 EHOSTUNREACH); see the address, the route",
    ]);
}

/// Runs a script of bash, in which `$0` is the harness and `$1` a folder; `None`, and a word about it, where there is none.
fn in_bash(script: &str, url: &str) -> Option<Seen> {
    let folder = tempfile::tempdir().unwrap();
    let mut command = tether::command("bash");
    command.args(["-ec", script, HARNESS]).arg(folder.path()).arg(url);
    match tether::command("bash").args(["-c", "true"]).status() {
        Ok(_) => Some(seen(command, &folder.path().join("json"))),
        Err(error) => {
            eprintln!("skipped: there is no bash ({error})");
            None
        }
    }
}

/// A server that answers whatever it is asked, for as long as the test lasts.
fn answering() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            thread::spawn(move || answer_all(stream));
        }
    });
    address
}

fn answer_all(mut stream: TcpStream) -> Option<()> {
    use std::io::Write as _;
    let mut lines = BufReader::new(stream.try_clone().ok()?).lines();
    loop {
        while !lines.next()?.ok()?.is_empty() {}
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi").ok()?;
    }
}

#[test]
fn descriptors_that_run_out_are_this_machines_fault() {
    // Most of those that are allowed are taken, which nobody can know who counts connections alone.
    let script = "
        ulimit -n 90
        for file in $(seq 20 80); do eval \"exec $file< /dev/null\"; done
        exec \"$0\" load \"$2\" -c 26 -z 500ms -w 0s --quiet --export-json \"$1/json\"";
    let Some(seen) = in_bash(script, &format!("{}/", answering())) else { return };
    assert_eq!(seen.code, 1, "{}", seen.text);
    seen.says(&[
        "(EMFILE)",
        "this process may open no more files",
        "not the server's doing: raise the limit with `ulimit -n`",
    ]);
    seen.is_silent_of(&["see how many connections the server accepts"]);
    let (in_window, in_all) = seen.counted("connect", "EMFILE");
    assert!(in_window > 0 && in_all >= in_window, "{in_window} {in_all}");
}

#[test]
fn more_connections_than_descriptors_are_refused_with_the_command_that_helps() {
    let script = "
        ulimit -n 100
        code=0
        \"$0\" load \"$2\" -c 100 --quiet || code=$?
        \"$0\" quick \"$2\" -c 100 || code=$code$?
        exit $code";
    let Some(seen) = in_bash(script, &format!("{}/", answering())) else { return };
    assert_eq!(seen.code, 22, "{}", seen.text);
    assert_eq!(
        seen.text.matches("raise the limit with `ulimit -Hn 164` as root").count(),
        2,
        "{}",
        seen.text
    );
}

#[test]
fn a_server_that_is_killed_refuses_from_then_on() {
    let cpu = CpuSet::allowed().unwrap().nth_wrapping(0).to_string();
    let mut server = harness(&["planted", "--listen", "127.0.0.1:0", "--cpus", &cpu]);
    let mut server = server.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let ready: Value = serde_json::from_str(&line).unwrap();

    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("json");
    let url = format!("{}/", ready["address"].as_str().unwrap());
    let arguments =
        ["load", &url, "-c", "4", "-z", "3s", "-w", "0s", "--export-json", json.to_str().unwrap()];
    let mut child = harness(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It has measured for a second when it first says so.
    let mut stderr = BufReader::new(child.stderr.take().unwrap());
    line.clear();
    stderr.read_line(&mut line).unwrap();
    assert!(line.contains("measuring"), "{line}");
    kill_process(Pid::from_child(&server), Signal::KILL).unwrap();
    server.wait().unwrap();
    let rest = thread::spawn(move || {
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).map(|_| rest)
    });
    let output = finish(child, PATIENCE);
    drop(rest.join());

    let seen = Seen {
        code: output.status.code().unwrap(),
        text: String::from_utf8(output.stdout).unwrap(),
        json: serde_json::from_slice(&std::fs::read(&json).unwrap()).ok(),
    };
    assert_eq!(seen.code, 1, "{}", seen.text);
    seen.says(&[
        "(ECONNREFUSED)",
        "(nobody listens there); in the end none could be opened any more; see whether the server is running",
    ]);
    seen.is_silent_of(&["not the server's doing"]);
    let (in_window, in_all) = seen.counted("connect", "ECONNREFUSED");
    assert!(in_window > 0 && in_all >= in_window, "{in_window} {in_all}");
    assert_eq!(seen.json.unwrap()["streams"][0]["connections"]["lost"], true);
}

/// A listener in whose queue there is room for one connection beside those that it has accepted.
fn short_listener() -> TcpListener {
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).unwrap();
    listen(&listener, 0).unwrap();
    listener.into()
}

#[test]
fn attempts_that_a_full_backlog_swallows_time_out() {
    let listener = short_listener();
    let address = listener.local_addr().unwrap();
    // It takes the first, which `load` opens to see whether it is there, and nobody else.
    let first = thread::spawn(move || listener.accept().map(|(stream, _)| (stream, listener)));
    let url = format!("{address}/");
    let seen = load(&[&url, "-c", "6", "-t", "400ms", "-z", "1s", "-w", "0s"]);
    assert_eq!(seen.code, 1, "{}", seen.text);
    seen.says(&["ETIMEDOUT", "(nothing answered in time)", "see whether the server's backlog is full"]);
    seen.is_silent_of(&["not the server's doing"]);
    let (_, in_all) = seen.counted("connect", "ETIMEDOUT");
    assert!(in_all > 0, "{}", seen.text);
    // From now on it is full for whoever comes first.
    let held = first.join().unwrap().unwrap();
    let fill = |_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let filled: Vec<TcpStream> = (0..3).map_while(fill).collect();
    let refused = load(&[&url, "-t", "300ms"]);
    assert_eq!((refused.code, refused.json.is_none()), (1, true), "{}", refused.text);
    refused.says(&["connection timed out; see whether the server's backlog is full"]);
    drop((held, filled));
}

#[test]
fn connections_that_the_server_resets_are_its_doing() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            thread::spawn(move || {
                // Lingering for no time makes the close a reset.
                let asked = stream.read(&mut [0; 4096]).is_ok_and(|read| read > 0);
                assert!(!asked || set_socket_linger(&stream, Some(Duration::ZERO)).is_ok());
            });
        }
    });
    let seen = load(&[&format!("{address}/"), "-c", "2", "-z", "300ms", "-w", "0s"]);
    assert_eq!(seen.code, 1, "{}", seen.text);
    seen.says(&["(ECONNRESET)", "connections broke with requests in flight: see whether the server crashed"]);
    seen.is_silent_of(&["not the server's doing"]);
    assert!(seen.counted("reset", "ECONNRESET").0 > 0);
}

#[test]
fn an_attempt_that_takes_long_is_given_up_at_the_first_interrupt() {
    let listener = short_listener();
    let address = listener.local_addr().unwrap();
    let fill = |_| TcpStream::connect_timeout(&address, Duration::from_millis(200)).ok();
    let filled: Vec<TcpStream> = (0..3).map_while(fill).collect();
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("json");
    let arguments = ["load", &format!("{address}/"), "-t", "24h", "--export-json", json.to_str().unwrap()];
    let child = harness(&arguments)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let pid = Pid::from_child(&child);
    while !catches_interrupts(pid) {
        thread::yield_now();
    }
    kill_process(pid, Signal::INT).unwrap();
    let output = finish(child, PATIENCE);
    let stdout = String::from_utf8(output.stdout).unwrap();
    assert_eq!(output.status.code(), Some(130), "{stdout}");
    assert_eq!(stdout, "interrupted before the start; nothing was measured\n");
    drop(filled);
}

/// Whether a process has a handler for SIGINT.
fn catches_interrupts(pid: Pid) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero())).unwrap();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
    u64::from_str_radix(caught.trim(), 16).unwrap() & 1 << (Signal::INT.as_raw() - 1) != 0
}
