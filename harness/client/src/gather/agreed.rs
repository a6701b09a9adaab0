//! What all parts of a load do alike, as one value that can be compared and hashed. What may differ from part to part is left out: its
//! number, its CPUs, its files, and by which clock it goes.

use std::time::{Duration, SystemTime};

use load::{Limits, Opening, Plan, Stream};
use race::records::environment::sha256_of_bytes;
use serde_json::{Map, Value, json};

use crate::load_command::options::{Asked, Prepared};

/// The plan of a load, over all its parts. The seed is apart: part 0 may draw it.
pub fn agreed(prepared: &Prepared, start_at: Option<SystemTime>, share_host: bool) -> Value {
    let plan = &prepared.plan;
    let streams: Vec<Value> = plan
        .streams
        .iter()
        .zip(&prepared.asked)
        .map(|(stream, asked)| of_stream(plan, stream, asked))
        .collect();
    let Limits { max_head_bytes, max_body_bytes } = plan.limits;
    json!({
        "harness": env!("CARGO_PKG_VERSION"),
        "url": prepared.target.to_string(),
        "parts": plan.part.of,
        SHARE_HOST: share_host,
        "streams": streams,
        "shared connections": plan.shared_connections,
        "warm-up": seconds(plan.warm_up),
        "window": seconds(plan.window),
        "timeout": seconds(plan.timeout),
        "longest head": max_head_bytes,
        "longest content": max_body_bytes,
        "start": start_at.and_then(|at| jiff::Timestamp::try_from(at).ok()).map(|at| at.to_string()),
    })
}

/// Whether several parts may be on one host: the name of that in a plan.
pub const SHARE_HOST: &str = "share a host";

fn of_stream(plan: &Plan, stream: &Stream, asked: &Asked) -> Value {
    let policy = &stream.policy;
    json!({
        "name": stream.name,
        "request": format!("{} {}", asked.method, asked.target),
        "sha256 of the request": sha256_of_bytes(stream.request.bytes()),
        "expected": asked.judged.expects,
        "pacing": stream.pacing,
        "connections": plan.shared_connections.unwrap_or(stream.connections),
        "requests": stream.requests,
        "weight": stream.weight,
        "verify": stream.verify,
        "requests a connection": policy.requests_each,
        "pipeline": policy.pipeline,
        "opened over": match policy.opening {
            Opening::Ahead => None,
            Opening::Over(time) => Some(seconds(time)),
        },
        "sent at": policy.send_bytes_per_second,
        "read at": policy.read_bytes_per_second,
    })
}

fn seconds(time: Duration) -> f64 {
    time.as_secs_f64()
}

/// The hash by which parts say that they followed one plan. Keys are in the order of the alphabet, so that one plan has one text.
pub fn sha256_of(plan: &Value, seed: u64) -> String {
    sha256_of_bytes(json!({ "plan": plan, "seed": seed }).to_string().as_bytes())
}

/// In what two plans differ, each with the value of `other` and then that of `own`; nothing where they are the same.
pub fn difference(own: &Value, other: &Value) -> Option<String> {
    let mut all = Vec::new();
    compare("", own, other, &mut all);
    (!all.is_empty()).then(|| all.join(", "))
}

fn compare(name: &str, own: &Value, other: &Value, all: &mut Vec<String>) {
    match (own, other) {
        (Value::Object(own), Value::Object(other)) => {
            let new = |key: &&String| !own.contains_key(*key);
            for key in own.keys().chain(other.keys().filter(new)) {
                let named = if name.is_empty() { key.clone() } else { format!("{name}: {key}") };
                let of = |values: &Map<String, Value>| values.get(key).cloned().unwrap_or_default();
                compare(&named, &of(own), &of(other), all);
            }
        }
        (Value::Array(own), Value::Array(other)) if own.len() == other.len() => {
            let several = own.len() > 1;
            for (index, (own, other)) in own.iter().zip(other).enumerate() {
                let number = if several { format!(" {index}") } else { String::new() };
                compare(&format!("{name}{number}"), own, other, all);
            }
        }
        _ if own == other => {}
        _ => all.push(format!("{name} is {other} and {own}")),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn plans_that_differ_say_in_what() {
        let plan =
            |rate: f64, window: f64| json!({ "window": window, "streams": [{ "rate": rate, "name": "a" }] });
        assert_eq!(difference(&plan(100.0, 1.0), &plan(100.0, 1.0)), None);
        assert_eq!(
            difference(&plan(200.0, 2.0), &plan(100.0, 1.0)).as_deref(),
            Some("streams: rate is 100.0 and 200.0, window is 1.0 and 2.0")
        );
        let two = json!({ "window": 1.0, "streams": [1, 2] });
        assert!(difference(&two, &plan(1.0, 1.0)).unwrap().starts_with("streams is [{"));
        assert_eq!(
            difference(&json!({ "a": 1 }), &json!({ "b": 2 })).as_deref(),
            Some("a is null and 1, b is 2 and null")
        );
    }

    #[test]
    fn a_plan_has_one_hash_in_whatever_order_it_was_written_and_another_seed_has_another() {
        let read = |text: &str| serde_json::from_str::<Value>(text).unwrap();
        let (one, again) = (read(r#"{"a":1,"b":[2]}"#), read(r#"{"b":[2],"a":1}"#));
        assert_eq!(sha256_of(&one, 7), sha256_of(&again, 7));
        assert_ne!(sha256_of(&one, 7), sha256_of(&one, 8));
        assert_eq!(sha256_of(&one, 7).len(), 64);
    }

    proptest! {
        #[test]
        fn a_plan_that_was_written_is_read_as_the_same(rate in 1e-6..1e7) {
            let plan = json!({ "rate": rate });
            let read = serde_json::from_str::<Value>(&plan.to_string()).unwrap();
            prop_assert_eq!(difference(&plan, &read), None);
            prop_assert_eq!(sha256_of(&plan, 7), sha256_of(&read, 7));
        }
    }
}
