//! The row must pass the suite that all rows pass, however it accepts.

use std::path::Path;

fn assert_conforms(arguments: &[&str]) {
    conformance::assert_conforms(Path::new(env!("CARGO_BIN_EXE_fork-per-core")), arguments);
}

#[test]
fn the_server_conforms() {
    assert_conforms(&[]);
}

#[test]
fn the_server_conforms_on_a_shared_listener() {
    assert_conforms(crate::SHARED);
}

#[test]
fn the_server_conforms_where_the_primary_hands_over_in_turn() {
    assert_conforms(crate::ROUND_ROBIN);
}

#[test]
fn the_server_conforms_where_the_fewest_connections_decide() {
    assert_conforms(crate::LEAST_CONNECTIONS);
}
