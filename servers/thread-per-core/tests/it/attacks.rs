//! The row must withstand what clients do to servers, and lose nothing when it is stopped, with any reactor.

use conformance::attacks::{ATTACKS, Row, STOPS, assert_withstands};

fn row(io: &str) -> Row {
    Row::inline(env!("CARGO_BIN_EXE_thread-per-core"), &["--io", io])
}

#[test]
fn the_server_withstands_attacks_on_its_resources_on_io_uring() {
    assert_withstands(&row("glommio"), ATTACKS);
}

#[test]
fn the_server_withstands_attacks_on_its_resources_on_io_uring_by_compio() {
    assert_withstands(&row("compio"), ATTACKS);
}

#[test]
fn the_server_withstands_attacks_on_its_resources_on_epoll() {
    assert_withstands(&row("epoll"), ATTACKS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped_on_io_uring() {
    assert_withstands(&row("glommio"), STOPS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped_on_io_uring_by_compio() {
    assert_withstands(&row("compio"), STOPS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped_on_epoll() {
    assert_withstands(&row("epoll"), STOPS);
}
