//! What holds of the row, whatever it deviates in: right answers, no answer to what was no request or to another's, and an orderly
//! end. Which cases it does not pass, the gate holds against the registry.

use std::{path::Path, time::Duration};

use conformance::{Outcome, check_answers, limits, play_launched};
use host::launch::Launch;
use rustix::process::{Pid, Signal, kill_process};

const SERVER: &str = env!("CARGO_BIN_EXE_axum-tokio");
const PATIENCE: Duration = Duration::from_secs(20);

#[test]
fn every_endpoint_is_answered_and_no_case_is_a_desync() {
    // Answers are checked when the suite has been played, and that the end is clean.
    let report = play_launched(Path::new(SERVER), &[], limits());
    let desyncs: Vec<&Outcome> = report.outcomes.iter().filter(|one| one.is_desync()).collect();
    assert!(desyncs.is_empty(), "{desyncs:#?}");
}

#[test]
fn both_stop_signals_drain() {
    for signal in [Signal::TERM, Signal::INT] {
        let mut server =
            Launch::new(SERVER).args(["--listen", "127.0.0.1:0", "--workers", "3"]).spawn().unwrap();
        let address = server.ready(PATIENCE).unwrap().address;
        check_answers(address, Some("axum-tokio")).unwrap();
        kill_process(Pid::from_raw(server.pid().cast_signed()).unwrap(), signal).unwrap();
        let exit = server.wait(PATIENCE).unwrap();
        assert!(exit.is_clean(), "{signal:?}: {exit:?}");
    }
}
