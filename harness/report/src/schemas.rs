//! The form of everything that is read by other programs, as JSON schemas: a run's records, and its report as JSON.

use race::records::schemas;
use schemars::schema_for;
use serde_json::{Map, Value};

use crate::model::Report;

/// The schemas by name: `environment`, `run` and `windows` (of a line of windows.jsonl) of a run's records, and `report`, of what
/// `harness show --format json` prints.
pub fn schemas() -> Vec<(&'static str, Value)> {
    let of_report = ("report", schema_for!(Report).to_value());
    let all = schemas::schemas().into_iter().chain([of_report]);
    all.map(|(name, schema)| (name, sorted(schema))).collect()
}

/// With keys in the order of their names, whether maps keep the order in which they were made or not: that is for other packages of a
/// build to choose, and the bytes are not to depend on it.
fn sorted(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<(String, Value)> = fields.into_iter().collect();
            fields.sort_by(|(a, _), (b, _)| a.cmp(b));
            Value::Object(fields.into_iter().map(|(key, value)| (key, sorted(value))).collect::<Map<_, _>>())
        }
        Value::Array(items) => Value::Array(items.into_iter().map(sorted).collect()),
        other => other,
    }
}

#[cfg(test)]
mod tests;
