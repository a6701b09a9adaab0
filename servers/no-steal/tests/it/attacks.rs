//! The row must withstand what clients do to servers, and lose nothing when it is stopped, however it chooses.

use conformance::attacks::{ATTACKS, Row, STOPS, assert_withstands};

fn row(arguments: &[&str]) -> Row {
    Row::inline(env!("CARGO_BIN_EXE_no-steal"), arguments)
}

#[test]
fn the_server_withstands_attacks_on_its_resources() {
    assert_withstands(&row(&[]), ATTACKS);
}

#[test]
fn the_server_withstands_them_where_the_least_loaded_is_chosen() {
    assert_withstands(&row(crate::LEAST_LOADED), ATTACKS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped() {
    assert_withstands(&row(&[]), STOPS);
}

#[test]
fn the_server_loses_nothing_where_the_least_loaded_is_chosen() {
    assert_withstands(&row(crate::LEAST_LOADED), STOPS);
}
