//! Pictures as data: what is drawn, in the units of the axes, and not how.

use schemars::JsonSchema;
use serde::Serialize;

/// A picture.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct Plot {
    /// Its part of the names of files and of links.
    pub id: String,
    /// What it shows, in a few words.
    pub title: String,
    /// What is to be seen in it, for those who cannot see it.
    pub description: String,
}
