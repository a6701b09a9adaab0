//! The row must pass the suite that all rows pass.

use std::path::Path;

#[test]
fn the_server_conforms() {
    conformance::assert_conforms(Path::new(env!("CARGO_BIN_EXE_fork-per-core")), &[]);
}
