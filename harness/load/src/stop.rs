//! Ending a run early, also while it has not begun.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Ends a run early. Clones stop the same run; it can be used from a signal thread.
#[derive(Clone, Debug, Default)]
pub struct StopHandle(Arc<AtomicBool>);

impl StopHandle {
    /// A handle that has not been used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to end. It does within 100 ms, with what it has.
    pub fn stop(&self) {
        self.0.store(true, Ordering::Relaxed);
    }

    /// Whether the run was asked to end.
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

/// Sleeps until `start`, or until stopped.
pub(crate) fn wait_for(start: Instant, stop: &StopHandle) {
    /// How soon a stop is seen.
    const NAP: Duration = Duration::from_millis(50);
    while !stop.is_stopped() {
        match start.checked_duration_since(Instant::now()) {
            Some(left) if !left.is_zero() => thread::sleep(left.min(NAP)),
            _ => return,
        }
    }
}
