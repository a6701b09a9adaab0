//! The row must withstand what clients do to servers, and lose nothing when it is stopped.

use conformance::attacks::{ATTACKS, Row, STOPS, assert_withstands};

/// More than the attacks keep connections besides the idle ones, of which a pool holds no more than it has threads.
const THREADS: usize = 256;

fn row() -> Row {
    Row::threads(env!("CARGO_BIN_EXE_thread-pool"), &["--threads", &THREADS.to_string()], THREADS)
}

#[test]
fn the_server_withstands_attacks_on_its_resources() {
    assert_withstands(&row(), ATTACKS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped() {
    assert_withstands(&row(), STOPS);
}
