//! What clients do to servers. What axum does not withstand as shipped is not mended here: it is named, and why.

use conformance::attacks::{ATTACKS, Attack, Row, STOPS, assert_withstands};

/// What the row does not withstand.
const NOT_WITHSTOOD: &[&str] = &[];

fn withstood(attacks: &[Attack]) -> Vec<Attack> {
    attacks.iter().filter(|attack| !NOT_WITHSTOOD.contains(&attack.name)).copied().collect()
}

fn row() -> Row {
    Row::inline(env!("CARGO_BIN_EXE_axum-tokio"), &[])
}

#[test]
fn what_is_not_withstood_is_named_as_the_attacks_are() {
    let all = ATTACKS.len() + STOPS.len();
    assert_eq!(withstood(ATTACKS).len() + withstood(STOPS).len() + NOT_WITHSTOOD.len(), all);
}

#[test]
fn the_server_withstands_attacks_on_its_resources() {
    assert_withstands(&row(), &withstood(ATTACKS));
}

#[test]
fn the_server_ends_when_it_is_stopped() {
    assert_withstands(&row(), &withstood(STOPS));
}
