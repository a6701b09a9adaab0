//! The row must withstand what clients do to servers, and lose nothing when it is stopped, however it accepts.

use conformance::attacks::{ATTACKS, Row, STOPS, assert_withstands};

fn row(arguments: &[&str]) -> Row {
    Row::inline(env!("CARGO_BIN_EXE_fork-per-core"), arguments)
}

#[test]
fn the_server_withstands_attacks_on_its_resources() {
    assert_withstands(&row(&[]), ATTACKS);
}

#[test]
fn the_server_withstands_them_on_a_shared_listener() {
    assert_withstands(&row(crate::SHARED), ATTACKS);
}

#[test]
fn the_server_withstands_them_where_the_primary_hands_over_in_turn() {
    assert_withstands(&row(crate::ROUND_ROBIN), ATTACKS);
}

#[test]
fn the_server_withstands_them_where_the_fewest_connections_decide() {
    assert_withstands(&row(crate::LEAST_CONNECTIONS), ATTACKS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped() {
    assert_withstands(&row(&[]), STOPS);
}

#[test]
fn the_server_loses_nothing_on_a_shared_listener() {
    assert_withstands(&row(crate::SHARED), STOPS);
}

#[test]
fn the_server_loses_nothing_where_the_primary_hands_over_in_turn() {
    assert_withstands(&row(crate::ROUND_ROBIN), STOPS);
}

#[test]
fn the_server_loses_nothing_where_the_fewest_connections_decide() {
    assert_withstands(&row(crate::LEAST_CONNECTIONS), STOPS);
}
