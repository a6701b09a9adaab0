//! What a run's record says of its rows' conformance.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::registry::{Deviation, Tier};

/// One row's verification, as the record of a run keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RowConformance {
    /// The row.
    pub row: String,
    /// Its tier.
    pub tier: Tier,
    /// Whether it was raced.
    pub status: Status,
    /// Cases that bind everybody.
    pub must: Score,
    /// Cases whose requirement has exceptions.
    pub should: Score,
    /// Cases that nobody is owed.
    pub may: Score,
    /// Cases that were not judged.
    pub skipped: usize,
    /// The deviations that the registry lists, which were found exactly so.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub deviations: Vec<Deviation>,
}

/// What a run knows of its rows' conformance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Conformance {
    /// Nothing: it was asked not to look.
    Unverified,
    /// The whole suite was played against each row's very binary.
    Verified {
        /// The rows, in the registry's order.
        rows: Vec<RowConformance>,
    },
}

/// Whether a row may be raced.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It keeps the contract, as its tier must.
    Holds,
    /// It does not, or could not be asked.
    Broken,
    /// It is not held to the contract, and never ranks.
    NotVerified,
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Holds => "holds",
            Self::Broken => "DOES NOT HOLD",
            Self::NotVerified => "not verified",
        })
    }
}

/// How many cases of a level pass, of those that were judged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Score {
    /// Cases that pass.
    pub passed: usize,
    /// Cases that were judged.
    pub all: usize,
}

impl fmt::Display for Score {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.passed, self.all)
    }
}
