//! What its surroundings may do to the server: take nothing of what it says, and grant it less than it needs.

use conformance::surroundings::{Limit, Program, assert_outlives_lost_output, assert_tells_its_limits};

fn program() -> Program {
    Program::of(env!("CARGO_BIN_EXE_axum-tokio"), &[])
}

#[test]
fn the_server_outlives_its_lost_output() {
    assert_outlives_lost_output(&program());
}

#[test]
fn the_server_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&program(), &Limit::ALL);
}
