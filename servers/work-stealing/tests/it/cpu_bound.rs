//! Operations run where `--cpu-bound` says: an answer tells which thread computed it.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    path::Path,
    time::Duration,
};

use host::launch::Launch;

const PATIENCE: Duration = Duration::from_secs(20);

/// The `worker` of the answer to `GET path`.
fn worker(address: SocketAddr, path: &str) -> String {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let after = answer.split("\"worker\":\"").nth(1).unwrap_or_else(|| panic!("{answer}"));
    after.split('"').next().unwrap().to_owned()
}

/// Who computed, by the letters of their names, in fifty turns: simple operations, CPU-bound ones.
fn kinds(arguments: &[&str]) -> [Vec<char>; 2] {
    let binary = Path::new(env!("CARGO_BIN_EXE_work-stealing"));
    let launch = Launch::new(binary).args(["--listen", "127.0.0.1:0", "--workers", "2"]).args(arguments);
    let mut server = launch.spawn().unwrap();
    let address = server.ready(PATIENCE).unwrap().address;
    let kinds = ["/simple", "/complex?iterations=300000"].map(|path| {
        let mut kinds: Vec<char> = (0..50).filter_map(|_| worker(address, path).chars().next()).collect();
        kinds.sort_unstable();
        kinds.dedup();
        kinds
    });
    assert!(server.stop(PATIENCE).unwrap().is_clean());
    kinds
}

#[test]
fn inline_they_run_on_the_workers() {
    assert_eq!(kinds(&[]), [['t'], ['t']]);
}

#[test]
fn with_spawn_blocking_the_cpu_bound_ones_leave_them() {
    assert_eq!(kinds(&["--cpu-bound", "spawn-blocking"]), [['t'], ['b']]);
}

#[test]
fn in_place_threads_of_the_blocking_pool_take_over_event_loops() {
    let [before, computing] = kinds(&["--cpu-bound", "block-in-place"]);
    assert_eq!(before, ['t'], "as long as nothing is CPU-bound there is nothing to take over");
    assert!(computing.contains(&'b'), "{computing:?}");
}
