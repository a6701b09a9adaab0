//! The few numbers that an engine thread shows while it runs. It writes them now and then, without ordering or
//! locks; the outcome is never made from them.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One engine thread's board. On cache lines of its own, so that a reader does not slow a writer's neighbour.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Board {
    ok: AtomicU64,
    errors: AtomicU64,
    in_flight: AtomicU64,
    queued: AtomicU64,
}

/// What all boards show together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) ok: u64,
    pub(crate) errors: u64,
    pub(crate) in_flight: u64,
    pub(crate) queued: u64,
}

impl Board {
    pub(crate) fn show(&self, shown: Shown) {
        self.ok.store(shown.ok, Relaxed);
        self.errors.store(shown.errors, Relaxed);
        self.in_flight.store(shown.in_flight, Relaxed);
        self.queued.store(shown.queued, Relaxed);
    }

    pub(crate) fn sum(boards: &[Board]) -> Shown {
        boards.iter().fold(Shown::default(), |sum, board| Shown {
            ok: sum.ok + board.ok.load(Relaxed),
            errors: sum.errors + board.errors.load(Relaxed),
            in_flight: sum.in_flight + board.in_flight.load(Relaxed),
            queued: sum.queued + board.queued.load(Relaxed),
        })
    }
}
