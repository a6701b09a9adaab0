//! What is known of a server before it is judged.

use std::time::Duration;

/// What the suite is told about the server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Options {
    /// The longest wait for any one thing that must happen.
    pub patience: Duration,
    /// The `--header-timeout` that the server was started with; without it, what depends on it is skipped.
    pub header_timeout: Option<Duration>,
    /// The `--max-body` that the server was started with, in bytes; without it, what depends on it is skipped.
    pub max_body: Option<usize>,
    /// The server's name, which its answers must carry as `origin`.
    pub origin: Option<String>,
    /// How many cases are played at the same time; at least 1.
    pub parallel: usize,
}

impl Default for Options {
    /// Ten seconds of patience, nothing known, one case after the other.
    fn default() -> Self {
        Self {
            patience: Duration::from_secs(10),
            header_timeout: None,
            max_body: None,
            origin: None,
            parallel: 1,
        }
    }
}
