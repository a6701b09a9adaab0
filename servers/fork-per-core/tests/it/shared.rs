//! One listener for all workers.

use std::fs;

use crate::{
    SHARED,
    played::{Server, eventually},
};

/// <linux/eventpoll.h>
const EPOLLET: u64 = 1 << 31;
const EPOLLEXCLUSIVE: u64 = 1 << 28;

/// The inode of the one socket that listens on this port.
fn listening(port: u16) -> String {
    let table = fs::read_to_string("/proc/net/tcp").unwrap();
    let port = format!(":{port:04X} ");
    let listening: Vec<&str> =
        table.lines().filter(|line| line.contains(&port) && line.contains(" 0A ")).collect();
    let [one] = listening[..] else { panic!("{listening:?}") };
    format!("socket:[{}]", one.split_whitespace().nth(9).unwrap())
}

/// For which events the process has registered the descriptor of this socket with an epoll instance.
fn registered(pid: u32, socket: &str) -> Vec<u64> {
    let of = |entry: &fs::DirEntry| {
        fs::read_link(entry.path()).is_ok_and(|link| link.to_string_lossy() == *socket)
    };
    let entries = fs::read_dir(format!("/proc/{pid}/fd")).unwrap().filter_map(Result::ok);
    let numbers: Vec<String> =
        entries.filter(of).map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    let infos = fs::read_dir(format!("/proc/{pid}/fdinfo")).unwrap().filter_map(Result::ok);
    let infos: Vec<String> = infos.filter_map(|info| fs::read_to_string(info.path()).ok()).collect();
    let lines = infos.iter().flat_map(|info| info.lines()).filter_map(|line| line.strip_prefix("tfd:"));
    let words = lines.map(|line| line.split_whitespace().collect::<Vec<_>>());
    let own = words.filter(|words| numbers.iter().any(|number| words[0] == number) && words[1] == "events:");
    own.map(|words| u64::from_str_radix(words[2], 16).unwrap()).collect()
}

#[test]
fn every_worker_waits_for_the_one_listener_and_not_exclusively() {
    let server = Server::start(SHARED);
    let socket = listening(server.address.port());
    let workers = server.workers();
    assert_eq!(workers.len(), 2);
    for worker in workers {
        // The instance has two descriptors, and shows what is registered under each.
        let registered = registered(worker, &socket);
        assert!(!registered.is_empty(), "worker {worker} does not wait for {socket}");
        for events in registered {
            assert_eq!(events & EPOLLET, EPOLLET, "{events:x}");
            // The day that tokio says it, this row is another, and so are the words about it.
            assert_eq!(events & EPOLLEXCLUSIVE, 0, "{events:x}");
        }
    }
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_place_that_has_failed_leaves_everything_to_the_others() {
    let mut server = Server::start(&[SHARED, &["--max-crashes", "1"]].concat());
    let victim = server.workers()[0];
    assert!(host::processes::send(victim, rustix::process::Signal::KILL));
    server.until("its place has failed");
    for _ in 0..32 {
        assert!(server.connect().get("/simple").is_ok());
    }
    let pid = server.connect().pid();
    eventually("the one that is left", || (server.workers() == [pid]).then_some(()));
    // As a place has failed.
    assert_eq!(server.stop().0, Some(3));
}
