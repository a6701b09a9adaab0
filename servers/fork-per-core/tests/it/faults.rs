//! What faults do to the row, however it accepts.

use conformance::faults::{Faulty, assert_faults};

fn row(arguments: &[&str]) -> Faulty {
    Faulty::of(env!("CARGO_BIN_EXE_fork-per-core"), arguments).replaces_workers()
}

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_one_worker_which_is_replaced() {
    assert_faults(&row(&[]));
}

#[test]
fn the_same_holds_on_a_shared_listener() {
    assert_faults(&row(crate::SHARED));
}

#[test]
fn the_same_holds_where_the_primary_hands_over_in_turn() {
    assert_faults(&row(crate::ROUND_ROBIN));
}

#[test]
fn the_same_holds_where_the_fewest_connections_decide() {
    assert_faults(&row(crate::LEAST_CONNECTIONS));
}
