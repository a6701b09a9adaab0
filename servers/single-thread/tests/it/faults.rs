//! What faults do to the row.

use conformance::faults::{Faulty, assert_faults};

fn row() -> Faulty {
    Faulty::of(env!("CARGO_BIN_EXE_single-thread"), &["--workers", "1"])
}

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_the_process() {
    assert_faults(&row());
}

#[test]
fn an_overflow_ends_the_process_also_where_the_main_threads_stack_has_no_bound() {
    assert_faults(&row().with_unlimited_stack());
}
