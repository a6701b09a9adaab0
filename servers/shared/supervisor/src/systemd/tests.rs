use std::{
    fs::File,
    net::{TcpStream, UdpSocket},
    os::unix::net::UnixListener,
    process::{Output, Stdio, exit},
};

use host::tether;
use rustix::{
    fs::{OFlags, fcntl_getfl},
    io::{FdFlags, fcntl_getfd},
    time::{ClockId, clock_gettime},
};

use super::*;

/// A service manager, and what it is told by a process that it started.
struct Manager {
    socket: UnixDatagram,
    name: OsString,
    _folder: tempfile::TempDir,
}

impl Manager {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("notify");
        Self::at(UnixDatagram::bind(&path).unwrap(), path.into_os_string(), folder)
    }

    fn at(socket: UnixDatagram, name: OsString, folder: tempfile::TempDir) -> Self {
        socket.set_nonblocking(true).unwrap();
        Self { socket, name, _folder: folder }
    }

    /// The next datagram, if there is one.
    fn heard(&self) -> Option<String> {
        let mut buffer = [0; 4096];
        let count = self.socket.recv(&mut buffer).ok()?;
        Some(String::from_utf8(buffer[..count].to_vec()).unwrap())
    }
}

#[test]
fn the_manager_hears_each_state_in_one_datagram() {
    let manager = Manager::new();
    let notify = Notify::to(&manager.name, None, Instant::now()).unwrap();
    notify.ready("2 workers serve");
    assert_eq!(manager.heard().unwrap(), "READY=1\nSTATUS=2 workers serve\n");
    let usec = || {
        let now = clock_gettime(ClockId::Monotonic);
        i128::from(now.tv_sec) * 1_000_000 + i128::from(now.tv_nsec) / 1000
    };
    let before = usec();
    notify.reloading("p0\nMAINPID=1");
    let heard = manager.heard().unwrap();
    let said: i128 = heard.split_once("MONOTONIC_USEC=").unwrap().1.trim_end().parse().unwrap();
    assert!((before..=usec()).contains(&said));
    assert_eq!(heard, format!("RELOADING=1\nSTATUS=p0 MAINPID=1\nMONOTONIC_USEC={said}\n"));
    notify.status("degraded: p1 failed");
    assert_eq!(manager.heard().unwrap(), "STATUS=degraded: p1 failed\n");
    notify.stopping("draining");
    assert_eq!(manager.heard().unwrap(), "STOPPING=1\nSTATUS=draining\n");
    assert_eq!(manager.heard(), None);
}

#[test]
fn the_watchdog_is_petted_twice_as_often_as_it_must_be() {
    let manager = Manager::new();
    let start = Instant::now();
    let mut notify = Notify::to(&manager.name, Some(Duration::from_secs(30)), start).unwrap();
    for turn in 0..3 {
        let due = notify.next_deadline().unwrap();
        assert_eq!(due, start + Duration::from_secs(15 * turn));
        notify.pass(due - Duration::from_millis(1));
        assert_eq!(manager.heard(), None);
        notify.pass(due);
        assert_eq!(manager.heard().unwrap(), "WATCHDOG=1\n");
    }
    let none = Notify::to(&manager.name, Some(Duration::ZERO), start).unwrap();
    assert_eq!(none.next_deadline(), None, "it would spin");
}

#[test]
fn an_abstract_socket_is_reached_as_well() {
    let name = format!("notify-test-{}", std::process::id());
    let bound = UnixDatagram::bind_addr(&SocketAddr::from_abstract_name(&name).unwrap()).unwrap();
    let manager = Manager::at(bound, format!("@{name}").into(), tempfile::tempdir().unwrap());
    Notify::to(&manager.name, None, Instant::now()).unwrap().ready("here");
    assert_eq!(manager.heard().unwrap(), "READY=1\nSTATUS=here\n");
}

#[test]
fn a_manager_that_does_not_read_or_has_gone_holds_up_nobody() {
    let manager = Manager::new();
    let mut notify = Notify::to(&manager.name, Some(Duration::from_secs(1)), Instant::now()).unwrap();
    let mut now = Instant::now();
    // Were one to wait, this would not return.
    for _ in 0..10_000 {
        now += Duration::from_secs(1);
        notify.pass(now);
    }
    assert!(notify.has_failed.load(Relaxed));
    while manager.heard().is_some() {}
    notify.status("heard");
    assert_eq!(manager.heard().unwrap(), "STATUS=heard\n");
    drop(manager);
    notify.status("not heard");
    let nobody = Notify::default();
    nobody.ready("nobody is there");
    assert_eq!(nobody.next_deadline(), None);
    for name in ["vsock:2:1234", "relative", "/nowhere/notify"] {
        assert!(Notify::to(&name.into(), None, Instant::now()).is_err(), "{name}");
    }
}

#[test]
fn workers_see_nothing_of_it() {
    let mut command = tether::command("env");
    for variable in VARIABLES {
        command.env(variable, "1");
    }
    hide_from(&mut command);
    let Output { stdout, .. } = command.output().unwrap();
    let seen = String::from_utf8(stdout).unwrap();
    assert!(!VARIABLES.iter().any(|variable| seen.contains(variable)), "{seen}");
}

/// Starts this test program as a service manager would, with `handed` as descriptor 3 and what the shell in between exports.
fn started(handed: impl Into<Stdio>, exports: &str) -> (Option<i32>, String) {
    let script = format!("exec 3<&0 0</dev/null; export {exports}; exec \"$0\" \"$@\"");
    let output = tether::command("sh")
        .args(["-c", &script])
        .arg(env::current_exe().unwrap())
        .args(["systemd::tests::a_process_that_was_started_so", "--exact", "--ignored", "--nocapture"])
        .stdin(handed)
        .output()
        .unwrap();
    (output.status.code(), String::from_utf8(output.stderr).unwrap())
}

#[test]
#[ignore = "other tests start it, in a process of its own"]
#[expect(clippy::disallowed_macros, reason = "another test reads it")]
fn a_process_that_was_started_so() {
    let outcome = listeners();
    match &outcome {
        Ok(listeners) => {
            for listener in listeners {
                assert!(fcntl_getfl(listener).unwrap().contains(OFlags::NONBLOCK));
                assert!(fcntl_getfd(listener).unwrap().contains(FdFlags::CLOEXEC));
                eprintln!("{}", listener.local_addr().unwrap());
            }
            assert!(super::listeners().is_ok_and(|again| again.is_empty()));
        }
        Err(error) => eprintln!("{error}"),
    }
    exit(outcome.map_or(100, |listeners| i32::try_from(listeners.len()).unwrap()));
}

const ONE: &str = "LISTEN_FDS=1 LISTEN_PID=$$";

#[test]
fn a_listener_that_is_handed_over_is_taken_once() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (taken, said) = started(OwnedFd::from(listener), ONE);
    assert_eq!((taken, said.trim()), (Some(1), address.to_string().as_str()));
}

#[test]
fn what_is_meant_for_another_process_is_left_alone() {
    for exports in
        ["LISTEN_FDS=1 LISTEN_PID=1", "LISTEN_FDS=1", "LISTEN_PID=$$", "LISTEN_FDS=0 LISTEN_PID=$$"]
    {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        assert_eq!(started(OwnedFd::from(listener), exports), (Some(0), String::new()), "{exports}");
    }
}

#[test]
fn what_is_no_listener_is_named_with_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let bound = TcpListener::bind("127.0.0.1:0").unwrap();
    let connected = TcpStream::connect(bound.local_addr().unwrap()).unwrap();
    for (handed, what) in [
        (OwnedFd::from(File::open("/dev/null").unwrap()), "no socket"),
        (UdpSocket::bind("127.0.0.1:0").unwrap().into(), "a socket for datagrams"),
        (UnixListener::bind(folder.path().join("s")).unwrap().into(), "a socket of another family"),
        (connected.into(), "a socket that does not listen"),
    ] {
        let (taken, said) = started(handed, ONE);
        assert_eq!(taken, Some(100));
        assert!(said.starts_with(&format!("LISTEN_FDS: descriptor 3 is {what}, and no listening")), "{said}");
    }
    for exports in [
        "LISTEN_FDS=2000 LISTEN_PID=$$",
        "LISTEN_FDS=-1 LISTEN_PID=$$",
        "LISTEN_FDS=4294967295 LISTEN_PID=$$",
        "LISTEN_FDS=1 LISTEN_PID=x",
    ] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let (taken, said) = started(OwnedFd::from(listener), exports);
        assert_eq!(taken, Some(100), "{exports}: {said}");
        assert!(said.starts_with("LISTEN_FDS: ") && said.contains("service manager"), "{said}");
    }
}
