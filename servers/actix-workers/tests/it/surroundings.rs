//! What its surroundings may do to the server: take nothing of what it says, and grant it less than it needs.

use conformance::surroundings::{Limit, Program, assert_outlives_lost_output, assert_tells_its_limits};

const ACTIX: &str = env!("CARGO_BIN_EXE_actix-workers");

#[test]
fn inline_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(ACTIX, &["--offload", "inline"]));
}

#[test]
fn inline_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(ACTIX, &["--offload", "inline"]), &Limit::ALL);
}

#[test]
fn block_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(ACTIX, &["--offload", "block"]));
}

#[test]
fn block_says_which_limit_keeps_it_from_starting() {
    let program = Program::of(ACTIX, &["--offload", "block"]).may_refuse();
    assert_tells_its_limits(&program, &Limit::ALL);
}

#[test]
fn rayon_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(ACTIX, &["--offload", "rayon"]));
}

#[test]
fn rayon_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(ACTIX, &["--offload", "rayon"]), &Limit::ALL);
}
