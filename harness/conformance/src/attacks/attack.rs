//! What an attack is: a named function on a server that was launched for it.

use std::time::{Duration, Instant};

use super::{failure::Seen, row::Row, server::Server};
use crate::room::{Takes, enter};

/// One attack.
#[derive(Clone, Copy)]
pub struct Attack {
    /// What a server must do, as a sentence.
    pub name: &'static str,
    /// What the server is launched with, besides the row's own arguments.
    pub(super) arguments: &'static [&'static str],
    /// Whether the row's queue, where it has one, is to be a short one ([`Row::short_queue`]).
    pub(super) short_queue: bool,
    /// How much of the machine it takes from the attacks beside it.
    pub(super) takes: fn(&Row) -> Takes,
    pub(super) run: fn(&Row, Server) -> Seen,
}

impl std::fmt::Debug for Attack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attack({})", self.name)
    }
}

impl Attack {
    /// Launches `row` and attacks it, beside as many other attacks of this process as the machine bears: waits until there
    /// is room for one more.
    ///
    /// # Errors
    /// [`Failure`](super::Failure); the server is killed.
    pub fn on(&self, row: &Row) -> Seen {
        self.timed(row).0
    }

    /// The same with how long it took, without the wait for room.
    pub(super) fn timed(&self, row: &Row) -> (Seen, Duration) {
        let _room = enter((self.takes)(row));
        let started = Instant::now();
        let server = Server::launch(row, self.arguments, self.short_queue);
        let seen = server.and_then(|server| (self.run)(row, server));
        (seen, started.elapsed())
    }
}
