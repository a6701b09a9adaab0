//! Whether this process was asked to end: whatever waits for somebody who does not read waits no longer then.

use std::sync::atomic::{AtomicBool, Ordering};

static ASKED: AtomicBool = AtomicBool::new(false);

/// This process is to end soon.
pub(crate) fn ask() {
    ASKED.store(true, Ordering::SeqCst);
}

/// Whether it is.
pub(crate) fn is_asked() -> bool {
    ASKED.load(Ordering::SeqCst)
}
