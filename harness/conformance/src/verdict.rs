//! How binding a requirement is, and how it was met.

use std::fmt;

use serde::{Deserialize, Serialize};

/// How binding a requirement is (RFC 2119).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// Good, but nobody is owed it.
    May,
    /// To be met unless there is a reason, which the registry then states.
    Should,
    /// A row that fails it is not raced.
    Must,
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::May => "may",
            Self::Should => "should",
            Self::Must => "must",
        })
    }
}

/// The word that begins the detail of every desync.
pub const DESYNC: &str = "desync";

/// The judgement on one case.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    /// As required.
    Pass,
    /// Otherwise than the contract says, but safe: for example an invalid request refused with another
    /// error status.
    Warn,
    /// Not as required.
    Fail,
    /// Not judged, because the options lack what it needs.
    Skip,
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Pass => "pass",
            Self::Warn => "WARN",
            Self::Fail => "FAIL",
            Self::Skip => "skip",
        })
    }
}

/// A verdict with what led to it; empty for a pass.
pub(crate) type Finding = (Verdict, String);

/// A pass or a failure.
pub(crate) fn finding(result: Result<(), String>) -> Finding {
    match result {
        Ok(()) => (Verdict::Pass, String::new()),
        Err(detail) => (Verdict::Fail, detail),
    }
}
