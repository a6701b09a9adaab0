//! The row must withstand what clients do to servers, and lose nothing when it is stopped.

use conformance::attacks::{ATTACKS, Row, STOPS, assert_withstands};

fn row() -> Row {
    Row::inline(env!("CARGO_BIN_EXE_fork-per-core"), &[])
}

#[test]
fn the_server_withstands_attacks_on_its_resources() {
    assert_withstands(&row(), ATTACKS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped() {
    assert_withstands(&row(), STOPS);
}
