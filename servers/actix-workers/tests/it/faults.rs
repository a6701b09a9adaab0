//! What faults do to the row, wherever its CPU-bound operations run.

use std::thread;

use conformance::faults::{Faulty, assert_faults};

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_the_process() {
    thread::scope(|scope| {
        for mode in ["inline", "block", "rayon"] {
            let row = Faulty::of(env!("CARGO_BIN_EXE_actix-workers"), &["--offload", mode]);
            scope.spawn(move || assert_faults(&row));
        }
    });
}
