//! The users: what happens on a connection of the generator is what happens to a user, and the crowd counts it.
//!
//! A user is out at its first request without an answer; any final status is an answer. A connection that the server
//! announces to close is opened again for the user's next request; one that it closes without a word fails that
//! request, as it does in the original. The generator does the former by its policy
//! ([`load::Afterwards::ReopenIfAnnounced`]); the latter is a failure by the rules of users alone.

use std::{
    sync::{Mutex, MutexGuard, PoisonError},
    time::SystemTime,
};

use jiff::Timestamp;
use load::{End, ErrorKind, Event, WholeAnswer, Witness};

use super::{
    cause,
    report::{Report, Run},
    tally::Tally,
};

/// All users that have arrived, and what they did.
#[derive(Debug)]
pub(super) struct Crowd(Mutex<Members>);

#[derive(Debug)]
struct Members {
    path: String,
    tally: Tally,
    /// By the number of their connection.
    users: Vec<User>,
    under_way: u32,
}

#[derive(Clone, Copy, Debug)]
struct User {
    arrived_ns: u64,
    /// The request for which the connection is being opened is counted already.
    is_requesting: bool,
}

impl Crowd {
    /// Nobody yet, and nothing done to the endpoint `path`.
    pub(super) fn new(path: &str) -> Self {
        let tally = Tally::new(Timestamp::now(), path);
        Self(Mutex::new(Members { path: path.to_owned(), tally, users: Vec::new(), under_way: 0 }))
    }

    /// A period in which something happened and that was over at `at_ns`, each once and in order.
    pub(super) fn period_over(&self, at_ns: u64) -> Option<Report> {
        self.members().tally.passed(at_ns).cloned()
    }

    /// How many users have arrived, and how many of them are neither done nor out.
    pub(super) fn numbers(&self) -> (u32, u32) {
        let members = self.members();
        (u32::try_from(members.users.len()).unwrap_or(u32::MAX), members.under_way)
    }

    /// The run is over. Returns also how many of its periods [`Crowd::period_over`] has told.
    pub(super) fn conclude(&self, interrupted: bool) -> (Run, usize) {
        let mut members = self.members();
        let announced = members.tally.announced();
        let rest = Tally::new(Timestamp::now(), &members.path);
        (std::mem::replace(&mut members.tally, rest).conclude(interrupted), announced)
    }

    fn members(&self) -> MutexGuard<'_, Members> {
        // Nothing in here is left half done by a panic.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Witness for Crowd {
    fn run_starts(&self, at: SystemTime) {
        let mut members = self.members();
        let at = Timestamp::try_from(at).unwrap_or_else(|_| Timestamp::now());
        members.tally = Tally::new(at, &members.path);
    }

    fn happened(&self, connection: u32, at_ns: u64, event: Event) {
        self.members().happened(connection as usize, at_ns, event);
    }
}

impl Members {
    fn happened(&mut self, connection: usize, at_ns: u64, event: Event) {
        // They come in the order of their numbers: one engine thread opens them one by one.
        if connection == self.users.len() {
            self.users.push(User { arrived_ns: at_ns, is_requesting: false });
            self.under_way += 1;
            self.tally.arrived(at_ns);
        }
        let user = &mut self.users[connection];
        let tally = &mut self.tally;
        match event {
            // To the original a request begins with the connection that is opened for it.
            Event::Opening => {
                tally.requested(at_ns);
                user.is_requesting = true;
            }
            Event::Sent => {
                if !std::mem::take(&mut user.is_requesting) {
                    tally.requested(at_ns);
                }
            }
            Event::Answered(WholeAnswer { status, sent_ns, first_byte_ns, content_bytes, .. }) => {
                let first_byte_ns = first_byte_ns.unwrap_or(at_ns).saturating_sub(sent_ns);
                tally.answered(at_ns, status, first_byte_ns, content_bytes);
            }
            Event::OpenFailed { os_error } => tally.failed(at_ns, cause::of_os_error(os_error)),
            Event::Failed { kind, os_error } => tally.failed(at_ns, cause::of_failure(kind, os_error)),
            Event::Ended(End::Completed) => tally.completed(at_ns, at_ns.saturating_sub(user.arrived_ns)),
            Event::Ended(End::Unannounced) => {
                // Whether its next request was on the way already when the close was seen is a matter of microseconds; in
                // both cases it meets the connection's end.
                if !user.is_requesting {
                    tally.requested(at_ns);
                }
                tally.failed(at_ns, cause::of_failure(ErrorKind::ClosedEarly, None));
            }
            Event::Retired => self.under_way -= 1,
            Event::Open | Event::Ended(End::Announced | End::Failed) => {}
        }
    }
}

#[cfg(test)]
#[path = "crowd_tests.rs"]
mod tests;
