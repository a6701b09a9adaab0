//! The row on may_minihttp is native: it deviates as it is listed to, but answers what it serves rightly, mistakes no body for a
//! request, and survives.

use std::time::Duration;

use conformance::{HEADER_TIMEOUT, MAX_BODY, Options, PARALLEL, check_answers, run};
use host::launch::Launch;

const PATIENCE: Duration = Duration::from_secs(20);

fn launch() -> Launch {
    let timeout = format!("{}s", HEADER_TIMEOUT.as_secs());
    Launch::new(env!("CARGO_BIN_EXE_may-coroutines"))
        .args(["--http", "minihttp", "--listen", "127.0.0.1:0", "--workers", "3"])
        .args(["--header-timeout", &timeout, "--max-body", &MAX_BODY.to_string()])
}

#[test]
fn every_endpoint_is_answered_and_a_stop_ends_cleanly() {
    let mut server = launch().spawn().unwrap();
    let ready = server.ready(PATIENCE).unwrap();
    check_answers(ready.address, Some("may-coroutines")).unwrap();
    let exit = server.stop(PATIENCE).unwrap();
    assert!(exit.is_clean(), "{exit:?}");
}

#[test]
fn no_case_of_the_suite_is_a_desync_and_none_ends_the_server() {
    let mut server = launch().spawn().unwrap();
    let ready = server.ready(PATIENCE).unwrap();
    let options = Options {
        header_timeout: Some(HEADER_TIMEOUT),
        max_body: Some(MAX_BODY),
        origin: Some(ready.server),
        parallel: PARALLEL,
        ..Options::default()
    };
    let report = run(ready.address, &options);
    assert!(!report.outcomes.iter().any(conformance::Outcome::is_desync), "{report}");
    check_answers(ready.address, Some("may-coroutines")).unwrap();
    assert!(server.stop(PATIENCE).unwrap().is_clean());
}
