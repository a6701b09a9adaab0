//! What records hold that is no type of this crate or has another form in files than in memory, described for their schemas.
//!
//! The types themselves are the servers' as well, which have no use for schemas.

use std::borrow::Cow;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};

/// A [`CpuSet`](host::cpus::CpuSet) as files have it.
pub(crate) enum Cpus {}

impl JsonSchema for Cpus {
    fn schema_name() -> Cow<'static, str> {
        "Cpus".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "Numbers of CPUs and ranges of them, as in 0-3,6.",
            "type": "string",
            "pattern": "^([0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*)?$",
        })
    }
}

/// A [`Duration`](std::time::Duration) as `duration` writes it.
pub(crate) enum Time {}

impl JsonSchema for Time {
    fn schema_name() -> Cow<'static, str> {
        "Time".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "A duration with its unit, as in 250ms or 1.5s.",
            "type": "string",
            "pattern": r"^[0-9]+(\.[0-9]+)?(ns|us|ms|s)$",
        })
    }
}

/// A [`Usage`](host::guard::Usage) as files have it.
pub(crate) enum Life {}

impl JsonSchema for Life {
    fn schema_name() -> Cow<'static, str> {
        "Life".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        let count =
            |description: &str| json_schema!({ "description": description, "type": "integer", "minimum": 0 });
        json_schema!({
            "description": "What a tree of processes used, as the kernel accounts for it when they are waited for.",
            "type": "object",
            "properties": {
                "user_us": count("CPU time in user mode, microseconds."),
                "system_us": count("CPU time in the kernel, microseconds."),
                "peak_rss_kib": count("The largest resident set of any one process, KiB."),
                "voluntary_switches": count("Context switches because a task waited."),
                "involuntary_switches": count("Context switches because a task's time was up or a better one woke."),
            },
            "required": ["user_us", "system_us", "peak_rss_kib", "voluntary_switches", "involuntary_switches"],
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use host::guard::Usage;

    use super::*;

    #[test]
    fn what_a_life_used_is_described_field_by_field() {
        let Ok(serde_json::Value::Object(used)) = serde_json::to_value(Usage::default()) else {
            panic!("it is no object")
        };
        let schema = Life::json_schema(&mut SchemaGenerator::default()).to_value();
        let described: BTreeSet<&String> = schema["properties"].as_object().unwrap().keys().collect();
        assert_eq!(described, used.keys().collect());
    }
}
