//! openapi.yaml against the table of endpoints and against real answers, in both directions: nothing that is served may
//! be missing from it, and nothing may be in it that is not served.
//!
//! The comparison is a function from a document to its disagreements, so that it can be shown to see them: the last test
//! spoils the document in one place after another.

use std::collections::BTreeSet;

use app::{Endpoint, Request};
use serde_json::{Value, json};

/// The statuses by which any request may be refused before it is routed.
const REFUSALS: [u16; 6] = [400, 408, 413, 414, 417, 431];

fn document() -> Value {
    serde_saphyr::from_str(app::OPENAPI).expect("openapi.yaml is YAML")
}

/// Where the document and the application disagree.
#[derive(Default)]
struct Disagreements(Vec<String>);

impl Disagreements {
    fn expect<T: PartialEq + std::fmt::Debug>(&mut self, place: &str, found: T, right: T) {
        if found != right {
            self.0.push(format!("{place}: {found:?} is described, {right:?} is served"));
        }
    }
}

fn disagreements(document: &Value) -> Vec<String> {
    let mut all = Disagreements::default();
    all.expect("info.version", &document["info"]["version"], &json!(env!("CARGO_PKG_VERSION")));
    paths(document, &mut all);
    references(document, document, &mut all);
    refusals_outside_of_paths(document, &mut all);
    keys_of_info(document, &mut all);
    let examples = examples(document, &mut all);
    if examples < 10 {
        all.0.push(format!("only {examples} examples are there to be checked"));
    }
    all.0
}

fn keys(value: &Value) -> BTreeSet<&str> {
    value.as_object().into_iter().flatten().map(|(key, _)| key.as_str()).collect()
}

/// What `value` is, or refers to.
fn resolved<'a>(document: &'a Value, value: &'a Value) -> &'a Value {
    match value["$ref"].as_str().and_then(|reference| reference.strip_prefix('#')) {
        Some(pointer) => document.pointer(pointer).unwrap_or(&Value::Null),
        None => value,
    }
}

fn paths(document: &Value, all: &mut Disagreements) {
    let served: BTreeSet<&str> =
        Endpoint::ALL.iter().flat_map(|endpoint| endpoint.paths()).copied().collect();
    all.expect("paths", keys(&document["paths"]), served);
    for endpoint in Endpoint::ALL {
        for path in endpoint.paths() {
            let item = &document["paths"][path];
            let methods = endpoint.allow().to_ascii_lowercase();
            all.expect(path, keys(item), methods.split(", ").collect());
            for method in keys(item) {
                operation(document, endpoint, path, method, all);
            }
        }
    }
    let ids: Vec<&Value> = document["paths"]
        .as_object()
        .into_iter()
        .flatten()
        .flat_map(|(_, item)| item.as_object().into_iter().flatten())
        .map(|(_, operation)| &operation["operationId"])
        .collect();
    let different: BTreeSet<&str> = ids.iter().filter_map(|id| id.as_str()).collect();
    all.expect("different operationIds", different.len(), ids.len());
}

fn operation(document: &Value, endpoint: Endpoint, path: &str, method: &str, all: &mut Disagreements) {
    let place = format!("{method} {path}");
    let operation = &document["paths"][path][method];

    let reads_parameters = matches!(method, "get" | "head");
    let served = endpoint.parameters().iter().filter(|_| reads_parameters).map(|parameter| {
        let mut schema =
            json!({ "type": "integer", "minimum": parameter.minimum, "maximum": parameter.maximum });
        if let Some(default) = parameter.default {
            schema["default"] = json!(default);
        }
        (parameter.name.to_owned(), "query".to_owned(), parameter.default.is_none(), schema)
    });
    let described = operation["parameters"].as_array().into_iter().flatten().map(|parameter| {
        let parameter = resolved(document, parameter);
        let text = |key: &str| parameter[key].as_str().unwrap_or_default().to_owned();
        let required = parameter["required"].as_bool().unwrap_or(false);
        (text("name"), text("in"), required, parameter["schema"].clone())
    });
    all.expect(&format!("{place}: parameters"), described.collect::<Vec<_>>(), served.collect());
    all.expect(&format!("{place}: takes a body"), operation["requestBody"].is_object(), method == "post");

    let mut served: BTreeSet<u16> = REFUSALS.into();
    served.insert(if method == "options" { 204 } else { 200 });
    if reads_parameters {
        served.insert(304);
        served.extend(statuses_of_its_own(endpoint));
    }
    if method != "options" {
        served.insert(412);
    }
    let served: BTreeSet<String> = served.iter().map(u16::to_string).collect();
    all.expect(
        &format!("{place}: statuses"),
        keys(&operation["responses"]),
        served.iter().map(String::as_str).collect(),
    );

    if method == "options" {
        let allow =
            resolved(document, &resolved(document, &operation["responses"]["204"])["headers"]["Allow"]);
        all.expect(&format!("{place}: Allow"), &allow["schema"]["const"], &json!(endpoint.allow()));
    }
    if method == "get" || method == "post" {
        let content = &resolved(document, &operation["responses"]["200"])["content"];
        all.expect(&format!("{place}: content"), keys(content), content_type(endpoint, method).into());
    }
}

/// An operation may panic (500); one that is worth moving may find the queue full (503), and readiness ends with a drain.
fn statuses_of_its_own(endpoint: Endpoint) -> Vec<u16> {
    let asked = app::route("GET", endpoint.paths()[0], (endpoint == Endpoint::Delay).then_some("ms=1"));
    match asked {
        Ok(Request::Operation(app::Operation::Delay { .. })) => vec![],
        Ok(Request::Operation(operation)) if operation.is_cpu_bound() => vec![500, 503],
        Ok(Request::Operation(_)) => vec![500],
        Ok(Request::Healthz) => vec![503],
        _ => vec![],
    }
}

fn content_type(endpoint: Endpoint, method: &str) -> [&'static str; 1] {
    [match endpoint {
        Endpoint::Echo if method == "post" => "*/*",
        Endpoint::Echo | Endpoint::Healthz => "text/plain; charset=utf-8",
        Endpoint::Metrics => "text/plain; version=0.0.4",
        Endpoint::OpenApi => "application/yaml",
        _ => "application/json",
    }]
}

/// Every reference leads somewhere, and every component but the schemas' own parts is referred to.
fn references(document: &Value, value: &Value, all: &mut Disagreements) {
    if let Some(reference) = value["$ref"].as_str() {
        let target = reference.strip_prefix('#').and_then(|pointer| document.pointer(pointer));
        all.expect(reference, target.is_some(), true);
    }
    match value {
        Value::Object(entries) => entries.values().for_each(|entry| references(document, entry, all)),
        Value::Array(entries) => entries.iter().for_each(|entry| references(document, entry, all)),
        _ => {}
    }
}

/// Unknown paths, methods that are not allowed and those that nobody knows belong to no described operation.
fn refusals_outside_of_paths(document: &Value, all: &mut Disagreements) {
    let refusals = &document["x-refusals"];
    all.expect("x-refusals", keys(refusals), ["404", "405", "501"].into());
    for status in keys(refusals) {
        let response = resolved(document, &refusals[status]);
        let has_allow = response["headers"]["Allow"].is_object();
        all.expect(&format!("x-refusals {status}: Allow"), has_allow, status == "405");
    }
    let described: BTreeSet<&str> = document
        .pointer("/components/headers/Allow/schema/enum")
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    all.expect("values of Allow", described, Endpoint::ALL.map(Endpoint::allow).into());
}

/// Of the examples of `/info`, which are held to the application, one leaves out all that may be left out, and one nothing;
/// of the places in the latter, likewise.
fn keys_of_info(document: &Value, all: &mut Disagreements) {
    let examples = &document["components"]["responses"]["Info"]["content"]["application/json"]["examples"];
    let [least, most] = ["info", "cluster"].map(|name| &examples[name]["value"]);
    let [whole, bare] = [0, 1].map(|index| &most["cluster"][index]);
    let schemas = &document["components"]["schemas"];
    let successor = &schemas["Place"]["properties"]["successor"];
    for (name, schema, least, most) in [
        ("Info", &schemas["Info"], keys(least), keys(most)),
        ("Place", &schemas["Place"], keys(bare), keys(whole)),
        ("the successor", successor, ["pid"].into(), keys(&whole["successor"])),
    ] {
        let required = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str);
        all.expect(&format!("{name}: required"), required.collect(), least);
        all.expect(&format!("{name}: properties"), keys(&schema["properties"]), most);
    }
}

/// Asks the application every request line that is the summary of an example, and compares; how many those were.
fn examples(document: &Value, all: &mut Disagreements) -> usize {
    let mut asked = 0;
    for (name, response) in document["components"]["responses"].as_object().into_iter().flatten() {
        let examples = &response["content"]["application/json"]["examples"];
        for (label, example) in examples.as_object().into_iter().flatten() {
            let Some(line) = example["summary"].as_str() else { continue };
            let place = format!("example {name}.{label}");
            asked += 1;
            match answer_to(line, &example["value"]) {
                Ok((status, body)) => {
                    all.expect(&place, &example["value"], &body);
                    if !is_listed(document, line, status, name) {
                        all.0.push(format!("{place}: {line:?} does not list {name} for its status {status}"));
                    }
                }
                Err(what) => all.0.push(format!("{place}: {what}")),
            }
        }
    }
    let index: Value = serde_json::from_slice(&app::index_body()).expect("the index is JSON");
    let entry = &document["components"]["schemas"]["IndexEntry"]["examples"][0];
    let listed = index["endpoints"].as_array().is_some_and(|entries| entries.contains(entry));
    all.expect("the example of an entry of the index", listed, true);
    asked + 1
}

/// What the application answers to a method and a target. The names in `described` stand for those of a server.
fn answer_to(line: &str, described: &Value) -> Result<(u16, Value), String> {
    let (method, target) = line.split_once(' ').ok_or_else(|| format!("{line:?} is no request line"))?;
    let (path, query) = target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
    let name = |key: &str| described[key].as_str().unwrap_or_default();
    let (status, body) = match app::route(method, path, query) {
        Ok(Request::Operation(operation)) => (200, operation.run().body(name("origin"), name("worker"))),
        Ok(Request::Info) => {
            let number = |pointer| described.pointer(pointer).and_then(Value::as_u64).unwrap_or_default();
            let size = |pointer| usize::try_from(number(pointer)).unwrap_or_default();
            let info = app::Info {
                origin: name("origin").to_owned(),
                version: env!("CARGO_PKG_VERSION").to_owned(),
                pid: u32::try_from(number("/pid")).unwrap_or_default(),
                worker: name("worker").to_owned(),
                workers: size("/workers"),
                processors: app::Processors {
                    present: size("/processors/present"),
                    allowed: size("/processors/allowed"),
                },
                rss_bytes: number("/rss_bytes"),
                uptime_seconds: number("/uptime_seconds"),
                arguments: vec!["--workers".to_owned(), "2".to_owned()],
                cluster: described["cluster"].as_array().map(|places| places.iter().map(place).collect()),
            };
            (200, info.body())
        }
        Ok(other) => return Err(format!("{line:?} asks for {other:?}, which has no example")),
        Err(rejection) => (rejection.status(), rejection.body()),
    };
    let body = serde_json::from_slice(&body).map_err(|error| format!("{line:?}: {error}"))?;
    Ok((status, body))
}

/// A worker of a cluster, as the application would tell of the one that is described.
fn place(described: &Value) -> app::Place {
    let text = |key: &str| described[key].as_str().unwrap_or_default().to_owned();
    let count = |key: &str| described[key].as_u64().unwrap_or_default();
    let process = |described: &Value| {
        Some(app::Process {
            pid: u32::try_from(described["pid"].as_u64()?).ok()?,
            cpu_seconds: described["cpu_seconds"].as_f64(),
            rss_bytes: described["rss_bytes"].as_u64(),
            uptime_seconds: described["uptime_seconds"].as_u64(),
        })
    };
    app::Place {
        place: text("place"),
        state: text("state"),
        process: process(described),
        successor: process(&described["successor"]),
        restarts: count("restarts"),
        requests: count("requests"),
        connections_open: count("connections_open"),
        connections_accepted: count("connections_accepted"),
        operations_in_flight: count("operations_in_flight"),
    }
}

/// Whether the operation at `line`, or what stands outside of the operations, names `response` for `status`.
fn is_listed(document: &Value, line: &str, status: u16, response: &str) -> bool {
    let (method, target) = line.split_once(' ').unwrap_or((line, ""));
    let path = target.split('?').next().unwrap_or_default();
    let operation = &document["paths"][path][method.to_ascii_lowercase()];
    let reference = json!(format!("#/components/responses/{response}"));
    let status = status.to_string();
    [&operation["responses"][&status], &document["x-refusals"][&status]]
        .iter()
        .any(|listed| listed["$ref"] == reference)
}

#[test]
fn the_description_is_what_is_served() {
    assert_eq!(disagreements(&document()), Vec::<String>::new());
}

#[test]
fn every_component_is_used() {
    let components = document()["components"].clone();
    for (kind, members) in components.as_object().unwrap() {
        for name in members.as_object().unwrap().keys() {
            let reference = format!("'#/components/{kind}/{name}'");
            assert!(app::OPENAPI.contains(&reference), "{reference} is never referred to");
        }
    }
}

#[test]
fn every_answer_has_a_description_and_each_of_its_content_types_a_schema() {
    let document = document();
    for (name, response) in document["components"]["responses"].as_object().unwrap() {
        assert!(response["description"].is_string(), "{name}");
        let media = response["content"].as_object().into_iter().flatten();
        for (content_type, media) in media.filter(|(content_type, _)| *content_type != "*/*") {
            assert!(media["schema"].is_object(), "{name} as {content_type} has no schema");
        }
    }
}

/// A place in the document, and what is put there instead; `None` takes it away.
type Spoiling = (&'static str, Option<Value>);

#[test]
fn whatever_is_spoilt_in_the_description_is_noticed() {
    let right = document();
    let spoilings: Vec<Spoiling> = vec![
        ("/info/version", Some(json!("9.9.9"))),
        ("/paths/~1operacion-simple", None),
        ("/paths/~1nowhere", Some(json!({ "get": {} }))),
        ("/paths/~1echo/post", None),
        ("/paths/~1simple/post", Some(right["paths"]["/echo"]["post"].clone())),
        ("/paths/~1simple/head", None),
        ("/paths/~1info/options", None),
        ("/paths/~1echo/post/requestBody", None),
        ("/paths/~1complex/get/parameters", None),
        ("/paths/~1complex/head/parameters", None),
        ("/paths/~1simple/get/parameters", Some(right["paths"]["/complex"]["get"]["parameters"].clone())),
        ("/paths/~1complex/get/operationId", Some(json!("simple"))),
        ("/components/parameters/iterations/name", Some(json!("iteration"))),
        ("/components/parameters/iterations/in", Some(json!("header"))),
        ("/components/parameters/iterations/schema/minimum", Some(json!(1))),
        ("/components/parameters/count/schema/maximum", Some(json!(100_000_001))),
        ("/components/parameters/seed/schema/default", None),
        ("/components/parameters/seed/schema/default", Some(json!(1))),
        ("/components/parameters/ms/schema/default", Some(json!(0))),
        ("/components/parameters/ms/required", None),
        ("/components/parameters/count/required", Some(json!(true))),
        ("/components/parameters/count/schema/type", Some(json!("number"))),
        ("/paths/~1complex/get/responses/503", None),
        ("/paths/~1delay/get/responses/500", Some(json!({ "$ref": "#/components/responses/Failed" }))),
        ("/paths/~1metrics/get/responses/404", Some(json!({ "$ref": "#/components/responses/NotFound" }))),
        ("/paths/~1info/options/responses/431", None),
        ("/paths/~1info/options/responses/414", None),
        ("/paths/~1simple/get/responses/304", None),
        ("/paths/~1echo/post/responses/412", None),
        ("/paths/~1echo/post/responses/304", Some(json!({ "$ref": "#/components/responses/NotModified" }))),
        ("/paths/~1info/get/responses/200/$ref", Some(json!("#/components/responses/Nothing"))),
        ("/paths/~1info/get/responses/200/$ref", Some(json!("#/components/responses/Metrics"))),
        ("/paths/~1delay/get/responses/400/$ref", Some(json!("#/components/responses/BadRequest"))),
        ("/components/headers/AllowOfEcho/schema/const", Some(json!("GET"))),
        ("/components/headers/Allow/schema/enum/0", Some(json!("GET"))),
        ("/components/responses/MethodNotAllowed/headers", None),
        ("/x-refusals/501", None),
        (
            "/components/responses/Sum/content/application~1json/examples/simple/value/payload",
            Some(json!(499_501)),
        ),
        (
            "/components/responses/Randoms/content/application~1json/examples/two/value/frequencies/533",
            Some(json!(2)),
        ),
        (
            "/components/responses/NotFound/content/application~1json/examples/nowhere/value/error",
            Some(json!("x")),
        ),
        (
            "/components/responses/NotFound/content/application~1json/examples/nowhere/summary",
            Some(json!("GET /")),
        ),
        ("/components/responses/Info/content/application~1json/examples/info/value/extra", Some(json!(1))),
        (
            "/components/responses/Info/content/application~1json/examples/cluster/value/cluster/0/extra",
            Some(json!(1)),
        ),
        (
            "/components/responses/Info/content/application~1json/examples/cluster/value/cluster/1/requests",
            None,
        ),
        ("/components/schemas/Place/properties/cpu_seconds", None),
        ("/components/schemas/Place/required/0", Some(json!("plaice"))),
        ("/components/schemas/IndexEntry/examples/0/example", Some(json!("/complex"))),
    ];
    for (pointer, replacement) in spoilings {
        let mut spoilt = right.clone();
        let (parent, key) = pointer.rsplit_once('/').unwrap();
        let key = key.replace("~1", "/");
        let place =
            spoilt.pointer_mut(parent).unwrap_or_else(|| panic!("{pointer} is not there to be spoilt"));
        match (place, replacement) {
            (Value::Object(entries), Some(value)) => {
                entries.insert(key, value);
            }
            (Value::Object(entries), None) => {
                entries.remove(&key).unwrap_or_else(|| panic!("{pointer} is not there to be taken away"));
            }
            (Value::Array(entries), Some(value)) => entries[key.parse::<usize>().unwrap()] = value,
            (place, _) => panic!("{pointer} leads into {place}"),
        }
        assert_ne!(disagreements(&spoilt), Vec::<String>::new(), "nobody noticed the change at {pointer}");
    }
}
