//! What faults do to the row, wherever its CPU-bound operations run.

use conformance::faults::{Faulty, assert_faults};

const BINARY: &str = env!("CARGO_BIN_EXE_work-stealing");

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_the_process() {
    assert_faults(&Faulty::of(BINARY, &[]));
}

#[test]
fn the_same_holds_with_spawn_blocking() {
    assert_faults(&Faulty::of(BINARY, &["--cpu-bound", "spawn-blocking"]));
}

#[test]
fn the_same_holds_with_block_in_place() {
    assert_faults(&Faulty::of(BINARY, &["--cpu-bound", "block-in-place"]));
}
