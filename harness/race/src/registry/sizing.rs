//! How many workers a row has, and how it is told.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// How a row is told how many workers it has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sizing {
    /// By these further arguments, in which `{workers}` is the number.
    Args(Vec<String>),
    /// It is not, for this reason.
    None(String),
}

/// What a row is a variant of.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Variant {
    /// The row.
    pub of: String,
    /// How many workers this one is told to have.
    pub workers: usize,
}

impl Sizing {
    /// What is wrong with it.
    pub(super) fn check(&self) -> Result<(), String> {
        match self {
            Self::Args(args) if !args.iter().any(|arg| arg.contains("{workers}")) => Err(
                "its number of workers is in none of its arguments, as in sized = { args = [\"--workers\", \"{workers}\"] }"
                    .to_owned(),
            ),
            Self::None(reason) if reason.trim().is_empty() => {
                Err("its number of workers is fixed and it does not say why, as in sized = { none = \"one event loop\" }"
                    .to_owned())
            }
            Self::Args(_) | Self::None(_) => Ok(()),
        }
    }
}
