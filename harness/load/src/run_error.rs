//! Why a run gave no outcome.

use rustix::io::Errno;

use crate::plan_error::PlanError;

/// Why a run gave no outcome.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The plan makes no sense.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// An engine thread could not be bound to its CPU.
    #[error("generator thread cannot be pinned to CPU {cpu}; choose among the CPUs this process may use")]
    Pin {
        /// The CPU.
        cpu: usize,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
    /// The system refused something that the generator cannot do without.
    #[error("generator cannot {action}")]
    System {
        /// What was to be done.
        action: &'static str,
        /// Why not.
        #[source]
        error: std::io::Error,
    },
    /// Another engine thread failed, and the run was given up before it started.
    #[error("generator thread was not started because another failed")]
    Abandoned,
}

impl RunError {
    pub(crate) fn system(action: &'static str) -> impl Fn(Errno) -> RunError {
        move |error| RunError::System { action, error: error.into() }
    }
}
