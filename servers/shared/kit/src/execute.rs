//! Where an operation runs: the one decision, besides where connections live, in which architectures differ.

use std::{
    future::{Future, Ready, ready},
    panic::{AssertUnwindSafe, catch_unwind},
    time::Duration,
};

use crate::worker::Worker;

/// An operation's outcome and who computed it.
#[derive(Debug)]
pub struct Done {
    /// What was computed.
    pub answer: app::Answer,
    /// The thread that computed it.
    pub worker: Worker,
}

/// Why an operation has no answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Too much work waits already (503 with Retry-After).
    #[error("too much work waits already: try again in {} s", retry_after.as_secs())]
    Busy {
        /// When to try again.
        retry_after: Duration,
    },
    /// The operation panicked, or whoever computed it is gone (500).
    #[error("the operation failed")]
    Panicked,
}

/// What becomes of an operation.
pub type Outcome = Result<Done, Refused>;

/// Runs operations somewhere.
pub trait Execute: Send + Sync + 'static {
    /// Ends when the operation did. Polled once before the connection waits for it, so what is ready at once costs
    /// neither an allocation nor a wake-up.
    type Future: Future<Output = Result<Done, Refused>> + Unpin + Send + 'static;

    /// Runs `operation`, or starts to.
    fn execute(&self, operation: app::Operation) -> Self::Future;
}

/// Runs every operation on the thread that read its request.
#[derive(Clone, Copy, Debug, Default)]
pub struct Inline;

impl Execute for Inline {
    type Future = Ready<Result<Done, Refused>>;

    fn execute(&self, operation: app::Operation) -> Self::Future {
        ready(run_here(&operation))
    }
}

/// Runs `operation` on the calling thread; a panic becomes [`Refused::Panicked`], so that it costs one answer and not
/// a connection, a worker or the process.
///
/// # Errors
/// [`Refused::Panicked`].
pub fn run_here(operation: &app::Operation) -> Result<Done, Refused> {
    guarded(|| operation.run())
}

/// As [`run_here`], for any way to come to an answer.
///
/// # Errors
/// [`Refused::Panicked`].
pub fn guarded(compute: impl FnOnce() -> app::Answer) -> Result<Done, Refused> {
    // Operations own all they touch, so nothing half-changed is seen after the unwinding.
    match catch_unwind(AssertUnwindSafe(compute)) {
        Ok(answer) => Ok(Done { answer, worker: Worker::current() }),
        Err(_) => Err(Refused::Panicked),
    }
}
