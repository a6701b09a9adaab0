//! Stop signals: the first SIGTERM or SIGINT drains, a second one ends the process at once.
//!
//! A thread of its own waits for them, so that no runtime has to know of signals.

use std::{io, thread};

use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::shutdown::Shutdown;

/// What a shell reports for a process that a signal ended: 128 plus the signal's number. A second stop signal
/// ends the process with it, so that a supervisor can tell a drain that was cut short from a clean one.
const EXIT_BY_SIGNAL: i32 = 128;

/// Starts to listen for stop signals, and returns what they raise.
///
/// # Errors
/// Whatever installing the handlers or starting the thread reports.
pub fn install() -> io::Result<Shutdown> {
    let mut signals = Signals::new([SIGTERM, SIGINT])?;
    let shutdown = Shutdown::new();
    let raised = shutdown.clone();
    thread::Builder::new().name("signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            if raised.is_raised() {
                eprintln!("a second stop signal: stopping at once, connections are cut");
                std::process::exit(EXIT_BY_SIGNAL + signal);
            }
            tracing::info!("stopping: no new connections; a second signal stops at once");
            raised.raise();
        }
    })?;
    Ok(shutdown)
}
