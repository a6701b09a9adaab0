//! The form of what a run leaves, as JSON schemas, for those who read records with other programs.

use schemars::schema_for;
use serde_json::Value;

use crate::records::{environment::Environment, folder::RunRecord, log::Line};

/// A schema of each file of records by its name without its extension. That of `windows` is of one line of windows.jsonl.
pub fn schemas() -> Vec<(&'static str, Value)> {
    vec![
        ("environment", schema_for!(Environment).to_value()),
        ("run", schema_for!(RunRecord).to_value()),
        ("windows", schema_for!(Line<'_>).to_value()),
    ]
}
