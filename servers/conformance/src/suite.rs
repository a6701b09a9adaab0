//! The suite as a whole.

use std::net::SocketAddr;
use std::time::Duration;

use crate::case::Case;
use crate::cases;
use crate::play::{Context, play};
use crate::report::{Outcome, Report};

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
}

impl Default for Options {
    /// Ten seconds of patience, nothing known.
    fn default() -> Self {
        Self { patience: Duration::from_secs(10), header_timeout: None, max_body: None, origin: None }
    }
}

/// Every case, in the order in which they are played.
pub fn suite() -> Vec<Case> {
    [
        cases::answers::cases(),
        cases::parameters::cases(),
        cases::methods::cases(),
        cases::described::cases(),
        cases::connections::cases(),
        cases::bodies::cases(),
        cases::refusals::cases(),
        cases::limits::cases(),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Plays every case against the server at `address`, one after the other.
pub fn run(address: SocketAddr, options: &Options) -> Report {
    run_cases(suite(), address, options)
}

/// Plays some cases against the server at `address`, one after the other.
pub fn run_cases(cases: impl IntoIterator<Item = Case>, address: SocketAddr, options: &Options) -> Report {
    let context = Context { address, options };
    let outcomes = cases
        .into_iter()
        .map(|case| {
            let (verdict, detail) = play(&case, &context);
            Outcome {
                name: case.name,
                level: case.level,
                source: case.source,
                verdict,
                detail,
                said: String::new(),
            }
        })
        .collect();
    Report { address, outcomes }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_case_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for case in suite() {
            assert!(names.insert(case.name), "{}", case.name);
        }
    }
}
