//! Stop signals: the first SIGTERM or SIGINT drains, a second one ends the process at once.
//!
//! A thread of its own waits for them, so that no runtime has to know of signals. It also keeps the drain's deadline where
//! a runtime cannot: an operation that computes on the runtime's own thread keeps that from seeing the time.

use std::{io, process, thread, time::Duration};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::shutdown::Shutdown;

/// What a shell reports for a process that a signal ended: 128 plus the signal's number. A second stop signal
/// ends the process with it, so that a supervisor can tell a drain that was cut short from a clean one.
const EXIT_BY_SIGNAL: i32 = 128;

/// How much later than its drain timeout a process ends that could not end by itself. Shorter than a supervisor's
/// patience, which is to see the end and not to cause it.
const GRACE: Duration = Duration::from_millis(500);

/// Starts to listen for stop signals, and returns what they raise.
///
/// With a `drain_timeout` the process ends, with a warning and code 0, when it still runs shortly after that much time has
/// passed since the first signal. Without one whoever waits for the shutdown keeps the deadline.
///
/// # Errors
/// Whatever installing the handlers or starting the thread reports.
pub fn install(drain_timeout: Option<Duration>) -> io::Result<Shutdown> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let shutdown = Shutdown::new();
    let raised = shutdown.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if raised.is_raised() {
                eprintln!("a second stop signal: stopping at once, connections are cut");
                process::exit(EXIT_BY_SIGNAL + signal);
            }
            tracing::info!("stopping: no new connections; a second signal stops at once");
            raised.raise();
            if let Some(timeout) = drain_timeout {
                end_after(timeout);
            }
        }
    })?;
    Ok(shutdown)
}

/// Ends the process when it has outlived its drain.
fn end_after(drain_timeout: Duration) {
    let watch = move || {
        thread::sleep(drain_timeout + GRACE);
        tracing::warn!("still running after --drain-timeout: ending, and what is not done is cut");
        process::exit(0);
    };
    if let Err(error) = thread::Builder::new().name("deadline".to_owned()).spawn(watch) {
        tracing::warn!(%error, "nobody watches --drain-timeout: an operation that computes may outlast it");
    }
}
