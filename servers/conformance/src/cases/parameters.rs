//! Wrong parameters: refused by name with their range, on a connection that stays usable.

use crate::case::{Case, Check, Step, answer, get, must, simple};

/// What must hold, the target, and what the refusal must mention: the parameter and its range, or the
/// parameters that there are.
const REFUSED: &[(&str, &str, &[&str])] = &[
    (
        "iterations beyond the range are refused",
        "/complex?iterations=5000000001",
        &["iterations", "5000000000"],
    ),
    ("iterations beyond 64 bits are refused", "/complex?iterations=99999999999999999999", &["iterations"]),
    ("negative iterations are refused", "/complex?iterations=-1", &["iterations", "5000000000"]),
    ("signed iterations are refused", "/complex?iterations=+1", &["iterations"]),
    ("iterations that are no number are refused", "/complex?iterations=many", &["iterations", "5000000000"]),
    ("iterations in exponent form are refused", "/complex?iterations=1e6", &["iterations"]),
    ("fractional iterations are refused", "/complex?iterations=1.5", &["iterations"]),
    ("empty iterations are refused", "/complex?iterations=", &["iterations"]),
    ("iterations without a value are refused", "/complex?iterations", &["iterations"]),
    ("percent-encoded rubbish is refused", "/complex?iterations=%FF%zz%", &["iterations"]),
    ("a repeated parameter is refused", "/complex?iterations=1&iterations=2", &["iterations"]),
    ("a misspelt parameter is refused", "/complex?iteration=5", &["iteration", "iterations"]),
    (
        "the alias refuses like its endpoint",
        "/operacion-compleja?iterations=x",
        &["iterations", "5000000000"],
    ),
    ("simple refuses any parameter", "/simple?iterations=5", &["iterations"]),
    ("a count beyond the range is refused", "/api/randoms?count=100000001", &["count", "100000000"]),
    ("a seed beyond 32 bits is refused", "/api/randoms?seed=4294967296", &["seed", "4294967295"]),
    ("a delay beyond the range is refused", "/delay?ms=60001", &["ms", "60000"]),
    ("a delay without duration is refused", "/delay", &["ms", "60000"]),
];

pub(crate) fn cases() -> Vec<Case> {
    let refused = |&(name, target, mentioned): &(&'static str, &str, &'static [&'static str])| {
        let refusal = answer(400).header("content-type", "application/json").with(Check::Mentions(mentioned));
        let steps =
            vec![Step::Send(get(target)), refusal.then(), Step::Send(get("/simple")), simple().then()];
        must(name, "contract", steps)
    };
    REFUSED.iter().map(refused).collect()
}
