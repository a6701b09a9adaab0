//! What faults do to the row.

use conformance::faults::{Faulty, assert_faults};

const SERVER: &str = env!("CARGO_BIN_EXE_rayon-offload");

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_the_process() {
    assert_faults(&Faulty::of(SERVER, &[]));
}

#[test]
fn the_same_holds_where_all_threads_of_the_pool_run_one_operation() {
    assert_faults(&Faulty::of(SERVER, &["--split"]));
}
