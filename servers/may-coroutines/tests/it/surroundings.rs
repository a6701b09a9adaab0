//! What its surroundings may do to the server: take nothing of what it says, and grant it less than it needs.

use conformance::surroundings::{Limit, Program, assert_outlives_lost_output, assert_tells_its_limits};

const SERVER: &str = env!("CARGO_BIN_EXE_may-coroutines");

#[test]
fn hyper_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(SERVER, &[]));
}

#[test]
fn hyper_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(SERVER, &[]), &Limit::ALL);
}

#[test]
fn minihttp_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(SERVER, &["--http", "minihttp"]).uncounted());
}

#[test]
fn minihttp_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(SERVER, &["--http", "minihttp"]), &Limit::ALL);
}
