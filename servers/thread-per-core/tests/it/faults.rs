//! What faults do to the row, with any reactor.

use conformance::faults::{Faulty, assert_faults};

const SERVER: &str = env!("CARGO_BIN_EXE_thread-per-core");

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_the_process_on_io_uring() {
    assert_faults(&Faulty::of(SERVER, &["--io", "glommio"]));
}

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_the_process_on_io_uring_by_compio() {
    assert_faults(&Faulty::of(SERVER, &["--io", "compio"]));
}

#[test]
fn a_panic_costs_one_answer_and_what_cannot_be_caught_the_process_on_epoll() {
    assert_faults(&Faulty::of(SERVER, &["--io", "epoll"]));
}
