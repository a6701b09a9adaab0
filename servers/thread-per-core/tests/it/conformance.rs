//! The row must pass the suite that all rows pass, with any reactor.

use std::path::Path;

const SERVER: &str = env!("CARGO_BIN_EXE_thread-per-core");

#[test]
fn the_server_conforms_on_io_uring() {
    conformance::assert_conforms(Path::new(SERVER), &["--io", "glommio"]);
}

#[test]
fn the_server_conforms_on_io_uring_by_compio() {
    conformance::assert_conforms(Path::new(SERVER), &["--io", "compio"]);
}

#[test]
fn the_server_conforms_on_epoll() {
    conformance::assert_conforms(Path::new(SERVER), &["--io", "epoll"]);
}
