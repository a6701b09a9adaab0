//! What holds of the row in each of its modes, whatever it deviates in: right answers, no answer to what was no request or
//! to another's, and an orderly end. Which cases it does not pass, the gate holds against the registry.

use std::time::Duration;

use conformance::{HEADER_TIMEOUT, MAX_BODY, Options, Outcome, PARALLEL, check_answers, run};
use host::launch::{Launch, Process};
use rustix::process::{Pid, Signal, kill_process};

const PATIENCE: Duration = Duration::from_secs(20);
const MODES: [&str; 3] = ["inline", "block", "rayon"];

fn launch(mode: &str) -> Process {
    let timeout = format!("{}s", HEADER_TIMEOUT.as_secs());
    Launch::new(env!("CARGO_BIN_EXE_actix-workers"))
        .args(["--listen", "127.0.0.1:0", "--workers", "3", "--offload", mode])
        .args(["--header-timeout", &timeout, "--max-body", &MAX_BODY.to_string()])
        .spawn()
        .unwrap()
}

#[test]
fn every_endpoint_is_answered_and_no_case_is_a_desync() {
    for mode in MODES {
        let mut server = launch(mode);
        let ready = server.ready(PATIENCE).unwrap();
        check_answers(ready.address, Some("actix-workers")).unwrap();
        let options = Options {
            header_timeout: Some(HEADER_TIMEOUT),
            max_body: Some(MAX_BODY),
            origin: Some(ready.server),
            parallel: PARALLEL,
            ..Options::default()
        };
        let report = run(ready.address, &options);
        let desyncs: Vec<&Outcome> = report.outcomes.iter().filter(|outcome| outcome.is_desync()).collect();
        assert!(desyncs.is_empty(), "{mode}: {desyncs:#?}");
        assert!(server.stop(PATIENCE).unwrap().is_clean(), "{mode}");
    }
}

#[test]
fn both_stop_signals_drain() {
    for mode in MODES {
        for signal in [Signal::TERM, Signal::INT] {
            let mut server = launch(mode);
            let address = server.ready(PATIENCE).unwrap().address;
            check_answers(address, None).unwrap();
            kill_process(Pid::from_raw(server.pid().cast_signed()).unwrap(), signal).unwrap();
            let exit = server.wait(PATIENCE).unwrap();
            assert!(exit.is_clean(), "{mode}, {signal:?}: {exit:?}");
        }
    }
}
