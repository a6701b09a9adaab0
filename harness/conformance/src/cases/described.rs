//! What a server tells about itself: the index, `/openapi.yaml`, `/info`, `/healthz`, `/metrics`.

use app::Endpoint;
use serde_json::Value;

use crate::case::{Case, Step, answer, code, get, must};
use crate::context::Context;
use crate::response::Response;
use crate::verdict::{Level, finding};

pub(crate) fn cases() -> Vec<Case> {
    vec![
        must(
            "the index lists every endpoint with an example",
            "contract",
            vec![
                Step::Send(get("/")),
                answer(200).header("content-type", "application/json").that(index).then(),
            ],
        ),
        must(
            "the description for programs is served as it is",
            "contract",
            vec![
                Step::Send(get("/openapi.yaml")),
                answer(200).header("content-type", "application/yaml").body(app::OPENAPI.as_bytes()).then(),
            ],
        ),
        must(
            "healthz says ok",
            "contract",
            vec![
                Step::Send(get("/healthz")),
                answer(200).header("content-type", "text/plain").that(ok).then(),
            ],
        ),
        must(
            "healthz ignores a query",
            "contract",
            vec![Step::Send(get("/healthz?probe=1")), answer(200).that(ok).then()],
        ),
        must(
            "info describes the process and its machine",
            "contract",
            vec![
                Step::Send(get("/info")),
                answer(200).header("content-type", "application/json").that(info).then(),
            ],
        ),
        must(
            "metrics are Prometheus text",
            "contract",
            vec![
                Step::Send(get("/metrics")),
                answer(200).header("content-type", "text/plain").that(metrics).then(),
            ],
        ),
        code("metrics count requests", Level::Must, "contract", |context| finding(metrics_count(context))),
    ]
}

fn json(response: &Response) -> Result<Value, String> {
    serde_json::from_slice(&response.body).map_err(|error| format!("the body is not JSON: {error}"))
}

fn index(response: &Response) -> Result<(), String> {
    let body = json(response)?;
    let entries = body["endpoints"].as_array().ok_or("endpoints is not a list")?;
    for endpoint in Endpoint::ALL {
        let path = Value::from(endpoint.paths()[0]);
        let listed =
            entries.iter().find(|entry| entry["paths"].as_array().is_some_and(|paths| paths.contains(&path)));
        let entry = listed.ok_or_else(|| format!("{path} is not listed"))?;
        if !entry["example"].is_string() {
            return Err(format!("{path} has no example"));
        }
    }
    Ok(())
}

fn ok(response: &Response) -> Result<(), String> {
    let text = String::from_utf8_lossy(&response.body);
    if text.trim_end() == "ok" { Ok(()) } else { Err(format!("the body is {text:?}, not ok")) }
}

fn info(response: &Response) -> Result<(), String> {
    let body = json(response)?;
    for key in ["origin", "version", "worker"] {
        if body[key].as_str().is_none_or(str::is_empty) {
            return Err(format!("{key} is {}, not a name", body[key]));
        }
    }
    for pointer in ["/pid", "/workers", "/processors/present", "/processors/allowed", "/rss_bytes"] {
        if body.pointer(pointer).and_then(Value::as_u64).is_none_or(|number| number == 0) {
            return Err(format!("{pointer} is {:?}, not a positive integer", body.pointer(pointer)));
        }
    }
    if body["processors"]["allowed"].as_u64() > body["processors"]["present"].as_u64() {
        return Err(format!("more processors are allowed than present: {}", body["processors"]));
    }
    if !body["uptime_seconds"].is_number() {
        return Err(format!("uptime_seconds is {}, not a number", body["uptime_seconds"]));
    }
    if !body["arguments"].is_array() {
        return Err(format!("arguments is {}, not a list", body["arguments"]));
    }
    body.get("cluster").map_or(Ok(()), |listed| cluster(listed, &body))
}

/// The list of a server's worker processes, where it has one: every place is there, and the process that answers in one of them.
fn cluster(listed: &Value, info: &Value) -> Result<(), String> {
    let places = listed.as_array().ok_or_else(|| format!("cluster is {listed}, not a list"))?;
    for place in places {
        let name = place["place"].as_str().and_then(|name| name.strip_prefix('p'));
        if name.is_none_or(|number| number.parse::<u32>().is_err())
            || place["state"].as_str().is_none_or(str::is_empty)
        {
            return Err(format!("a place in cluster lacks its name or its state: {place}"));
        }
        for key in
            ["restarts", "requests", "connections_open", "connections_accepted", "operations_in_flight"]
        {
            if place[key].as_u64().is_none() {
                return Err(format!("{key} of {} is {}, not a count", place["place"], place[key]));
            }
        }
    }
    if info["workers"].as_u64().is_none_or(|workers| workers > places.len() as u64) {
        return Err(format!(
            "{} workers are said to be there, {} places are listed",
            info["workers"],
            places.len()
        ));
    }
    let answers = |process: &Value| process["pid"].is_number() && process["pid"] == info["pid"];
    if places.iter().any(|place| answers(place) || answers(&place["successor"])) {
        Ok(())
    } else {
        Err(format!("process {} answers and is not listed in cluster", info["pid"]))
    }
}

/// A sample line of the text format: name, labels, value.
struct Sample<'a> {
    name: &'a str,
    labels: &'a str,
    value: f64,
}

/// Reads the Prometheus text exposition format, version 0.0.4, as far as it is used here: no timestamps, and
/// no `}` within a label's value.
fn samples(text: &str) -> Result<Vec<Sample<'_>>, String> {
    let lines = text.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    lines.map(|line| sample(line).ok_or_else(|| format!("not a sample: {line:?}"))).collect()
}

fn sample(line: &str) -> Option<Sample<'_>> {
    let (series, value) = line.rsplit_once(' ')?;
    let (name, labels) = match series.split_once('{') {
        Some((name, labels)) => (name, labels.strip_suffix('}')?),
        None => (series, ""),
    };
    let letters = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_' || byte == b':';
    let well_named =
        name.bytes().enumerate().all(|(at, byte)| letters(byte) || (at > 0 && byte.is_ascii_digit()));
    if name.is_empty() || !well_named {
        return None;
    }
    Some(Sample { name, labels, value: value.parse().ok()? })
}

fn metrics(response: &Response) -> Result<(), String> {
    let text = std::str::from_utf8(&response.body).map_err(|error| error.to_string())?;
    if samples(text)?.is_empty() {
        return Err("there are no samples".to_owned());
    }
    if !text.ends_with('\n') {
        return Err("the last line has no end".to_owned());
    }
    if !text.lines().any(|line| line.starts_with("# TYPE ")) {
        return Err("no metric states its type".to_owned());
    }
    Ok(())
}

/// The sum of every request counter that is labelled with the simple endpoint.
fn count_of_simple(response: &Response) -> Result<f64, String> {
    let text = String::from_utf8_lossy(&response.body);
    let counters = samples(&text)?
        .into_iter()
        .filter(|sample| sample.name.contains("requests") && sample.labels.contains("\"simple\""));
    Ok(counters.map(|sample| sample.value).sum())
}

/// How many requests are made between two readings.
const REQUESTS: u8 = 5;

/// Rows of several processes may count each on its own, and `/metrics` then comes from any of them; so the
/// whole experiment stays on one connection.
fn metrics_count(context: &Context<'_>) -> Result<(), String> {
    let mut client = context.connect()?;
    let mut exchange = |target: &str| {
        client.send(&get(target)).map_err(|error| error.to_string())?;
        client.receive(false).map_err(|broken| broken.to_string())
    };
    let before = count_of_simple(&exchange("/metrics")?)?;
    for _ in 0..REQUESTS {
        exchange("/simple")?;
    }
    let counted = count_of_simple(&exchange("/metrics")?)? - before;
    if counted >= f64::from(REQUESTS) {
        Ok(())
    } else {
        Err(format!("{REQUESTS} requests to /simple were counted as {counted}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_of_workers_must_be_whole() {
        let place = r#"{"place":"p0","state":"ready","pid":7,"restarts":0,"requests":1,"connections_open":1,"connections_accepted":1,"operations_in_flight":0}"#;
        let judged = |workers: u32, pid: u32, listed: &str| {
            let info = serde_json::json!({ "workers": workers, "pid": pid });
            cluster(&serde_json::from_str(listed).unwrap(), &info)
        };
        assert_eq!(judged(1, 7, &format!("[{place}]")), Ok(()));
        let succeeded = place.replace(r#""pid":7"#, r#""pid":7,"successor":{"pid":8}"#);
        assert_eq!(judged(1, 8, &format!("[{succeeded}]")), Ok(()));
        for (workers, pid, listed) in [
            (1, 7, "7".to_owned()),
            (1, 7, "[]".to_owned()),
            (2, 7, format!("[{place}]")),
            (1, 9, format!("[{place}]")),
            (1, 7, format!("[{}]", place.replace("p0", "0"))),
            (1, 7, format!("[{}]", place.replace("ready", ""))),
            (1, 7, format!("[{}]", place.replace(r#""requests":1,"#, ""))),
        ] {
            assert!(judged(workers, pid, &listed).is_err(), "{listed}");
        }
    }

    #[test]
    fn samples_are_read_and_anything_else_is_refused() {
        let text = "# TYPE x counter\nx_total{endpoint=\"simple\",status=\"200\"} 7\n\nup 1\n";
        let read = samples(text).unwrap();
        assert_eq!((read[0].name, read[0].value), ("x_total", 7.0));
        assert_eq!(read[1].labels, "");
        for line in ["x", "x{ 1", "1x 1", "x one", " 1"] {
            assert!(samples(line).is_err(), "{line}");
        }
    }
}
