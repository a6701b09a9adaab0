//! What an attack is: a named function on a server that was launched for it.

use super::{failure::Seen, row::Row, server::Server};

/// One attack.
#[derive(Clone, Copy)]
pub struct Attack {
    /// What a server must do, as a sentence.
    pub name: &'static str,
    /// What the server is launched with, besides the row's own arguments.
    pub(super) arguments: &'static [&'static str],
    /// Whether the row's queue, where it has one, is to be a short one ([`Row::short_queue`]).
    pub(super) short_queue: bool,
    pub(super) run: fn(&Row, Server) -> Seen,
}

impl std::fmt::Debug for Attack {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Attack({})", self.name)
    }
}

impl Attack {
    /// Launches `row` and attacks it.
    ///
    /// # Errors
    /// [`Failure`](super::Failure); the server is killed.
    pub fn on(&self, row: &Row) -> Seen {
        let server = Server::launch(row, self.arguments, self.short_queue)?;
        (self.run)(row, server)
    }
}
