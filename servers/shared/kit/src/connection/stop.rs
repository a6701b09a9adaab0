//! When a connection without a request ends, once the server stops.
//!
//! No earlier than the linger after the stop, and after the connection's last answer: a request may be on its way. And not while bytes lie in
//! the socket. The kernel knows of them before the runtime does: what was accepted a moment ago has not been looked at
//! by any I/O driver, and a thread that computed for a second has heard of nothing meanwhile. So it is asked first.

use std::{
    pin::Pin,
    sync::Arc,
    task::Context,
    time::{Duration, Instant},
};

use super::activity::{Activity, Snapshot};
use crate::{drain::Drain, shutdown::Wait};

/// How long bytes that lie in the socket may take to be read before they are asked for again: a runtime that has not heard of them hears of
/// them the next time it looks.
const AGAIN: Duration = Duration::from_millis(5);

/// The stop of the server, as one connection sees it.
pub(super) struct Stop {
    drain: Arc<Drain>,
    /// Until the connection is told.
    wait: Wait,
    since: Option<Instant>,
    called: bool,
    /// What the connection was doing when the kernel was last asked.
    asked: Option<Snapshot>,
    not_before: Option<Instant>,
}

/// What becomes of a connection that has idled long enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Settled {
    /// The stream is to look what lies in the socket.
    Look,
    /// Nothing does: it ends.
    End,
}

impl Stop {
    pub(super) fn new(drain: Arc<Drain>) -> Self {
        let wait = drain.wait();
        Self { drain, wait, since: None, called: false, asked: None, not_before: None }
    }

    /// Whether the connection was told, or is by this.
    pub(super) fn has_come(&mut self, now: Instant, context: &mut Context<'_>) -> bool {
        if self.since.is_none() && Pin::new(&mut self.wait).poll(context).is_ready() {
            self.since = Some(self.drain.since().unwrap_or(now));
        }
        self.since.is_some()
    }

    /// When a connection that has been idle `since` then ends, if it would end `otherwise` without a stop.
    pub(super) fn end_of_idling(&self, since: Instant, linger: Duration, otherwise: Instant) -> Instant {
        let end = (self.since.map_or(since, |told| told.max(since)) + linger).min(otherwise);
        self.not_before.map_or(end, |not_before| not_before.max(end))
    }

    /// When a pipeline without end is told that it ends, if it was not.
    pub(super) fn last_call(&self, linger: Duration) -> Option<Instant> {
        self.since.filter(|_| !self.called).map(|told| told + linger)
    }

    /// It is told.
    pub(super) fn called(&mut self) {
        self.called = true;
    }

    /// Whether a connection whose idling is over, and which does what was `seen` of it, ends. To be asked again after each
    /// [`Settled::Look`].
    pub(super) fn settle(&mut self, now: Instant, seen: Snapshot, activity: &Activity) -> Settled {
        if self.asked.take() != Some(seen) {
            self.asked = Some(seen);
            return Settled::Look;
        }
        if activity.is_to_look() || activity.parting.unread_bytes() > 0 {
            self.not_before = Some(now + AGAIN);
            return Settled::Look;
        }
        Settled::End
    }
}
