//! What faults do to the row, whoever speaks HTTP.

use conformance::faults::{Faulty, assert_faults};

const SERVER: &str = env!("CARGO_BIN_EXE_may-coroutines");

#[test]
fn a_panic_costs_one_answer_an_overflow_one_connection_and_an_abort_the_process() {
    assert_faults(&Faulty::of(SERVER, &[]).abandons_coroutines());
}

#[test]
fn the_same_holds_with_minihttp() {
    assert_faults(&Faulty::of(SERVER, &["--http", "minihttp"]).abandons_coroutines());
}
