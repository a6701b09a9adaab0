//! The row on may_minihttp is native: it deviates as it is listed to, but answers what it serves rightly, mistakes no body for a
//! request, and survives.

use std::{path::Path, time::Duration};

use conformance::{Options, Outcome, check_answers, limits, play_launched};
use host::launch::Launch;

const SERVER: &str = env!("CARGO_BIN_EXE_may-coroutines");
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn every_endpoint_is_answered_and_a_stop_ends_cleanly() {
    let launch =
        Launch::new(SERVER).args(["--http", "minihttp", "--listen", "127.0.0.1:0", "--workers", "3"]);
    let mut server = launch.spawn().unwrap();
    let ready = server.ready(PATIENCE).unwrap();
    check_answers(ready.address, Some("may-coroutines")).unwrap();
    let exit = server.stop(PATIENCE).unwrap();
    assert!(exit.is_clean(), "{exit:?}");
}

#[test]
fn no_case_of_the_suite_is_a_desync_and_none_ends_the_server() {
    // It knows no timeouts, so that cases about them wait for nothing: many times the timeout, and as long as there is patience.
    let options = Options {
        header_timeout: Some(Duration::from_millis(500)),
        patience: Duration::from_secs(4),
        ..limits()
    };
    let report = play_launched(Path::new(SERVER), &["--http", "minihttp"], options);
    assert!(!report.outcomes.iter().any(Outcome::is_desync), "{report}");
}
