//! `harness bench --server-host` through a real ssh: what it records, what is left there whoever is killed, and how a host that cannot be
//! used is refused.

use std::{
    fs,
    net::{TcpListener, TcpStream},
    os::unix::fs::PermissionsExt,
    path::Path,
    process::{Command, Output, Stdio},
    time::{Duration, Instant, SystemTime},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{
    lap::{Lap, PATIENCE, harness, stderr},
    sshd::{HOST, Sshd},
    support::finish,
};

const OWN: &str = env!("CARGO_BIN_EXE_harness");

/// A lap whose servers run on the host of `sshd`, which is reached by `ssh`.
fn command(lap: &Lap, ssh: &str, more: &[&str]) -> Command {
    let there = ["--server-host", HOST, "--ssh", ssh, "--there", OWN];
    let mut command = lap.command(&[&there[..], &["--seed", "1"], more].concat());
    command.stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

fn run(lap: &Lap, ssh: &str, more: &[&str]) -> Output {
    finish(command(lap, ssh, more).spawn().unwrap(), PATIENCE)
}

/// Waits until nothing of a session is left there.
fn assert_nothing_is_left(sshd: &Sshd, after: &str) {
    let deadline = Instant::now() + PATIENCE;
    while !sshd.left().is_empty() {
        assert!(Instant::now() < deadline, "after {after}: {:?}", sshd.left());
        std::thread::yield_now();
    }
}

fn files_in(folder: &Path) -> usize {
    fs::read_dir(folder).unwrap().count()
}

#[test]
fn a_race_over_ssh_records_both_hosts_and_leaves_nothing_there() {
    let Some(sshd) = Sshd::start() else { return };
    let lap = Lap::with_rows(&[("a", "right"), ("b", "right")]);
    let output = run(&lap, &sshd.ssh, &["--starts", "2", "--rounds", "1"]);
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert_eq!(harness(&["check", lap.out().to_str().unwrap()]).status.code(), Some(0));
    assert!(lap.windows().len() >= 8, "{} windows", lap.windows().len());
    for window in lap.windows() {
        let accounts = window.measured.unwrap().accounts;
        // Both hosts are this machine: the generator, which shares the server's CPUs in this scenario, is no foreign task there.
        let is_shared = window.scenario == "open";
        assert!(
            !is_shared || accounts.shares.harness_ns as f64 > 5e8 * accounts.generator.cpu_s,
            "{accounts:?}"
        );
    }
    let environment = fs::read(lap.out().join("environment.json")).unwrap();
    let there = &serde_json::from_slice::<Value>(&environment).unwrap()["server_host"];
    // Where ssh came in.
    assert_eq!((&there["asked"], &there["address"]), (&Value::from(HOST), &Value::from(HOST)));
    for interface in [&there["interface"], &there["generator_interface"]] {
        assert_eq!(interface["name"], "lo");
        assert!(interface["mtu"].as_u64() >= Some(1500), "{interface}");
    }
    let report = lap.report();
    for line in [
        "reached as 127.0.0.1, which is the same machine",
        "a byte there and back: ",
        "its interface: lo, MTU ",
        "the generator's interface: lo, MTU ",
    ] {
        assert!(report.contains(line), "{line}: {report}");
    }
    let page = fs::read_to_string(lap.out().join("report.html")).unwrap();
    assert!(page.contains("reached as 127.0.0.1"), "{page}");
    assert_nothing_is_left(&sshd, "a race");
    assert_eq!(files_in(&sshd.there), 0, "programs go with the agent");
}

/// Who is killed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Victim {
    Ssh,
    Harness,
    Agent,
    /// The sshd's process of this connection.
    Session,
}

/// So often is each of them killed.
const STRIKES: u64 = 2;
/// The latest instant of a strike, which is within a race that would last for minutes.
const LATEST: Duration = Duration::from_secs(4);

#[test]
fn whoever_is_killed_whenever_nothing_is_left_there_and_the_run_says_which_host_was_lost() {
    let Some(sshd) = Sshd::start() else { return };
    let seed = SystemTime::UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64;
    for number in 0..STRIKES {
        for victim in [Victim::Ssh, Victim::Harness, Victim::Agent, Victim::Session] {
            // Any instant will do, and none is waited for: the first constant of splitmix64 spreads them.
            let random = (seed ^ number << 8 ^ victim as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
            let at = LATEST.mul_f64((random >> 11) as f64 / (1_u64 << 53) as f64);
            struck(&sshd, victim, at);
        }
    }
}

/// The process of `program`, below `root` or in a session there, whose command line has `word`.
fn find(sshd: &Sshd, root: u32, program: &str, word: &str) -> Option<Pid> {
    let in_sessions = sshd.left().into_iter().map(|(pid, _)| pid);
    let is_wanted = |pid: &u32| {
        let line = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        let runs = fs::read_link(format!("/proc/{pid}/exe")).is_ok_and(|runs| runs.ends_with(program));
        runs && String::from_utf8_lossy(&line).replace('\0', " ").contains(word)
    };
    let pid = host::processes::descendants(root).into_iter().chain(in_sessions).find(is_wanted)?;
    Pid::from_raw(i32::try_from(pid).unwrap())
}

fn struck(sshd: &Sshd, victim: Victim, at: Duration) {
    let told = format!("{victim:?} was killed after {at:?}");
    let lap = Lap::with_rows(&[("a", "daemonises"), ("b", "right")]);
    let child = command(&lap, &sshd.ssh, &["--starts", "1000", "--rounds", "1", "--duration", "50ms"])
        .spawn()
        .unwrap();
    let own = Pid::from_raw(i32::try_from(child.id()).unwrap()).unwrap();
    std::thread::sleep(at);
    let found = || match victim {
        Victim::Harness => Some(own),
        Victim::Ssh => find(sshd, child.id(), "ssh", "BatchMode=yes"),
        Victim::Agent => find(sshd, child.id(), OWN, " server-host"),
        Victim::Session => find(sshd, sshd.daemon(), "sshd", "@notty"),
    };
    let deadline = Instant::now() + PATIENCE;
    // One that has ended meanwhile was nobody's.
    while found().is_none_or(|pid| kill_process(pid, Signal::KILL).is_err()) {
        assert!(Instant::now() < deadline, "{told}: it is not there");
        std::thread::yield_now();
    }
    let output = finish(child, PATIENCE);
    let said = stderr(&output);
    match victim {
        Victim::Harness => {}
        Victim::Ssh | Victim::Agent | Victim::Session => {
            assert_eq!(output.status.code(), Some(1), "{told}: {said}");
            let last = said.lines().last().unwrap_or_default();
            assert!(last.starts_with("error: ") && last.contains(HOST), "{told}: {said}");
            assert!(!said.contains("is out of the race"), "{told}: {said}");
        }
    }
    assert_nothing_is_left(sshd, &told);
    if victim == Victim::Agent {
        // Who is killed removes nothing.
        fs::remove_dir_all(&sshd.there).unwrap();
        fs::create_dir(&sshd.there).unwrap();
    }
    assert_eq!(files_in(&sshd.there), 0, "{told}: programs go with the agent");
    if lap.out().join("run.json").exists() {
        let measurements = lap.measurements();
        assert!(
            measurements.complete.iter().all(|start| start.windows.len() >= 4),
            "{told}: {measurements:?}"
        );
    }
}

#[test]
fn a_host_that_cannot_be_used_is_refused_in_a_line_with_its_name_and_what_to_do() {
    let Some(sshd) = Sshd::start() else { return };
    let lap = Lap::with_rows(&[("a", "right")]);
    let other = lap.folder.path().join("other-harness");
    fs::write(&other, [fs::read(OWN).unwrap(), b"another build".to_vec()].concat()).unwrap();
    fs::set_permissions(&other, fs::Permissions::from_mode(0o755)).unwrap();
    let foreign = lap.folder.path().join("foreign-harness");
    // The head of a program for a processor that nobody has: number 0xFEFE of the ELF specification's `e_machine`.
    let head =
        [b"\x7fELF\x02\x01\x01\0\0\0\0\0\0\0\0\0\x02\0\xfe\xfe\x01\0\0\0".as_slice(), &[0; 40]].concat();
    fs::write(&foreign, head).unwrap();
    fs::set_permissions(&foreign, fs::Permissions::from_mode(0o755)).unwrap();
    let stranger = sshd.ssh.replace("/user ", "/stranger ");
    let (full, _held) = full_listener();
    let closed = TcpListener::bind((HOST, 0)).unwrap().local_addr().unwrap().port();
    // What is said first counts.
    let at_port = |port: u16| sshd.ssh.replace(" -p ", &format!(" -o ConnectTimeout=1 -p {port} -p "));
    let (silent, closed) = (at_port(full), at_port(closed));
    let unknown = sshd.ssh.replace("/known", "/unknown");
    let text = |path: &Path| path.to_str().unwrap().to_owned();
    let cases = [
        ("no-such-host.invalid", sshd.ssh.as_str(), OWN.to_owned(), "Could not resolve hostname"),
        (HOST, &unknown, OWN.to_owned(), "Host key verification failed.`; see that `ssh "),
        (HOST, &stranger, OWN.to_owned(), "Permission denied (publickey).`; see that `ssh "),
        (HOST, &closed, OWN.to_owned(), "Connection refused`; see that `ssh "),
        (HOST, &silent, OWN.to_owned(), "timed out`; see that `ssh "),
        (
            HOST,
            &sshd.ssh,
            "no-such-harness".to_owned(),
            "install the harness on 127.0.0.1, or say with --there where it is",
        ),
        (
            HOST,
            &sshd.ssh,
            "true".to_owned(),
            "copy this harness there, or say with --there where the same one is",
        ),
        (HOST, &sshd.ssh, text(&other), "127.0.0.1 has another build of the harness"),
        (HOST, &sshd.ssh, text(&foreign), "that program is of another architecture"),
    ];
    for (host, ssh, there, expected) in cases {
        let named = ["--server-host", host, "--ssh", ssh, "--there", &there];
        let output = lap.run(&named);
        let said = stderr(&output);
        assert_eq!(output.status.code(), Some(1), "{expected}: {said}");
        assert!(said.starts_with(&format!("error: {host}")), "{expected}: {said}");
        assert!(said.contains(expected) && said.lines().count() == 1, "{expected}: {said}");
        assert!(!lap.out().exists(), "nothing was begun");
        assert_nothing_is_left(&sshd, expected);
    }
}

/// A port to which nobody connects in time: who waits there to be accepted is as many as may, and the kernel drops all others.
fn full_listener() -> (u16, (TcpListener, Vec<TcpStream>)) {
    let listener = TcpListener::bind((HOST, 0)).unwrap();
    // The standard library asks for more than a test should hold.
    rustix::net::listen(&listener, 0).unwrap();
    let address = listener.local_addr().unwrap();
    let mut held = Vec::new();
    while let Ok(stream) = TcpStream::connect_timeout(&address, Duration::from_millis(200)) {
        held.push(stream);
    }
    (address.port(), (listener, held))
}
