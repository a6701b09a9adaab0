//! What its surroundings may do to the server: take nothing of what it says, and grant it less than it needs.

use conformance::surroundings::{Limit, Program, assert_outlives_lost_output, assert_tells_its_limits};

const SERVER: &str = env!("CARGO_BIN_EXE_thread-per-core");

#[test]
fn io_uring_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(SERVER, &["--io", "glommio"]));
}

#[test]
fn io_uring_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(SERVER, &["--io", "glommio"]), &Limit::ALL);
}

#[test]
fn io_uring_by_compio_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(SERVER, &["--io", "compio"]));
}

#[test]
fn io_uring_by_compio_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(SERVER, &["--io", "compio"]), &Limit::ALL);
}

#[test]
fn epoll_outlives_its_lost_output() {
    assert_outlives_lost_output(&Program::of(SERVER, &["--io", "epoll"]));
}

#[test]
fn epoll_says_which_limit_keeps_it_from_starting() {
    assert_tells_its_limits(&Program::of(SERVER, &["--io", "epoll"]), &Limit::ALL);
}
