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
mod tests {
    use std::{fs, path::Path};

    use race::fixtures::run::write;

    use super::*;
    use crate::{
        made_up::{around, raced},
        whole,
    };

    /// The schema with nothing allowed beside what it describes, so that a field that it lacks is found.
    fn strict(name: &str) -> jsonschema::Validator {
        let (_, schema) = schemas().into_iter().find(|(own, _)| *own == name).unwrap();
        jsonschema::validator_for(&closed(schema)).unwrap()
    }

    fn closed(value: Value) -> Value {
        match value {
            Value::Object(fields) => {
                let is_object = fields.contains_key("properties");
                let mut fields: Map<String, Value> =
                    fields.into_iter().map(|(key, value)| (key, closed(value))).collect();
                if is_object {
                    fields.entry("additionalProperties").or_insert(Value::Bool(false));
                }
                Value::Object(fields)
            }
            Value::Array(items) => Value::Array(items.into_iter().map(closed).collect()),
            other => other,
        }
    }

    fn conforms(validator: &jsonschema::Validator, what: &str, text: &str) {
        let value: Value = serde_json::from_str(text).unwrap();
        let errors: Vec<String> =
            validator.iter_errors(&value).map(|error| format!("{}: {error}", error.instance_path())).collect();
        assert!(errors.is_empty(), "{what}: {}", errors.join("\n"));
    }

    /// Every record of a run's folder.
    fn records_conform(folder: &Path) {
        for name in ["environment", "run"] {
            let text = fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
            conforms(&strict(name), name, &text);
        }
        let windows = strict("windows");
        for (at, line) in (1..).zip(fs::read_to_string(folder.join("windows.jsonl")).unwrap().lines()) {
            conforms(&windows, &format!("line {at}"), line);
        }
    }

    #[test]
    fn records_are_as_their_schemas_say() {
        let parent = tempfile::tempdir().unwrap();
        let contents = raced("mixed", &["work-stealing", "nginx", "ceiling"], (6, 1), |_| around(800));
        records_conform(write(&contents, &parent.path().join("run")).unwrap().path());
    }

    #[test]
    fn published_records_are_as_their_schemas_say() {
        let results = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../results"));
        records_conform(&results.join("2026-11-27-vm"));
    }

    #[test]
    fn a_report_is_as_its_schema_says() {
        let contents = raced("mixed", &["work-stealing", "rayon-offload", "ceiling"], (6, 2), |_| around(800));
        let text = serde_json::to_string(&whole::of(&contents)).unwrap();
        conforms(&strict("report"), "report", &text);
    }

    #[test]
    fn what_is_not_as_a_schema_says_is_found() {
        let windows = strict("windows");
        let line = r#"{"schema":3,"sha256":"0123456789abcdef","entry":{"complete":{"start":0}}}"#;
        conforms(&windows, "line", line);
        for (from, to) in [
            ("\"start\":0", "\"start\":\"0\""),
            ("\"start\":0", "\"start\":0,\"more\":1"),
            ("0123456789abcdef", "short"),
            ("complete", "completed"),
        ] {
            let wrong: Value = serde_json::from_str(&line.replace(from, to)).unwrap();
            assert!(!windows.is_valid(&wrong), "{wrong}");
        }
        let run = strict("run");
        let text = include_str!("../../../results/2026-11-27-vm/run.json");
        let wrong = text.replacen("\"window\": \"", "\"window\": \"about ", 1);
        assert!(wrong != text && !run.is_valid(&serde_json::from_str(&wrong).unwrap()));
    }
}
