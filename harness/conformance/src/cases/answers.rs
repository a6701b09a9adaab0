//! Right requests and their exact answers.

use app::Operation;
use app::Operation::{Complex, Delay, Randoms, Simple};

use crate::case::{Case, Step, code, get, must, result_of};
use crate::context::Context;
use crate::response::Response;
use crate::verdict::{Level, finding};

/// What must hold, the target, and the operation whose answer it gives.
const ANSWERS: &[(&str, &str, Operation)] = &[
    ("simple gives the sum of 0..1000", "/simple", Simple),
    ("operacion-simple is an alias of simple", "/operacion-simple", Simple),
    ("complex sums 5,000,000 by default", "/complex", Complex { iterations: 5_000_000 }),
    (
        "operacion-compleja is an alias of complex",
        "/operacion-compleja?iterations=9",
        Complex { iterations: 9 },
    ),
    ("complex of nothing is zero", "/complex?iterations=0", Complex { iterations: 0 }),
    ("complex of one number is zero", "/complex?iterations=1", Complex { iterations: 1 }),
    ("complex of an odd count is exact", "/complex?iterations=100001", Complex { iterations: 100_001 }),
    ("complex beyond 32 bits is exact", "/complex?iterations=3000000", Complex { iterations: 3_000_000 }),
    ("randoms draws 100,000 from seed 0 by default", "/api/randoms", Randoms { count: 100_000, seed: 0 }),
    ("randoms follows its seed", "/api/randoms?count=1000&seed=42", Randoms { count: 1000, seed: 42 }),
    (
        "randoms takes the largest seed and any order of parameters",
        "/api/randoms?seed=4294967295&count=7",
        Randoms { count: 7, seed: u32::MAX },
    ),
    ("randoms of nothing counts nothing", "/api/randoms?count=0", Randoms { count: 0, seed: 0 }),
    ("delay of zero answers at once", "/delay?ms=0", Delay { milliseconds: 0 }),
    ("delay answers with its duration", "/delay?ms=20", Delay { milliseconds: 20 }),
];

pub(crate) fn cases() -> Vec<Case> {
    let answers = ANSWERS.iter().map(|&(name, target, operation)| {
        must(name, "contract", vec![Step::Send(get(target)), result_of(operation).then()])
    });
    answers
        .chain([code("answers name their origin and worker", Level::Must, "contract", |context| {
            finding(names_origin_and_worker(context))
        })])
        .collect()
}

fn names_origin_and_worker(context: &Context<'_>) -> Result<(), String> {
    for target in ["/simple", "/complex?iterations=5", "/api/randoms?count=5", "/delay?ms=0"] {
        let response = context.exchange(&get(target), false)?;
        let origin = context.options.origin.as_deref();
        origin_and_worker(&response, origin).map_err(|what| format!("{target}: {what}"))?;
    }
    Ok(())
}

/// Whether an answer names a worker and the origin, and the right one if it is known.
pub(crate) fn origin_and_worker(response: &Response, expected: Option<&str>) -> Result<(), String> {
    let body: serde_json::Value =
        serde_json::from_slice(&response.body).map_err(|error| format!("the body is not JSON: {error}"))?;
    let text = |key: &str| match body[key].as_str() {
        None | Some("") => Err(format!("{key} is {}, not a name", body[key])),
        Some(text) => Ok(text.to_owned()),
    };
    text("worker")?;
    let origin = text("origin")?;
    match expected {
        Some(expected) if origin != expected => Err(format!("origin is {origin:?}, not {expected:?}")),
        _ => Ok(()),
    }
}
