//! What faults do to the row: they happen in a child.

use conformance::faults::{Faulty, assert_faults};

const SERVER: &str = env!("CARGO_BIN_EXE_process-offload");

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_one_child_which_is_replaced() {
    assert_faults(&Faulty::of(SERVER, &[]).replaces_executors());
}

#[test]
fn the_same_holds_with_a_child_per_request() {
    assert_faults(&Faulty::of(SERVER, &["--per-request"]).replaces_executors());
}

#[test]
fn the_same_holds_where_a_childs_stack_has_no_bound() {
    assert_faults(&Faulty::of(SERVER, &[]).replaces_executors().with_unlimited_stack());
}
