use std::{fs, path::Path};

use race::fixtures::run::write;
use regex::Regex;

use super::*;
use crate::{
    made_up::{around, experimented, raced, supervised},
    whole,
};

/// A schema, read as strictly as can be: what it does not describe is wrong. The keywords are those that this project's schemas have
/// (JSON Schema, draft 2020-12), and one that is unknown here is a failure.
struct Strict {
    root: Value,
}

impl Strict {
    fn of(name: &str) -> Self {
        let (_, root) = schemas().into_iter().find(|(own, _)| *own == name).unwrap();
        Self { root }
    }

    fn errors(&self, value: &Value) -> Vec<String> {
        self.check(&self.root, value, "")
    }

    fn check(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let Some(keywords) = schema.as_object() else { return self.by_bool(schema, at) };
        let mut errors = Vec::new();
        for (keyword, said) in keywords {
            let found = match keyword.as_str() {
                "$schema" | "$defs" | "title" | "description" | "default" | "format" => Vec::new(),
                "$ref" => self.check(self.led_to(said.as_str().unwrap()), value, at),
                "type" => holds(has_type(said, value), at, keyword, value),
                "const" => holds(said == value, at, keyword, value),
                "enum" => holds(said.as_array().unwrap().contains(value), at, keyword, value),
                "minimum" => {
                    holds(number(value).is_none_or(|it| it >= number(said).unwrap()), at, keyword, value)
                }
                "maximum" => {
                    holds(number(value).is_none_or(|it| it <= number(said).unwrap()), at, keyword, value)
                }
                "minLength" | "maxLength" => {
                    holds(length(value).is_none_or(|it| within(keyword, it, said)), at, keyword, value)
                }
                "minItems" | "maxItems" => {
                    let items = value.as_array().map(Vec::len);
                    holds(items.is_none_or(|it| within(keyword, it, said)), at, keyword, value)
                }
                "pattern" => {
                    let pattern = Regex::new(said.as_str().unwrap()).unwrap();
                    holds(value.as_str().is_none_or(|text| pattern.is_match(text)), at, keyword, value)
                }
                "items" => {
                    let items = value.as_array().into_iter().flatten().enumerate();
                    items.flat_map(|(index, item)| self.check(said, item, &format!("{at}/{index}"))).collect()
                }
                "oneOf" | "anyOf" => {
                    let ways = said.as_array().unwrap();
                    let fitting = ways.iter().filter(|way| self.check(way, value, at).is_empty()).count();
                    let is_well = if keyword == "oneOf" { fitting == 1 } else { fitting > 0 };
                    holds(is_well, at, keyword, value)
                }
                "required" => {
                    let has = |name: &&Value| value.get(name.as_str().unwrap()).is_none();
                    let lacking = said.as_array().unwrap().iter().filter(has);
                    lacking.filter(|_| value.is_object()).map(|name| format!("{at}: lacks {name}")).collect()
                }
                "properties" | "patternProperties" | "additionalProperties" => Vec::new(),
                unknown => panic!("the keyword {unknown} is not known to this test"),
            };
            errors.extend(found);
        }
        if keywords.contains_key("properties") || keywords.contains_key("additionalProperties") {
            errors.extend(self.fields(schema, value, at));
        }
        errors
    }

    fn fields(&self, schema: &Value, value: &Value, at: &str) -> Vec<String> {
        let of_field = |(name, field): (&String, &Value)| {
            let at = format!("{at}/{name}");
            let patterns = schema["patternProperties"].as_object().into_iter().flatten();
            let by_pattern = |pattern: &&String| Regex::new(pattern).unwrap().is_match(name);
            let of = schema["properties"].get(name);
            let of =
                of.or_else(|| patterns.clone().find(|(pattern, _)| by_pattern(pattern)).map(|(_, of)| of));
            match of.or_else(|| schema.get("additionalProperties")) {
                Some(of) => self.check(of, field, &at),
                None => vec![format!("{at}: is not described")],
            }
        };
        value.as_object().into_iter().flatten().flat_map(of_field).collect()
    }

    fn led_to(&self, reference: &str) -> &Value {
        self.root.pointer(reference.strip_prefix('#').unwrap()).unwrap()
    }

    fn by_bool(&self, schema: &Value, at: &str) -> Vec<String> {
        if *schema == Value::Bool(true) { Vec::new() } else { vec![format!("{at}: is not allowed")] }
    }
}

fn holds(is_well: bool, at: &str, keyword: &str, value: &Value) -> Vec<String> {
    let mut shown = value.to_string();
    shown.truncate(60);
    if is_well { Vec::new() } else { vec![format!("{at}: {keyword} does not hold for {shown}")] }
}

fn has_type(types: &Value, value: &Value) -> bool {
    let is = |name: &Value| match name.as_str().unwrap() {
        "object" => value.is_object(),
        "array" => value.is_array(),
        "string" => value.is_string(),
        "boolean" => value.is_boolean(),
        "null" => value.is_null(),
        "number" => value.is_number(),
        "integer" => value.is_u64() || value.is_i64(),
        other => panic!("no type is called {other}"),
    };
    types.as_array().map_or_else(|| is(types), |several| several.iter().any(is))
}

fn number(value: &Value) -> Option<f64> {
    value.as_f64()
}

fn length(value: &Value) -> Option<usize> {
    value.as_str().map(|text| text.chars().count())
}

fn within(keyword: &str, it: usize, bound: &Value) -> bool {
    let bound = bound.as_u64().unwrap() as usize;
    if keyword.starts_with("min") { it >= bound } else { it <= bound }
}

fn conforms(schema: &Strict, what: &str, text: &str) {
    let errors = schema.errors(&serde_json::from_str(text).unwrap());
    assert!(errors.is_empty(), "{what}: {}", errors.join("\n"));
}

/// Every record of a run's folder.
fn records_conform(folder: &Path) {
    for name in ["environment", "run"] {
        let text = fs::read_to_string(folder.join(name).with_extension("json")).unwrap();
        conforms(&Strict::of(name), name, &text);
    }
    let windows = Strict::of("windows");
    for (at, line) in (1..).zip(fs::read_to_string(folder.join("windows.jsonl")).unwrap().lines()) {
        conforms(&windows, &format!("line {at}"), line);
    }
}

#[test]
fn records_are_as_their_schemas_say() {
    let parent = tempfile::tempdir().unwrap();
    let contents =
        raced("mixed", &["work-stealing", "nginx-round-robin", "ceiling"], (6, 1), |_| around(800));
    records_conform(write(&contents, &parent.path().join("run")).unwrap().path());
    let experiments = experimented("crash", supervised(), 3, |_| {});
    records_conform(write(&experiments, &parent.path().join("experiments")).unwrap().path());
}

#[test]
fn records_of_experiments_are_as_their_schemas_say() {
    use race::plan::experiment::EventKind::{Abort, Kill, Reload};
    let parent = tempfile::tempdir().unwrap();
    let mut contents = raced("mixed", &["fork-per-core", "ceiling"], (1, 1), |_| around(800));
    for (name, kinds) in [("crash", &[Kill, Abort][..]), ("reload", &[Reload])] {
        contents.run.plan.scenarios.push(race::fixtures::run::scenario(name, 1));
        let recorded = race::fixtures::experiment::experiment(name, "fork-per-core", kinds);
        contents.measurements.experiments.push(recorded);
    }
    let folder = write(&contents, &parent.path().join("run")).unwrap();
    records_conform(folder.path());
    // And they are what was written.
    let read = folder.contents().unwrap();
    assert_eq!((read.measurements.experiments, read.damage), (contents.measurements.experiments, Vec::new()));
}

#[test]
fn published_records_are_as_their_schemas_say() {
    let results = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../results"));
    records_conform(&results.join("2026-11-27-vm"));
}

#[test]
fn a_report_is_as_its_schema_says() {
    let contents = raced("mixed", &["work-stealing", "rayon-offload", "ceiling"], (6, 2), |_| around(800));
    for contents in [contents, experimented("crash", supervised(), 3, |_| {})] {
        let text = serde_json::to_string(&whole::of(&contents)).unwrap();
        conforms(&Strict::of("report"), "report", &text);
    }
}

#[test]
fn what_is_not_as_a_schema_says_is_found() {
    let windows = Strict::of("windows");
    let line = r#"{"schema":3,"sha256":"0123456789abcdef","entry":{"complete":{"start":0}}}"#;
    conforms(&windows, "line", line);
    for (from, to) in [
        ("\"start\":0", "\"start\":\"0\""),
        ("\"start\":0", "\"start\":-1"),
        ("\"start\":0", "\"start\":0,\"more\":1"),
        ("\"start\":0", ""),
        ("0123456789abcdef", "short"),
        ("complete", "completed"),
        ("\"schema\":3,", ""),
    ] {
        let wrong: Value = serde_json::from_str(&line.replace(from, to)).unwrap();
        assert!(!windows.errors(&wrong).is_empty(), "{wrong}");
    }
    let text = include_str!("../../../../results/2026-11-27-vm/run.json");
    let wrong = text.replacen("\"window\": \"", "\"window\": \"about ", 1);
    let errors = Strict::of("run").errors(&serde_json::from_str(&wrong).unwrap());
    assert!(errors.len() == 1 && errors[0].contains("/window: pattern"), "{errors:?}");
}
