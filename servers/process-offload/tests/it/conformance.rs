//! The row must pass the suite that all rows pass, whenever its children are started.

use std::path::Path;

fn assert_conforms(arguments: &[&str]) {
    conformance::assert_conforms(Path::new(env!("CARGO_BIN_EXE_process-offload")), arguments);
}

#[test]
fn the_server_conforms() {
    assert_conforms(&[]);
}

#[test]
fn the_server_conforms_with_a_child_per_request() {
    assert_conforms(&["--per-request"]);
}
