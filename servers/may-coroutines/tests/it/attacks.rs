//! The row on hyper must withstand what clients do to servers, and lose nothing when it is stopped.

use conformance::attacks::{ATTACKS, Row, STOPS, assert_withstands};

/// What an idle connection may cost: its coroutine keeps the pages of its stack that the deepest poll so far has touched
/// (62,772 bytes were seen, and 34,396 in a release build).
const BYTES_EACH: u64 = if cfg!(debug_assertions) { 72 << 10 } else { 40 << 10 };

fn row() -> Row {
    Row { idle_bytes_each: BYTES_EACH, ..Row::inline(env!("CARGO_BIN_EXE_may-coroutines"), &[]) }
}

#[test]
fn the_server_withstands_attacks_on_its_resources() {
    assert_withstands(&row(), ATTACKS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped() {
    assert_withstands(&row(), STOPS);
}
