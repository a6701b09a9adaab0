//! As process 1 of a PID namespace, and under a service manager.

use std::{
    collections::HashSet,
    io::{BufRead, BufReader},
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixDatagram},
    process::Stdio,
    time::Duration,
};

use host::{processes::send, tether};
use rustix::process::Signal;

use crate::played::{Client, PATIENCE, PROGRAM, Server, eventually};

#[test]
fn as_process_1_it_reaps_orphans_and_replaces_workers() {
    let can = tether::command("unshare").args(["--pid", "--fork", "--mount-proc", "true"]).status();
    if !can.is_ok_and(|status| status.success()) {
        return println!("skipped: no PID namespace may be made here");
    }
    let mut command = tether::command("unshare");
    command.args(["--pid", "--fork", "--mount-proc", "--kill-child", PROGRAM]);
    command.args(["--listen", "127.0.0.1:0", "--workers", "2", "--control", "off"]);
    let mut server = Server::spawn(command, tempfile::tempdir().unwrap());
    // `unshare` waits for it.
    let children = |pid: u32| host::processes::descendants(pid);
    let primary = children(server.pid())[0];
    let workers: HashSet<u32> = children(primary).into_iter().collect();
    assert_eq!(workers.len(), 2);
    // Somebody whose parent ends at once is given to process 1.
    let orphan = tether::command("nsenter")
        .args(["--target", &primary.to_string(), "--pid", "--", "sh", "-c", "true & exec true"])
        .status();
    assert!(orphan.unwrap().success());
    eventually("the orphan's end", || {
        children(primary).iter().all(|pid| workers.contains(pid)).then_some(())
    });
    let victim = *workers.iter().next().unwrap();
    assert!(send(victim, Signal::KILL));
    server.until("accepts");
    assert!(server.connect().get("/simple").is_ok());
    assert!(send(primary, Signal::TERM));
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
}

#[test]
fn sockets_that_were_handed_over_are_the_ones_that_are_served() {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let script = "export LISTEN_PID=$$ LISTEN_FDS=1; exec \"$0\" \"$@\" 3<&0";
    let mut command = tether::command("sh");
    command.args(["-c", script, PROGRAM, "--workers", "2", "--control", "off"]);
    command.stdin(OwnedFd::from(socket.try_clone().unwrap()));
    let mut server = Server::spawn(command, tempfile::tempdir().unwrap());
    assert_eq!(server.address, address);
    // None was opened beside it, which SO_REUSEPORT would hide.
    let inodes = |pid: u32| -> HashSet<String> {
        let open = std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap();
        let links = open.filter_map(|entry| std::fs::read_link(entry.ok()?.path()).ok());
        links.map(|link| link.display().to_string()).filter(|link| link.starts_with("socket:")).collect()
    };
    let port = format!(":{:04X} ", address.port());
    let table = std::fs::read_to_string("/proc/net/tcp").unwrap();
    let listening = table.lines().filter(|line| line.contains(&port) && line.contains(" 0A ")).count();
    assert_eq!(listening, 1, "{table}");
    let inode = table.lines().find(|line| line.contains(&port) && line.contains(" 0A ")).unwrap();
    let inode = format!("socket:[{}]", inode.split_whitespace().nth(9).unwrap());
    for worker in server.workers() {
        assert!(inodes(worker).contains(&inode), "worker {worker} serves another socket");
    }
    for _ in 0..20 {
        assert!(Client::connect(address).get("/simple").is_ok());
    }
    server.signal(Signal::HUP);
    server.until("reloaded");
    assert!(Client::connect(address).get("/simple").is_ok());
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    // Whoever opened it has it still.
    assert_eq!(socket.local_addr().unwrap(), address);
}

/// Starts the program, with these further arguments, by a shell that hands it so many sockets.
fn with_sockets(count: usize, arguments: &[&str]) -> std::process::Command {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let all: String = (3..3 + count).map(|number| format!(" {number}<&0")).collect();
    let script = format!("export LISTEN_PID=$$ LISTEN_FDS={count}; exec \"$0\" \"$@\"{all}");
    let mut command = tether::command("sh");
    command.args(["-c", &script, PROGRAM, "--workers", "2", "--control", "off"]).args(arguments);
    command.stdin(OwnedFd::from(socket));
    command
}

#[test]
fn one_socket_that_was_handed_over_is_what_a_primary_that_hands_over_accepts_from() {
    for arguments in [crate::SHARED, crate::ROUND_ROBIN] {
        let server = Server::spawn(with_sockets(1, arguments), tempfile::tempdir().unwrap());
        for _ in 0..8 {
            assert!(server.connect().get("/simple").is_ok());
        }
        assert_eq!(server.stop().0, Some(0));
        let output = with_sockets(2, arguments).output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(1) && said.contains("2 sockets were handed over"), "{said}");
    }
}

#[test]
fn two_sockets_that_were_handed_over_are_both_served_and_more_than_workers_are_refused() {
    let sockets = [TcpListener::bind("127.0.0.1:0").unwrap(), TcpListener::bind("127.0.0.1:0").unwrap()];
    let addresses = sockets.each_ref().map(|socket| socket.local_addr().unwrap());
    let start = |workers: &str| {
        let script = "export LISTEN_PID=$$ LISTEN_FDS=2; exec \"$0\" \"$@\" 3<&0 4<&2 2>&1";
        let mut command = tether::command("sh");
        command.args(["-c", script, PROGRAM, "--workers", workers, "--control", "off"]);
        command.stdin(OwnedFd::from(sockets[0].try_clone().unwrap()));
        command.stderr(OwnedFd::from(sockets[1].try_clone().unwrap()));
        command.stdout(Stdio::piped()).spawn().unwrap()
    };
    let mut server = start("2");
    let mut lines = BufReader::new(server.stdout.take().unwrap()).lines();
    assert!(lines.by_ref().map_while(Result::ok).any(|line| line.contains("\"address\"")));
    for address in addresses {
        for _ in 0..10 {
            assert!(Client::connect(address).get("/simple").is_ok());
        }
    }
    assert!(send(server.id(), Signal::TERM));
    assert!(server.wait().unwrap().success());

    let mut server = start("1");
    let said: Vec<_> = BufReader::new(server.stdout.take().unwrap()).lines().map_while(Result::ok).collect();
    assert_eq!(server.wait().unwrap().code(), Some(1));
    assert!(said.iter().any(|line| line.contains("start at least 2 (--workers)")), "{said:?}");
}

#[test]
fn the_service_manager_hears_of_each_state() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notify");
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_read_timeout(Some(PATIENCE)).unwrap();
    let heard = |wanted: &str| {
        let mut buffer = [0; 4096];
        loop {
            let count = manager.recv(&mut buffer).unwrap_or_else(|error| panic!("{wanted}: {error}"));
            let said = String::from_utf8_lossy(&buffer[..count]).into_owned();
            if said.contains(wanted) {
                return said;
            }
        }
    };
    let mut command = tether::command(PROGRAM);
    command.args(["--listen", "127.0.0.1:0", "--workers", "1", "--control", "off"]);
    command.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "200000");
    let server = Server::spawn(command, tempfile::tempdir().unwrap());
    heard("READY=1");
    heard("WATCHDOG=1");
    server.signal(Signal::HUP);
    assert!(heard("RELOADING=1").contains("MONOTONIC_USEC="));
    heard("READY=1");
    server.signal(Signal::TERM);
    heard("STOPPING=1");
    // Workers say nothing of this kind.
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    manager.set_read_timeout(Some(Duration::from_millis(1))).unwrap();
    while let Ok(count) = manager.recv(&mut [0; 4096]) {
        assert!(count > 0);
    }
}
