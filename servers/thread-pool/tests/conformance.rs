//! The row must pass the suite that all rows pass.

use std::path::Path;

#[test]
fn the_server_conforms() {
    // More threads than the suite keeps connections: what happens with fewer is `pool.rs`'s to test.
    conformance::assert_conforms(Path::new(env!("CARGO_BIN_EXE_thread-pool")), &["--threads", "64"]);
}
