//! A row as far as faults go: how its server is started, and what ends where one is not caught.

use std::{path::PathBuf, time::Duration};

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
    pub(super) binary: PathBuf,
    pub(super) arguments: Vec<String>,
    /// What a shell does before it becomes the server.
    pub(super) limits: &'static str,
    pub(super) abort: Ends,
    pub(super) overflow: Ends,
    pub(super) patience: Duration,
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
