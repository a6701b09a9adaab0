//! What its surroundings may do to the server: take nothing of what it says, and grant it less than it needs.

use conformance::surroundings::{Limit, Program, assert_outlives_lost_output, assert_tells_its_limits};

const BINARY: &str = env!("CARGO_BIN_EXE_work-stealing");

#[test]
fn inline_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(BINARY, &[]));
}

#[test]
fn inline_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(BINARY, &[]), &Limit::ALL);
}

#[test]
fn spawn_blocking_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(BINARY, &["--cpu-bound", "spawn-blocking"]));
}

#[test]
fn spawn_blocking_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(BINARY, &["--cpu-bound", "spawn-blocking"]), &Limit::ALL);
}

#[test]
fn block_in_place_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(BINARY, &["--cpu-bound", "block-in-place"]));
}

#[test]
fn block_in_place_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(BINARY, &["--cpu-bound", "block-in-place"]), &Limit::ALL);
}
