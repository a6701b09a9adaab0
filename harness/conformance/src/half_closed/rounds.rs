//! A shape of requests, and what comes of its rounds.

use std::{
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use super::{
    arrival::Arrival,
    conversation::{Conversation, Fault},
};
use crate::{context::Context, verdict::Finding, verdict::finding, wire::Client};

/// How often the suite plays each shape.
pub const ROUNDS: u64 = 24;

/// The longest body that is sent, bytes: more than a socket's buffers take at once.
const LONGEST_BODY: usize = 200_000;

/// How long to wait for a port where all are in use.
const NO_PORT_PAUSE: Duration = Duration::from_millis(20);

/// What is asked before the end, and what must be answered.
#[derive(Clone, Copy)]
pub struct Shape {
    /// What a server must do, as a sentence.
    pub name: &'static str,
    pub(super) conversation: fn(&Given) -> Conversation,
}

impl std::fmt::Debug for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Shape({})", self.name)
    }
}

/// What a conversation is made for.
pub(super) struct Given {
    /// The longest body that the server takes, or [`LONGEST_BODY`].
    pub(super) body_bytes: usize,
    /// Which round it is.
    pub(super) round: u64,
}

/// What came of rounds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    /// Rounds, each a connection of its own.
    pub rounds: u64,
    /// Requests that were sent whole and must be answered.
    pub requests: u64,
    /// Of these, those without a right answer.
    pub lost: u64,
    /// Rounds in which something came that must not, or the connection did not close.
    pub wrong: u64,
    /// The first that was lost, and how.
    pub first_lost: Option<String>,
    /// The first of the others, and how.
    pub first_wrong: Option<String>,
}

impl Tally {
    /// Adds what came of others.
    pub fn add(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.requests += other.requests;
        self.lost += other.lost;
        self.wrong += other.wrong;
        self.first_lost = self.first_lost.take().or(other.first_lost);
        self.first_wrong = self.first_wrong.take().or(other.first_wrong);
    }
}

impl Shape {
    /// How many requests a round has, on average.
    pub fn requests_each(&self) -> f64 {
        let sum: usize = (0..ROUNDS).map(|round| self.given(None, round).answers.len()).sum();
        sum as f64 / ROUNDS as f64
    }

    /// Plays `rounds` (by number: the number decides how the end comes) against the server at `address`, which takes bodies of up to
    /// `max_body` bytes; waits at most `patience` for each answer.
    ///
    /// # Errors
    /// No connection is to be had.
    pub fn play(
        &self,
        address: SocketAddr,
        max_body: Option<usize>,
        patience: Duration,
        rounds: impl Iterator<Item = u64>,
    ) -> std::io::Result<Tally> {
        let mut tally = Tally::default();
        for round in rounds {
            let conversation = self.given(max_body, round);
            let mut client = connect(address, patience)?;
            tally.rounds += 1;
            tally.requests += conversation.answers.len() as u64;
            let arrival = Arrival::of(round);
            if let Err(fault) = conversation.hold(&mut client, arrival) {
                let first = match fault {
                    Fault::Lost { answered, .. } => {
                        tally.lost += (conversation.answers.len() - answered) as u64;
                        &mut tally.first_lost
                    }
                    Fault::Wrong(_) => {
                        tally.wrong += 1;
                        &mut tally.first_wrong
                    }
                };
                first.get_or_insert_with(|| fault.told(round, arrival));
            }
        }
        Ok(tally)
    }

    /// The same as a case of the suite.
    pub(crate) fn judge(&self, context: &Context<'_>) -> Finding {
        let round = |round| {
            let conversation = self.given(context.options.max_body, round);
            let arrival = Arrival::of(round);
            let held = conversation.hold(&mut context.connect()?, arrival);
            held.map_err(|fault| fault.told(round, arrival))
        };
        finding((0..ROUNDS).try_for_each(round))
    }

    fn given(&self, max_body: Option<usize>, round: u64) -> Conversation {
        let body_bytes = max_body.unwrap_or(LONGEST_BODY).min(LONGEST_BODY);
        (self.conversation)(&Given { body_bytes, round })
    }
}

/// A new connection. Where none is to be had for want of a port, one is waited for: a million connections leave more behind than
/// there are, for a second or so.
fn connect(address: SocketAddr, patience: Duration) -> std::io::Result<Client> {
    let deadline = Instant::now() + patience;
    loop {
        match Client::connect(address, patience) {
            Err(error)
                if error.kind() == std::io::ErrorKind::AddrNotAvailable && Instant::now() < deadline =>
            {
                thread::sleep(NO_PORT_PAUSE);
            }
            other => return other,
        }
    }
}
