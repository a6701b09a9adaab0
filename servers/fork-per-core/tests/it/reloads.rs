//! What a reload promises: no request is lost to it, whatever is on disk, and nobody is left behind.

use std::{
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    thread,
};

use host::tether;
use rustix::process::{Pid, Resource, Rlimit, Signal, getrlimit, prlimit};

use crate::played::{Load, PROGRAM, Server};

/// A server whose program is a file of its own.
fn deployed() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("server");
    copy(PROGRAM, &program);
    let control = folder.path().join("control.sock");
    let mut command = tether::command(&program);
    command.args(["--listen", "127.0.0.1:0", "--workers", "2", "--control"]).arg(control);
    Server::spawn(command, folder)
}

/// Puts something else in the place of the program, as deployments do: under another name first.
fn deploy(server: &Server, put: impl FnOnce(&Path)) {
    let new = server.folder.path().join("new");
    put(&new);
    fs::rename(new, server.folder.path().join("server")).unwrap();
}

fn write(path: &Path, content: &[u8], mode: u32) {
    fs::write(path, content).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
}

/// By another process: one that another test starts meanwhile would have the file open for writing too, and then it cannot be run.
fn copy(from: &str, to: &Path) {
    assert!(tether::command("cp").arg(from).arg(to).status().unwrap().success());
}

fn inode(path: impl AsRef<Path>) -> u64 {
    fs::metadata(path).unwrap().ino()
}

/// For clients that keep their connections, and such as open one for each request.
type LoadOn = fn(std::net::SocketAddr, usize) -> Load;

#[test]
fn no_request_is_lost_to_reloads_and_no_old_worker_is_left() {
    loses_nothing_to_reloads(&[], Load::on);
}

#[test]
fn no_request_is_lost_to_reloads_on_a_shared_listener() {
    loses_nothing_to_reloads(crate::SHARED, Load::churning);
}

#[test]
fn no_request_is_lost_to_reloads_where_the_primary_hands_over_in_turn() {
    loses_nothing_to_reloads(crate::ROUND_ROBIN, Load::churning);
}

#[test]
fn no_request_is_lost_to_reloads_where_the_fewest_connections_decide() {
    loses_nothing_to_reloads(crate::LEAST_CONNECTIONS, Load::churning);
}

fn loses_nothing_to_reloads(arguments: &[&str], load: LoadOn) {
    let mut server = Server::start(arguments);
    let load = load(server.address, 8);
    for _ in 0..10 {
        let old = server.workers();
        server.signal(Signal::HUP);
        server.until("reloaded");
        let now = server.workers();
        assert!(now.len() == 2 && now.iter().all(|worker| !old.contains(worker)), "{old:?} {now:?}");
        load.more(50);
    }
    // Those that come while one is under way are one more.
    let old = server.workers();
    for _ in 0..20 {
        server.signal(Signal::HUP);
    }
    server.until("reloaded");
    server.workers_become(|workers| workers.len() == 2 && workers.iter().all(|worker| !old.contains(worker)));
    assert_eq!(load.end(), Vec::<String>::new());
    let (code, log) = server.stop();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("killed") && !log.contains("cut"), "{log}");
}

#[test]
fn a_worker_that_drains_gets_no_new_connection() {
    let mut server = Server::start(&[]);
    let old = server.workers();
    // One on each worker, which will take its time.
    let mut slow = Vec::new();
    for worker in &old {
        let client = loop {
            let mut client = server.connect();
            if client.pid() == *worker {
                break client;
            }
        };
        slow.push((client, *worker));
    }
    let slow: Vec<_> =
        slow.into_iter().map(|(mut client, _)| thread::spawn(move || client.get("/delay?ms=1500"))).collect();
    crate::played::eventually("two delays under way", || {
        let metrics = server.connect().get("/metrics").unwrap();
        metrics
            .lines()
            .any(|line| line.starts_with("server_operations_in_flight{") && line.ends_with("} 2"))
            .then_some(())
    });
    server.signal(Signal::HUP);
    server.until("worker p1 accepts");
    assert_eq!(server.workers().len(), 4, "the old ones have something to do yet");
    for _ in 0..100 {
        let pid = server.connect().pid();
        assert!(!old.contains(&pid), "a worker that drains accepted a connection");
    }
    server.until("reloaded");
    for slow in slow {
        assert!(slow.join().unwrap().unwrap().contains("1500"));
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_reload_runs_what_is_on_disk_and_a_crash_what_ran_before() {
    let mut server = deployed();
    let before = inode(server.folder.path().join("server"));
    deploy(&server, |new| copy(PROGRAM, new));
    let after = inode(server.folder.path().join("server"));
    assert_ne!(before, after);
    let run = |server: &Server| -> Vec<u64> {
        server.workers().iter().map(|worker| inode(format!("/proc/{worker}/exe"))).collect()
    };
    let victim = server.workers()[0];
    assert!(host::processes::send(victim, Signal::KILL));
    server.until("worker p0 accepts");
    assert_eq!(run(&server), [before, before]);
    server.signal(Signal::HUP);
    server.until("reloaded");
    assert_eq!(run(&server), [after, after]);
    let victim = server.workers()[0];
    assert!(host::processes::send(victim, Signal::KILL));
    server.until("worker p0 accepts");
    assert_eq!(run(&server), [after, after]);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_program_that_cannot_be_run_fails_the_reload_and_nothing_else() {
    let mut server = deployed();
    let load = Load::on(server.address, 2);
    let old = server.workers();
    type Put = Box<dyn FnOnce(&Path)>;
    let cases: [(&str, Put, &str); 4] = [
        ("garbage", Box::new(|new| write(new, b"\x7fELF and then nothing", 0o755)), "could not be started"),
        (
            "a program that may not be run",
            Box::new(|new| write(new, b"#!/bin/sh\n", 0o644)),
            "Permission denied",
        ),
        ("another program", Box::new(|new| copy("/bin/true", new)), "exited with code"),
        ("a folder", Box::new(|new| fs::create_dir(new).unwrap()), "could not be started"),
    ];
    for (what, put, why) in cases {
        if what == "a folder" {
            fs::remove_file(server.folder.path().join("server")).unwrap();
        }
        deploy(&server, put);
        let (code, said) = server.command(&["reload"]);
        assert_eq!(code, Some(1), "{what}: {said}");
        assert!(said.contains("abandoned: the successor of p0") && said.contains(why), "{what}: {said}");
        assert_eq!(server.workers(), old, "{what}");
    }
    fs::remove_dir(server.folder.path().join("server")).unwrap();
    let (code, said) = server.command(&["reload"]);
    assert!(code == Some(1) && said.contains("No such file"), "nothing: {said}");
    // A crash meanwhile is replaced by what ran before.
    assert!(host::processes::send(old[0], Signal::KILL));
    server.until("worker p0 accepts");
    deploy(&server, |new| copy(PROGRAM, new));
    assert_eq!(server.command(&["reload"]), (Some(0), "reloaded\n".to_owned()));
    load.more(10);
    // What was under way on the worker that was killed.
    let failed = load.end();
    assert!(failed.len() <= 2, "{failed:?}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_primary_without_descriptors_fails_the_reload_and_goes_on() {
    let mut server = Server::start(&[]);
    let old = server.workers();
    let pid = Pid::from_raw(i32::try_from(server.pid()).unwrap());
    let open = fs::read_dir(format!("/proc/{}/fd", server.pid())).unwrap().count() as u64;
    // As the server has it.
    let maximum = getrlimit(Resource::Nofile).maximum;
    let before = prlimit(pid, Resource::Nofile, Rlimit { current: Some(open), maximum }).unwrap();
    server.signal(Signal::HUP);
    let line = server.until("the reload was abandoned");
    assert!(line.contains("Too many open files"), "{line}");
    assert_eq!(server.workers(), old);
    prlimit(pid, Resource::Nofile, before).unwrap();
    server.signal(Signal::HUP);
    server.until("reloaded");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn what_is_watched_reloads_when_it_changes() {
    let folder = tempfile::tempdir().unwrap();
    let watched = folder.path().join("watched");
    fs::write(&watched, "one").unwrap();
    let mut server = Server::start(&["--watch", watched.to_str().unwrap()]);
    let old = server.workers();
    fs::write(&watched, "two").unwrap();
    server.until("what is watched has changed");
    server.until("reloaded");
    assert!(server.workers().iter().all(|worker| !old.contains(worker)));
    assert_eq!(server.stop().0, Some(0));
}
