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
pub struct StopHandle(Arc<Asked>);

/// What a run was asked for.
#[derive(Debug, Default)]
struct Asked {
    stop: AtomicBool,
    close: AtomicBool,
}

impl StopHandle {
    /// A handle that has not been used.
    pub fn new() -> Self {
        Self::default()
    }

    /// Asks the run to end. It does within 100 ms, with what it has.
    pub fn stop(&self) {
        self.0.stop.store(true, Ordering::Relaxed);
    }

    /// Asks the run to close its window now rather than at its planned end: for one whose length was not known beforehand. It does within
    /// 100 ms, and then waits for answers as at any other end; it does not count as interrupted.
    pub fn close(&self) {
        self.0.close.store(true, Ordering::Relaxed);
    }

    /// Whether the window was asked to close.
    #[inline]
    pub(crate) fn is_closing(&self) -> bool {
        self.0.close.load(Ordering::Relaxed)
    }

    /// Whether the run was asked to end.
    #[inline]
    pub fn is_stopped(&self) -> bool {
        self.0.stop.load(Ordering::Relaxed)
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
