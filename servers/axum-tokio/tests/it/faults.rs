//! What faults do to the row.

use conformance::faults::{Faulty, assert_faults};

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_the_process() {
    assert_faults(&Faulty::of(env!("CARGO_BIN_EXE_axum-tokio"), &[]));
}
