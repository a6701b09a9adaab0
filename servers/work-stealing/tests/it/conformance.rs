//! The row must pass the suite that all rows pass, wherever its CPU-bound operations run.

use std::path::Path;

fn assert_conforms(arguments: &[&str]) {
    conformance::assert_conforms(Path::new(env!("CARGO_BIN_EXE_work-stealing")), arguments);
}

#[test]
fn the_server_conforms() {
    assert_conforms(&[]);
}

#[test]
fn the_server_conforms_with_spawn_blocking() {
    assert_conforms(&["--cpu-bound", "spawn-blocking"]);
}

#[test]
fn the_server_conforms_with_block_in_place() {
    assert_conforms(&["--cpu-bound", "block-in-place"]);
}
