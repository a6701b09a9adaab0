//! What this server says of its one worker, whatever is asked of it.

use std::{path::Path, process::Output, time::Duration};

use host::launch::Launch;

const BINARY: &str = env!("CARGO_BIN_EXE_single-thread");
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn it_announces_one_worker_without_being_told() {
    let mut server = Launch::new(Path::new(BINARY)).args(["--listen", "127.0.0.1:0"]).spawn().unwrap();
    let ready = server.ready(PATIENCE).unwrap();
    assert_eq!((ready.server.as_str(), ready.workers), ("single-thread", 1));
    assert!(server.stop(PATIENCE).unwrap().is_clean());
}

fn assert_is_refused(Output { status, stderr, .. }: Output) {
    let said = String::from_utf8_lossy(&stderr);
    assert_eq!(status.code(), Some(2), "{said}");
    assert!(said.contains("'--workers <N>'") && said.contains("has one worker: leave --workers"), "{said}");
}

#[test]
fn more_than_one_worker_is_a_usage_error() {
    // Were it no error, the address would be one: nobody can listen there, so that the test ends at any rate.
    let listen = ["--listen", "192.0.2.1:1"];
    for workers in ["2", "0", "many"] {
        assert_is_refused(
            host::tether::command(BINARY).args(listen).args(["--workers", workers]).output().unwrap(),
        );
    }
    assert_is_refused(
        host::tether::command(BINARY).args(listen).env("SERVER_WORKERS", "2").output().unwrap(),
    );
}
