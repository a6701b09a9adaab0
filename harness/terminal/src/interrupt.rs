//! Ctrl-C: the first asks the run to finish what it is doing, keep what it has and report; the second ends it at
//! once (the guards then end what it started).

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

use load::StopHandle;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

/// Signals so soon after the first are the same request: `timeout`, for one, signals its child and then the child's group.
const SAME_REQUEST: Duration = Duration::from_millis(300);

/// Whether the run should end early.
#[derive(Clone, Debug)]
pub struct Interrupt {
    asked: Arc<AtomicBool>,
    load: StopHandle,
}

impl Interrupt {
    /// Listens for SIGINT and SIGTERM from now on. `kept` says what becomes of what was done until then.
    ///
    /// # Errors
    /// The handlers cannot be installed.
    pub fn listen(kept: &'static str) -> std::io::Result<Self> {
        let interrupt = Self::never();
        let mut signals = Signals::new([SIGINT, SIGTERM])?;
        let told = interrupt.clone();
        thread::spawn(move || {
            let mut first: Option<Instant> = None;
            for signal in signals.forever() {
                if let Some(first) = first {
                    if first.elapsed() < SAME_REQUEST {
                        continue;
                    }
                    std::process::exit(128 + signal);
                }
                first = Some(Instant::now());
                told.asked.store(true, Ordering::SeqCst);
                anstream::eprintln!("\ninterrupted: {kept}; once more to end at once");
                told.load.stop();
            }
        });
        Ok(interrupt)
    }

    /// One that nobody asks, for tests.
    pub fn never() -> Self {
        Self { asked: Arc::default(), load: StopHandle::default() }
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
