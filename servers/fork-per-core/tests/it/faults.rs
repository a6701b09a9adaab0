//! What faults do to the row.

use conformance::faults::{Faulty, assert_faults};

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_one_worker_which_is_replaced() {
    assert_faults(&Faulty::of(env!("CARGO_BIN_EXE_fork-per-core"), &[]).replaces_workers());
}
