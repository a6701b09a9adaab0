//! Starts the originals that are not this project's code, and speaks for them.
//!
//! nginx and PM2 know no ready line, choose no free port and leave processes behind. The launcher gives them a folder of
//! their own and a port, waits until they answer, prints the ready line in their name, and ends all of it
//! with a stop signal or with itself. It is not what is measured: it sleeps while they serve.
//!
//! What it refuses to know: HTTP beyond the question whether something answers, and measurements.

pub mod nginx;
mod parts;
pub mod pm2;
pub mod proxy;
pub mod tied;

mod answering;
mod port;
mod run_folder;

use std::time::Duration;

use kit::start::Error;

/// How long one program may take until it accepts: Node on a busy machine takes seconds.
const START_WITHIN: Duration = Duration::from_secs(30);

/// Why an original did not start.
#[derive(Debug, thiserror::Error)]
enum Failure {
    /// Somebody else took the port between the choice and the start: worth another port.
    #[error("{0}")]
    PortLost(String),
    /// Anything else.
    #[error(transparent)]
    Final(#[from] Error),
}

impl Failure {
    fn of(message: impl Into<String>) -> Self {
        Self::Final(Error::Failed(message.into()))
    }

    fn into_error(self) -> Error {
        match self {
            Self::PortLost(message) => Error::Failed(message),
            Self::Final(error) => error,
        }
    }
}
