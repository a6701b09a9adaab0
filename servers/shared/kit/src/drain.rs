//! How the connections of one accept loop learn that it stops.
//!
//! In two steps. From the stop signal on their answers say that they close: each answer looks at the signal, which costs a load. And when the
//! loop has taken what was queued it wakes them, with the time from which an idle connection may wait no longer than the linger: it is
//! the same for all, however late one is polled, so that those that wait for a thread do not linger one after the other.

use std::{
    sync::{Arc, OnceLock},
    time::Instant,
};

use crate::shutdown::{Shutdown, Wait};

/// The end of one accept loop, as its connections see it.
#[derive(Debug)]
pub(crate) struct Drain {
    stopping: Shutdown,
    told: Shutdown,
    since: OnceLock<Instant>,
}

impl Drain {
    /// Of a loop that ends when `stopping` is raised, and tells its connections itself ([`Drain::tell`]).
    pub(crate) fn of_loop(stopping: Shutdown) -> Arc<Self> {
        Arc::new(Self { stopping, told: Shutdown::new(), since: OnceLock::new() })
    }

    /// Of a connection without a loop, which `stopping` itself tells.
    pub(crate) fn of_one(stopping: Shutdown) -> Arc<Self> {
        Arc::new(Self { told: stopping.clone(), stopping, since: OnceLock::new() })
    }

    /// Wakes the connections. `now` is the time of the clock that they use.
    pub(crate) fn tell(&self, now: Instant) {
        self.since.get_or_init(|| now);
        self.told.raise();
    }

    /// Whether the stop signal has come.
    pub(crate) fn is_stopping(&self) -> bool {
        self.stopping.is_raised()
    }

    /// Ends when the connections are told.
    pub(crate) fn wait(&self) -> Wait {
        self.told.wait()
    }

    /// When they were told.
    pub(crate) fn since(&self) -> Option<Instant> {
        self.since.get().copied()
    }
}
