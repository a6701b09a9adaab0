//! What its surroundings may do to the server: take nothing of what it says, and grant it less than it needs.

use conformance::surroundings::{Limit, Program, assert_outlives_lost_output, assert_tells_its_limits};

fn pool() -> Program {
    Program::of(env!("CARGO_BIN_EXE_process-offload"), &[])
}

/// It starts processes only when it is asked for what they are to do.
fn per_request() -> Program {
    Program::of(env!("CARGO_BIN_EXE_process-offload"), &["--per-request"]).may_refuse()
}

#[test]
fn the_server_outlives_its_lost_output() {
    assert_outlives_lost_output(&pool());
}

#[test]
fn the_server_outlives_its_lost_output_with_a_child_per_request() {
    assert_outlives_lost_output(&per_request());
}

#[test]
fn the_server_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&pool(), &Limit::ALL);
}

#[test]
fn the_server_says_which_limit_keeps_it_from_starting_with_a_child_per_request() {
    assert_tells_its_limits(&per_request(), &Limit::ALL);
}
