//! Why an original did not start.

use kit::start::Error;

/// Why an original did not start.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Somebody else took the port between the choice and the start: worth another port.
    #[error("{0}")]
    PortLost(String),
    /// Anything else.
    #[error(transparent)]
    Final(#[from] Error),
}

impl Failure {
    pub(crate) fn of(message: impl Into<String>) -> Self {
        Self::Final(Error::Failed(message.into()))
    }

    pub(crate) fn into_error(self) -> Error {
        match self {
            Self::PortLost(message) => Error::Failed(message),
            Self::Final(error) => error,
        }
    }
}
