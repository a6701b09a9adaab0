//! The suite as one line of a server's own tests.

use std::path::Path;
use std::time::Duration;

use host::launch::Launch;

use crate::answers::check_answers;
use crate::options::Options;
use crate::report::{Outcome, Report};
use crate::room::{Takes, enter};
use crate::suite::run;
use crate::verdict::Level;

/// How long a server may take to accept, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Short enough for a test to wait for, long enough for a busy machine to send a head within it.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// Small enough to overstep quickly, beyond every body that a case expects to be accepted.
pub const MAX_BODY: usize = 250_000;

/// More than one, so that what only happens on another worker happens too.
const WORKERS: &str = "3";
/// Cases that wait for a timeout take as long as the timeout; the others share the machine meanwhile.
pub const PARALLEL: usize = 6;
/// Of the cases that have exceptions, this many in a hundred must pass.
const SHOULD_PERCENT: usize = 95;

/// Limits that can be shown in a test: [`HEADER_TIMEOUT`] and [`MAX_BODY`].
pub fn limits() -> Options {
    Options {
        header_timeout: Some(HEADER_TIMEOUT),
        max_body: Some(MAX_BODY),
        parallel: PARALLEL,
        ..Options::default()
    }
}

/// Launches the server `binary` on a free port with `arguments` and the limits of `options`, plays the suite against it,
/// and ends it with SIGTERM. Waits until the machine has room for it beside the attacks of this process.
///
/// Adds `--listen 127.0.0.1:0`, and `--workers` unless `arguments` say how many. Cases are played at the same time, each on
/// connections of its own, which spreads them over the workers.
///
/// # Panics
///
/// If it does not start, if it gives wrong answers after the suite, or if it does not exit with code 0.
pub fn play_launched(binary: &Path, arguments: &[&str], options: Options) -> Report {
    let _room = enter(Takes::Little);
    let mut launch = Launch::new(binary).args(["--listen", "127.0.0.1:0"]).args(arguments);
    if !arguments.contains(&"--workers") {
        launch = launch.args(["--workers", WORKERS]);
    }
    if let Some(timeout) = options.header_timeout {
        launch = launch.args(["--header-timeout", &format!("{}ms", timeout.as_millis())]);
    }
    if let Some(bytes) = options.max_body {
        launch = launch.args(["--max-body", &bytes.to_string()]);
    }
    let mut server = launch.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let ready = server.ready(PATIENCE).unwrap_or_else(|error| panic!("{}: {error}", binary.display()));

    let report = run(ready.address, &Options { origin: Some(ready.server.clone()), ..options });
    check_answers(ready.address, Some(&ready.server))
        .unwrap_or_else(|wrong| panic!("{} {arguments:?} after the suite: {wrong}", binary.display()));
    let exit = server.stop(PATIENCE).unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    assert!(exit.is_clean(), "{} {arguments:?} did not end cleanly: {exit:?}", binary.display());
    report
}

/// Plays the suite against the server `binary`, launched with `arguments`, and judges it as a controlled row.
///
/// # Panics
///
/// As [`play_launched`] does, if a case that binds everybody fails or deviates from the contract, if of those with
/// exceptions fewer than 95% pass, and on any desync: this is the body of a test.
pub fn assert_conforms(binary: &Path, arguments: &[&str]) {
    let report = play_launched(binary, arguments, limits());
    let broken: Vec<&Outcome> = report.failures(Level::Must).chain(report.warnings(Level::Must)).collect();
    assert!(broken.is_empty(), "{} does not conform:\n{report}", binary.display());

    let (passed, all) = report.passed_of(Level::Should);
    let enough = passed * 100 >= all * SHOULD_PERCENT;
    assert!(enough, "{} passes too few SHOULD cases:\n{report}", binary.display());
}
