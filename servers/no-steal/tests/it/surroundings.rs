//! What its surroundings may do to the server: take nothing of what it says, and grant it less than it needs.

use conformance::surroundings::{Limit, Program, assert_outlives_lost_output, assert_tells_its_limits};

const BINARY: &str = env!("CARGO_BIN_EXE_no-steal");

#[test]
fn the_server_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(BINARY, &[]));
}

#[test]
fn the_server_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(BINARY, &[]), &Limit::ALL);
}

#[test]
fn pinned_and_least_loaded_it_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(BINARY, crate::LEAST_LOADED));
}

#[test]
fn pinned_and_least_loaded_it_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(BINARY, crate::LEAST_LOADED), &Limit::ALL);
}
