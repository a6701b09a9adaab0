//! The row must withstand what clients do to servers, and lose nothing when it is stopped, whenever its children are started.

use conformance::attacks::{ATTACKS, Row, STOPS, assert_withstands};

fn row(arguments: &[&str]) -> Row {
    let short_queue = ["--queue", "8", "--children", "1"];
    Row::offloading(env!("CARGO_BIN_EXE_process-offload"), arguments, &short_queue)
}

#[test]
fn the_server_withstands_attacks_on_its_resources() {
    assert_withstands(&row(&[]), ATTACKS);
}

#[test]
fn the_server_withstands_them_with_a_child_per_request() {
    assert_withstands(&row(&["--per-request"]), ATTACKS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped() {
    assert_withstands(&row(&[]), STOPS);
}

#[test]
fn the_server_loses_nothing_with_a_child_per_request() {
    assert_withstands(&row(&["--per-request"]), STOPS);
}
