//! Which worker gets a connection, as clients see it: by the name of the worker in the answers.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use host::{
    cpus::CpuSet,
    launch::{Launch, Process},
};

const PATIENCE: Duration = Duration::from_secs(20);

fn start(arguments: &[&str]) -> (Process, SocketAddr) {
    let binary = Path::new(env!("CARGO_BIN_EXE_no-steal"));
    let mut server = Launch::new(binary).args(["--listen", "127.0.0.1:0"]).args(arguments).spawn().unwrap();
    let address = server.ready(PATIENCE).unwrap().address;
    (server, address)
}

/// A connection that was answered, and by whom.
fn connect(address: SocketAddr) -> (TcpStream, String) {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    let worker = ask(&mut stream, "/simple");
    (stream, worker)
}

fn ask(stream: &mut TcpStream, path: &str) -> String {
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    let mut answer = String::new();
    // The worker's name is in the first bytes of the body, which comes with the head.
    while !answer.contains('}') {
        let mut buffer = [0; 4096];
        let count = stream.read(&mut buffer).unwrap();
        assert!(count > 0, "{answer}");
        answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
    }
    let after = answer.split("\"worker\":\"").nth(1).unwrap_or_else(|| panic!("{answer}"));
    after.split('"').next().unwrap().to_owned()
}

/// Waits until `/metrics` says that so many operations are in flight. Asked on a connection that is there already.
fn until_in_flight(stream: &mut TcpStream, count: usize) {
    let wanted = format!("server_operations_in_flight{{server=\"no-steal\"}} {count}\n");
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
        let mut text = String::new();
        // What is waited for is on the last line.
        while !text.lines().any(|line| line.starts_with("server_operations_in_flight{"))
            || !text.ends_with('\n')
        {
            let mut buffer = [0; 16_384];
            let got = stream.read(&mut buffer).unwrap();
            assert!(got > 0, "{text}");
            text.push_str(std::str::from_utf8(&buffer[..got]).unwrap());
        }
        if text.contains(&wanted) {
            return;
        }
        assert!(std::time::Instant::now() < deadline, "{text}");
    }
}

#[test]
fn connections_go_to_the_workers_in_turn() {
    let (server, address) = start(&["--workers", "3"]);
    let given: Vec<_> = (0..7).map(|_| connect(address)).collect();
    let workers: Vec<&str> = given.iter().map(|(_, worker)| worker.as_str()).collect();
    assert_eq!(workers, ["t0", "t1", "t2", "t0", "t1", "t2", "t0"]);
    assert!(server.stop(PATIENCE).unwrap().is_clean());
}

#[test]
fn a_connection_stays_where_it_was_given() {
    let (server, address) = start(&["--workers", "2"]);
    let (mut stream, worker) = connect(address);
    for path in ["/complex?iterations=1000", "/api/randoms?count=10", "/delay?ms=1", "/simple"] {
        // The randoms say who drew them as well.
        assert_eq!(ask(&mut stream, path), worker, "{path}");
    }
    assert!(server.stop(PATIENCE).unwrap().is_clean());
}

#[test]
fn the_worker_with_operations_in_flight_gets_no_connection_where_another_has_none() {
    let (server, address) = start(&["--workers", "2", "--balance", "least-loaded"]);
    let (mut busy, worker) = connect(address);
    let (mut observer, other) = connect(address);
    assert_ne!(worker, other);
    write!(busy, "GET /delay?ms=60000 HTTP/1.1\r\nHost: test\r\n\r\n").unwrap();
    until_in_flight(&mut observer, 1);
    // However many the other one has.
    let given: Vec<_> = (0..8).map(|_| connect(address)).collect();
    assert!(given.iter().all(|(_, chosen)| *chosen == other), "{given:?}");
    // Its operation would take a minute.
    drop(server);
}

#[test]
fn of_idle_workers_the_one_with_the_fewest_connections_gets_the_next() {
    let (server, address) = start(&["--workers", "2", "--balance", "least-loaded"]);
    let mut held: Vec<_> = (0..8).map(|_| connect(address)).collect();
    let count =
        |held: &[(TcpStream, String)], name: &str| held.iter().filter(|(_, worker)| worker == name).count();
    assert_eq!((count(&held, "t0"), count(&held, "t1")), (4, 4));
    // Those of one worker leave, which it knows when their number says so.
    held.retain(|(_, worker)| worker == "t0");
    let deadline = std::time::Instant::now() + PATIENCE;
    let mut answer = String::new();
    while !answer.contains("server_connections_open{server=\"no-steal\"} 5\n") {
        assert!(std::time::Instant::now() < deadline, "{answer}");
        let mut stream = TcpStream::connect(address).unwrap();
        write!(stream, "GET /metrics HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        answer.clear();
        stream.read_to_string(&mut answer).unwrap();
    }
    let more: Vec<_> = (0..3).map(|_| connect(address)).collect();
    assert!(more.iter().all(|(_, worker)| worker == "t1"), "{more:?}");
    drop((held, more));
    assert!(server.stop(PATIENCE).unwrap().is_clean());
}

#[test]
fn pinned_workers_keep_to_a_cpu_each_and_the_acceptor_to_all() {
    let (server, _) = start(&["--workers", "2", "--pin"]);
    let all = CpuSet::allowed().unwrap();
    let mut seen = Vec::new();
    for task in std::fs::read_dir(format!("/proc/{}/task", server.pid())).unwrap() {
        let folder = task.unwrap().path();
        let name = std::fs::read_to_string(folder.join("comm")).unwrap();
        let status = std::fs::read_to_string(folder.join("status")).unwrap();
        let cpus = status.lines().find_map(|line| line.strip_prefix("Cpus_allowed_list:")).unwrap().trim();
        seen.push((name.trim().to_owned(), cpus.parse::<CpuSet>().unwrap()));
    }
    for (name, cpus) in &seen {
        let wanted = match name.strip_prefix("worker-") {
            Some(index) => [all.nth_wrapping(index.parse().unwrap())].into_iter().collect(),
            None => all.clone(),
        };
        assert_eq!(*cpus, wanted, "{name}: {seen:?}");
    }
    assert_eq!(seen.iter().filter(|(name, _)| name.starts_with("worker-")).count(), 2, "{seen:?}");
    assert!(server.stop(PATIENCE).unwrap().is_clean());
}
