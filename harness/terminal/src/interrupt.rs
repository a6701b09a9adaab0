//! Ctrl-C, SIGTERM, and the end of the terminal (SIGHUP): the first asks the run to finish what it is doing, keep what it has and
//! report; a second one ends it at once (the guards then end what it started).
//!
//! The stop comes before anything is said about it, and what is said holds nobody.

use std::{
    fs,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use load::StopHandle;
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::{errln, stop};

/// Signals so soon after the first are the same request: `timeout`, for one, signals its child and then the child's group.
const SAME_REQUEST: Duration = Duration::from_millis(300);

/// Whether the run should end early.
#[derive(Clone, Debug)]
pub struct Interrupt {
    asked: Arc<AtomicBool>,
    load: StopHandle,
}

impl Interrupt {
    /// Listens for SIGINT, SIGTERM and SIGHUP from now on: before files are begun, so that no signal ends the process between them
    /// and their end. `kept` says what becomes of what was done until then.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen(kept: &'static str) -> std::io::Result<Self> {
        let interrupt = Self::never();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        // `nohup` has it ignored, and whoever says so wants the run to outlive the terminal.
        if !is_ignored(SIGHUP) {
            signals.add_signal(SIGHUP)?;
        }
        let told = interrupt.clone();
        thread::Builder::new().name("signals".to_owned()).spawn(move || {
            let mut first: Option<Instant> = None;
            for signal in signals.forever() {
                match first {
                    None => {
                        first = Some(Instant::now());
                        told.ask();
                        errln!("\ninterrupted: {kept}; once more to end at once");
                    }
                    // A terminal that goes away says so more than once, and nobody insists by it.
                    Some(first) if signal == SIGHUP || first.elapsed() < SAME_REQUEST => {}
                    Some(_) => std::process::exit(128 + signal),
                }
            }
        })?;
        Ok(interrupt)
    }

    /// One that nobody asks, for tests.
    pub fn never() -> Self {
        Self { asked: Arc::default(), load: StopHandle::default() }
    }

    fn ask(&self) {
        self.asked.store(true, Ordering::SeqCst);
        self.load.stop();
        stop::ask();
    }

    /// Whether the run was asked to end.
    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// What stops the generator in the middle of a window.
    pub fn load(&self) -> &StopHandle {
        &self.load
    }
}

/// Whether this process ignores a signal: the mask of proc_pid_status(5), whose lowest bit is signal 1.
fn is_ignored(signal: i32) -> bool {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    mask >> (signal - 1) & 1 == 1
}
