//! The row must pass the suite that all rows pass.

use std::path::Path;

#[test]
fn the_server_conforms() {
    conformance::assert_conforms(Path::new(env!("CARGO_BIN_EXE_rayon-offload")), &[]);
}

#[test]
fn the_server_conforms_with_its_pool_in_the_idle_class() {
    conformance::assert_conforms(Path::new(env!("CARGO_BIN_EXE_rayon-offload")), &["--pool-class", "idle"]);
}
