//! How an attack ends.

use std::io;

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
    pub(super) fn weak(what: impl Into<String>) -> Self {
        Self::Weak(what.into())
    }

    /// For `map_err`: doing `what` on a socket failed. A connection that is refused, reset or not taken in time is the
    /// server's doing; running out of descriptors or ports is not.
    pub(super) fn on_socket(what: &'static str) -> impl FnOnce(io::Error) -> Self {
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
    pub(super) fn unable<E: std::fmt::Display>(what: &'static str) -> impl FnOnce(E) -> Self {
        move |error| Self::Unable(format!("cannot {what}: {error}"))
    }
}

/// What was seen of a server that withstood, in words.
pub type Seen = Result<String, Failure>;
