//! The row must pass the suite that all rows pass.

use std::path::Path;

#[test]
fn the_server_conforms() {
    // More threads than the suite has connections at once: six cases are played at a time, some of 32 connections. What happens
    // with fewer is shown in `queue.rs`.
    conformance::assert_conforms(Path::new(env!("CARGO_BIN_EXE_thread-pool")), &["--threads", "256"]);
}
