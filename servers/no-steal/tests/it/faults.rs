//! What faults do to the row, however it chooses.

use conformance::faults::{Faulty, assert_faults};

const BINARY: &str = env!("CARGO_BIN_EXE_no-steal");

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_the_process() {
    assert_faults(&Faulty::of(BINARY, &[]));
}

#[test]
fn the_same_holds_where_the_least_loaded_is_chosen() {
    assert_faults(&Faulty::of(BINARY, crate::LEAST_LOADED));
}
