//! Attacks on a server's memory, file descriptors, CPU and patience, and stops in the middle of its work.
//!
//! Each [`Attack`] is a named function that launches a server of its own with the limits that it needs, does its worst, and
//! judges from outside: by the answers, and by what `/proc` says the server's whole process tree holds. A bound
//! is on memory and on descriptors, and every wait has a deadline ([`Row::patience`]); no speed is judged.
//!
//! What these refuse to know: how a server is built. What an architecture cannot do is declared by its [`Row`] and then
//! checked as well, so that the declaration is true.

mod server;

mod drain;
mod endless;
mod files;
mod idle;
mod operations;
mod pipelines;
mod slow;

use std::{
    io,
    panic::resume_unwind,
    path::PathBuf,
    thread,
    time::{Duration, Instant},
};

pub use idle::{Idle, IdleCost, idle_connections};

use crate::room::{Takes, enter};
use server::Server;

/// What becomes of cheap requests while CPU-bound operations occupy all workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Cheap {
    /// They are answered: operations run elsewhere, behind a bounded queue, and beyond it are refused with 503.
    Answered,
    /// They are answered, and no operation is refused: each connection has a thread, and the kernel divides the CPUs among
    /// those that compute.
    Shares,
    /// They wait for an operation to end: operations run on the thread that serves the connections.
    Waits,
}

/// A server under attack.
#[derive(Clone, Debug)]
pub struct Row {
    /// The server's program.
    pub binary: PathBuf,
    /// What it is always launched with. `--workers` among them overrules that of an attack.
    pub arguments: Vec<String>,
    /// What it does with cheap requests while it computes.
    pub cheap: Cheap,
    /// Arguments that leave room for eight waiting operations, where operations have a queue.
    pub short_queue: Vec<String>,
    /// How many connections it serves at once, where an idle one occupies what serves another: more wait until one ends.
    pub served_at_once: Option<usize>,
    /// The most that an idle connection may cost in resident memory, bytes: more where each has a stack of its own.
    pub idle_bytes_each: u64,
    /// How long each wait may last.
    pub patience: Duration,
}

impl Row {
    /// A row that runs operations on the threads that serve the connections.
    pub fn inline(binary: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        Self {
            binary: binary.into(),
            arguments: arguments.iter().map(|&argument| argument.to_owned()).collect(),
            cheap: Cheap::Waits,
            short_queue: Vec::new(),
            served_at_once: None,
            idle_bytes_each: idle::BYTES_EACH,
            patience: Duration::from_secs(30),
        }
    }

    /// A row that serves `threads` connections at once, each on a thread that also runs its operations.
    pub fn threads(binary: impl Into<PathBuf>, arguments: &[&str], threads: usize) -> Self {
        Self {
            cheap: Cheap::Shares,
            served_at_once: Some(threads),
            idle_bytes_each: idle::BYTES_EACH_WITH_THREAD,
            ..Self::inline(binary, arguments)
        }
    }

    /// A row that offloads operations; `short_queue` is how to launch it with room for eight that wait.
    pub fn offloading(binary: impl Into<PathBuf>, arguments: &[&str], short_queue: &[&str]) -> Self {
        let short_queue = short_queue.iter().map(|&argument| argument.to_owned()).collect();
        Self { cheap: Cheap::Answered, short_queue, ..Self::inline(binary, arguments) }
    }
}

/// Why an attack did not end as it should.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The server gave way.
    #[error("{0}")]
    Weak(String),
    /// The attack could not be carried out: nothing is known of the server.
    #[error("the attack could not be carried out: {0}")]
    Unable(String),
}

impl Failure {
    fn weak(what: impl Into<String>) -> Self {
        Self::Weak(what.into())
    }

    /// For `map_err`: doing `what` on a socket failed. A connection that is refused, reset or not taken in time is the
    /// server's doing; running out of descriptors or ports is not.
    fn on_socket(what: &'static str) -> impl FnOnce(io::Error) -> Self {
        use io::ErrorKind::{
            BrokenPipe, ConnectionAborted, ConnectionRefused, ConnectionReset, TimedOut, WouldBlock,
        };
        move |error| match error.kind() {
            BrokenPipe | ConnectionAborted | ConnectionRefused | ConnectionReset | TimedOut | WouldBlock => {
                Self::Weak(format!("cannot {what}: {error}"))
            }
            _ => Self::Unable(format!("cannot {what}: {error}")),
        }
    }

    /// For `map_err`: this side of the attack failed in doing `what`.
    fn unable<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Unable(format!("cannot {what}: {error}"))
    }
}

/// What was seen of a server that withstood, in words.
pub type Seen = Result<String, Failure>;

/// One attack.
#[derive(Clone, Copy)]
pub struct Attack {
    /// What a server must do, as a sentence.
    pub name: &'static str,
    /// What the server is launched with, besides the row's own arguments.
    arguments: &'static [&'static str],
    /// Whether the row's queue, where it has one, is to be a short one ([`Row::short_queue`]).
    short_queue: bool,
    /// How much of the machine it takes from the attacks beside it.
    takes: fn(&Row) -> Takes,
    run: fn(&Row, Server) -> Seen,
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
    /// [`Failure`]; the server is killed.
    pub fn on(&self, row: &Row) -> Seen {
        self.timed(row).0
    }

    /// The same with how long it took, without the wait for room.
    fn timed(&self, row: &Row) -> (Seen, Duration) {
        let _room = enter((self.takes)(row));
        let started = Instant::now();
        let server = Server::launch(row, self.arguments, self.short_queue);
        let seen = server.and_then(|server| (self.run)(row, server));
        (seen, started.elapsed())
    }
}

/// The attacks on what a server holds.
pub const ATTACKS: &[Attack] = &[
    slow::HEADS,
    slow::BODIES,
    slow::READERS,
    idle::CONNECTIONS,
    files::FLOOD,
    files::STARVATION,
    endless::MESSAGES,
    operations::GREEDY,
    operations::ABANDONED,
    pipelines::FLOOD,
];

/// The stops in the middle of work.
pub const STOPS: &[Attack] = &[
    drain::UNDER_LOAD,
    drain::BACKLOG,
    drain::CLOSES,
    drain::DEADLINE,
    drain::COMPUTING,
    drain::SECOND_SIGNAL,
];

/// Carries out `attacks`, at the same time as far as the machine bears it: the body of a server's test.
///
/// # Panics
/// If one of them fails: names each that did, and says why.
pub fn assert_withstands(row: &Row, attacks: &[Attack]) {
    let outcomes: Vec<(Seen, Duration)> = thread::scope(|scope| {
        let attackers: Vec<_> = attacks.iter().map(|attack| scope.spawn(move || attack.timed(row))).collect();
        let joined = attackers.into_iter().map(|attacker| attacker.join());
        joined.map(|outcome| outcome.unwrap_or_else(|panic| resume_unwind(panic))).collect()
    });
    let mut failures = String::new();
    for (attack, (seen, took)) in attacks.iter().zip(outcomes) {
        match seen {
            Ok(seen) => println!("ok    {} ({took:.1?}): {seen}", attack.name),
            Err(failure) => {
                println!("FAIL  {} ({took:.1?}): {failure}", attack.name);
                failures.push_str(&format!("\n  {}: {failure}", attack.name));
            }
        }
    }
    assert!(failures.is_empty(), "{} {:?}:{failures}", row.binary.display(), row.arguments);
}
