//! The suite as one line of a server's own tests.

use std::path::Path;
use std::time::Duration;

use host::launch::Launch;

use crate::options::Options;
use crate::report::Outcome;
use crate::suite::run;
use crate::verdict::Level;

/// How long a server may take to accept, and to end.
const PATIENCE: Duration = Duration::from_secs(20);
/// Short enough for a test to wait for, long enough for a busy machine to send a head within it.
pub const HEADER_TIMEOUT: Duration = Duration::from_secs(2);
/// Small enough to overstep quickly, beyond every body that a case expects to be accepted.
pub const MAX_BODY: usize = 100_000;

/// More than one, so that what only happens on another worker happens too.
const WORKERS: &str = "3";
/// Cases that wait for a timeout take as long as the timeout; the others share the machine meanwhile.
pub const PARALLEL: usize = 6;
/// Of the cases that have exceptions, this many in a hundred must pass.
const SHOULD_PERCENT: usize = 95;

/// Launches the server `binary` on a free port with `arguments`, plays the suite against it, and ends it with
/// SIGTERM.
///
/// Adds `--listen 127.0.0.1:0`, `--header-timeout` and `--max-body`, so that limits can be shown, and `--workers` unless
/// `arguments` say how many. Cases are played at the same time, each on connections of its own, which spreads them over the workers.
///
/// # Panics
///
/// If it does not start, if a case that binds everybody fails or deviates from the contract, if of those with
/// exceptions fewer than 95% pass, on any desync, or if it does not exit with code 0: this is the body of a test.
pub fn assert_conforms(binary: &Path, arguments: &[&str]) {
    let timeout = format!("{}s", HEADER_TIMEOUT.as_secs());
    let max_body = MAX_BODY.to_string();
    let limits = ["--listen", "127.0.0.1:0", "--header-timeout", &timeout, "--max-body", &max_body];
    let workers: &[&str] = if arguments.contains(&"--workers") { &[] } else { &["--workers", WORKERS] };
    let launch = Launch::new(binary).args(limits).args(workers).args(arguments);
    let mut server = launch.spawn().unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    let ready = server.ready(PATIENCE).unwrap_or_else(|error| panic!("{}: {error}", binary.display()));

    let options = Options {
        header_timeout: Some(HEADER_TIMEOUT),
        max_body: Some(MAX_BODY),
        origin: Some(ready.server),
        parallel: PARALLEL,
        ..Options::default()
    };
    let report = run(ready.address, &options);
    let broken: Vec<&Outcome> = report.failures(Level::Must).chain(report.warnings(Level::Must)).collect();
    assert!(broken.is_empty(), "{} does not conform:\n{report}", binary.display());

    let (passed, all) = report.passed_of(Level::Should);
    let enough = passed * 100 >= all * SHOULD_PERCENT;
    assert!(enough, "{} passes too few SHOULD cases:\n{report}", binary.display());

    let exit = server.stop(PATIENCE).unwrap_or_else(|error| panic!("{}: {error}", binary.display()));
    assert!(exit.is_clean(), "{} did not end cleanly: {exit:?}", binary.display());
}
