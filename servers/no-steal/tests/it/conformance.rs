//! The row must pass the suite that all rows pass, however it chooses.

use std::path::Path;

fn assert_conforms(arguments: &[&str]) {
    conformance::assert_conforms(Path::new(env!("CARGO_BIN_EXE_no-steal")), arguments);
}

#[test]
fn the_server_conforms() {
    assert_conforms(&[]);
}

#[test]
fn the_server_conforms_where_the_least_loaded_is_chosen() {
    assert_conforms(crate::LEAST_LOADED);
}
