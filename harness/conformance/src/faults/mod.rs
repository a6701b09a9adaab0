//! What a fault does to a server, where an operation commits it (`POST /fault`, which `--faults` switches on): a panic costs the one
//! who asked a 500 and others nothing; what cannot be caught ends as much as the row declares ([`Ends`]), no more and no less.
//!
//! Judged from outside, on a server of its own for each fault: by the answers, by how its process ended, and by what becomes
//! of other clients' connections. Every wait has a deadline, far longer than what is waited for takes. The table of all rows
//! is in METHODOLOGY.md, "What a fault does to a row".

mod kinds;
mod server;

use std::{panic::resume_unwind, path::PathBuf, thread, time::Duration};

use crate::room::{Takes, enter};

/// For anything that must happen, on a machine that does much else.
const PATIENCE: Duration = Duration::from_secs(30);

/// What ends where a fault cannot be caught.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ends {
    /// The server, by a signal.
    Server,
    /// One of its worker processes: others serve on, and another takes its place.
    Worker,
    /// The process that has the operation, and serves nobody: that request is answered 500, and another process takes its place.
    Executor,
    /// The coroutine that serves the connection: it is never answered nor closed, and nobody else notices.
    Coroutine,
}

/// A server, and what faults end there.
#[derive(Clone, Debug)]
pub struct Faulty {
    binary: PathBuf,
    arguments: Vec<String>,
    /// What a shell does before it becomes the server.
    limits: &'static str,
    abort: Ends,
    overflow: Ends,
    patience: Duration,
}

impl Faulty {
    /// A server of one process, launched with `arguments` and, unless these say how many, two workers.
    pub fn of(binary: impl Into<PathBuf>, arguments: &[&str]) -> Self {
        let workers = if arguments.contains(&"--workers") { &[][..] } else { &["--workers", "2"] };
        let arguments = [arguments, workers].concat().into_iter().map(str::to_owned).collect();
        let (binary, limits, patience) = (binary.into(), "", PATIENCE);
        Self { binary, arguments, limits, abort: Ends::Server, overflow: Ends::Server, patience }
    }

    /// Gives up after another time than half a minute for each thing that must happen.
    #[must_use]
    pub fn patient_for(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }

    /// Lets the stack of the main thread grow without a bound, where the hard limit allows that.
    #[must_use]
    pub fn with_unlimited_stack(self) -> Self {
        Self { limits: "ulimit -s unlimited 2>/dev/null;", ..self }
    }

    /// Says that each worker is a process, which its primary replaces.
    #[must_use]
    pub fn replaces_workers(self) -> Self {
        Self { abort: Ends::Worker, overflow: Ends::Worker, ..self }
    }

    /// Says that operations run in processes that do nothing else, and are replaced.
    #[must_use]
    pub fn replaces_executors(self) -> Self {
        Self { abort: Ends::Executor, overflow: Ends::Executor, ..self }
    }

    /// Says that a stack that overflows is a coroutine's, which is abandoned.
    #[must_use]
    pub fn abandons_coroutines(self) -> Self {
        Self { overflow: Ends::Coroutine, ..self }
    }
}

/// Asks the row for each fault, of which it must be left as it declares: the body of a server's test.
///
/// # Panics
/// If it is not: names each fault, and says what was seen.
pub fn assert_faults(row: &Faulty) {
    let violations = violations(row);
    let (binary, arguments) = (row.binary.display(), &row.arguments);
    assert!(violations.is_empty(), "{binary} {arguments:?}:\n  {}", violations.join("\n  "));
}

/// What is not as the row declares: for each fault at most one thing, with the name of what must hold.
pub fn violations(row: &Faulty) -> Vec<String> {
    let _room = enter(Takes::Little);
    thread::scope(|scope| {
        let players: Vec<_> =
            kinds::ALL.iter().map(|kind| (kind.name, scope.spawn(|| (kind.play)(row)))).collect();
        let outcomes = players.into_iter().map(|(name, player)| {
            let outcome = player.join().unwrap_or_else(|panic| resume_unwind(panic));
            outcome.err().map(|violation| format!("{name}: {violation}"))
        });
        outcomes.flatten().collect()
    })
}
