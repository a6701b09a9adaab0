//! The row must withstand what clients do to servers, and lose nothing when it is stopped, wherever its CPU-bound operations
//! run.

use conformance::attacks::{ATTACKS, Cheap, Row, STOPS, assert_withstands};

const BINARY: &str = env!("CARGO_BIN_EXE_work-stealing");

fn inline() -> Row {
    Row::inline(BINARY, &[])
}

fn spawn_blocking() -> Row {
    let short_queue = ["--queue", "8", "--pool-threads", "1"];
    Row::offloading(BINARY, &["--cpu-bound", "spawn-blocking"], &short_queue)
}

fn block_in_place() -> Row {
    Row { cheap: Cheap::Shares, ..Row::inline(BINARY, &["--cpu-bound", "block-in-place"]) }
}

#[test]
fn the_server_withstands_attacks_on_its_resources() {
    assert_withstands(&inline(), ATTACKS);
}

#[test]
fn the_server_withstands_them_with_spawn_blocking() {
    assert_withstands(&spawn_blocking(), ATTACKS);
}

#[test]
fn the_server_withstands_them_with_block_in_place() {
    assert_withstands(&block_in_place(), ATTACKS);
}

#[test]
fn the_server_loses_nothing_when_it_is_stopped() {
    assert_withstands(&inline(), STOPS);
}

#[test]
fn the_server_loses_nothing_with_spawn_blocking() {
    assert_withstands(&spawn_blocking(), STOPS);
}

#[test]
fn the_server_loses_nothing_with_block_in_place() {
    assert_withstands(&block_in_place(), STOPS);
}
