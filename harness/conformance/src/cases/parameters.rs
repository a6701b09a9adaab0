//! Parameters: right ones in every spelling that the contract takes, and wrong ones, refused by name with their range on
//! a connection that stays usable.

use app::Operation::{self, Complex, Delay, Randoms, Simple};

use crate::case::{Case, Check, Step, answer, get, must, result_of, simple};

/// What must hold, the target, and what the refusal must mention: the parameter and its range, or the
/// parameters that there are.
const REFUSED: &[(&str, &str, &[&str])] = &[
    (
        "iterations beyond the range are refused",
        "/complex?iterations=5000000001",
        &["iterations", "5000000000"],
    ),
    ("iterations of 2^63 are refused", "/complex?iterations=9223372036854775808", &["iterations"]),
    ("iterations of 2^64 are refused", "/complex?iterations=18446744073709551616", &["iterations"]),
    (
        "iterations that wrap around at 64 bits are refused",
        "/complex?iterations=18446744073709551617",
        &["iterations"],
    ),
    ("iterations beyond 64 bits are refused", "/complex?iterations=99999999999999999999", &["iterations"]),
    ("negative iterations are refused", "/complex?iterations=-1", &["iterations", "5000000000"]),
    ("signed iterations are refused", "/complex?iterations=+1", &["iterations"]),
    ("iterations that are no number are refused", "/complex?iterations=many", &["iterations", "5000000000"]),
    ("iterations that begin with a number are refused", "/complex?iterations=5x", &["iterations"]),
    ("hexadecimal iterations are refused", "/complex?iterations=0x10", &["iterations"]),
    ("iterations in exponent form are refused", "/complex?iterations=1e6", &["iterations"]),
    ("fractional iterations are refused", "/complex?iterations=1.5", &["iterations"]),
    ("iterations with thousands separated are refused", "/complex?iterations=1,000", &["iterations"]),
    ("iterations with an underscore are refused", "/complex?iterations=1_000", &["iterations"]),
    ("empty iterations are refused", "/complex?iterations=", &["iterations"]),
    ("iterations without a value are refused", "/complex?iterations", &["iterations"]),
    ("iterations of a blank are refused", "/complex?iterations=%20", &["iterations"]),
    ("iterations with a blank behind are refused", "/complex?iterations=5+", &["iterations"]),
    ("a percent-encoded digit is refused", "/complex?iterations=%35", &["iterations"]),
    ("percent-encoded rubbish is refused", "/complex?iterations=%FF%C3%28", &["iterations"]),
    ("a percent-encoded NUL is refused", "/complex?iterations=5%00", &["iterations"]),
    ("a second equals sign is refused", "/complex?iterations=5=5", &["iterations"]),
    ("a second question mark is refused", "/complex?iterations=5?", &["iterations"]),
    ("a list is refused", "/complex?iterations=5;iterations=5", &["iterations"]),
    ("a repeated parameter is refused", "/complex?iterations=1&iterations=2", &["iterations"]),
    ("an equal repeated parameter is refused", "/complex?iterations=1&iterations=1", &["iterations"]),
    ("a misspelt parameter is refused", "/complex?iteration=5", &["iteration", "iterations"]),
    ("a parameter in another case is refused", "/complex?Iterations=5", &["Iterations", "iterations"]),
    ("a parameter in brackets is refused", "/complex?iterations%5B%5D=5", &["iterations"]),
    ("a percent-encoded name is refused", "/complex?%69terations=5", &["iterations"]),
    (
        "an unknown parameter beside a right one is refused",
        "/complex?iterations=5&debug=1",
        &["debug", "iterations"],
    ),
    ("a parameter without name is refused", "/complex?=5", &["iterations"]),
    (
        "the alias refuses like its endpoint",
        "/operacion-compleja?iterations=x",
        &["iterations", "5000000000"],
    ),
    ("the alias refuses what its endpoint does not know", "/operacion-compleja?n=5", &["n", "iterations"]),
    ("simple refuses any parameter", "/simple?iterations=5", &["iterations"]),
    ("the alias of simple refuses any parameter", "/operacion-simple?a", &["a"]),
    ("a count beyond the range is refused", "/api/randoms?count=100000001", &["count", "100000000"]),
    ("a count of 2^32 is refused", "/api/randoms?count=4294967296", &["count", "100000000"]),
    ("a negative count is refused", "/api/randoms?count=-1", &["count", "100000000"]),
    ("a count that is no number is refused", "/api/randoms?count=x", &["count", "100000000"]),
    ("an empty count is refused", "/api/randoms?count=&seed=1", &["count", "100000000"]),
    ("a repeated count is refused", "/api/randoms?count=1&seed=1&count=1", &["count"]),
    ("a seed beyond 32 bits is refused", "/api/randoms?seed=4294967296", &["seed", "4294967295"]),
    ("a negative seed is refused", "/api/randoms?seed=-1", &["seed", "4294967295"]),
    ("a signed seed is refused", "/api/randoms?count=1&seed=+1", &["seed", "4294967295"]),
    ("a seed that is no number is refused", "/api/randoms?seed=random", &["seed", "4294967295"]),
    (
        "a parameter of another endpoint is refused",
        "/api/randoms?iterations=5",
        &["iterations", "count", "seed"],
    ),
    ("a semicolon separates nothing", "/api/randoms?count=5;seed=1", &["count"]),
    ("a delay beyond the range is refused", "/delay?ms=60001", &["ms", "60000"]),
    ("a delay without duration is refused", "/delay", &["ms", "60000"]),
    ("a delay with an empty query is refused", "/delay?", &["ms", "60000"]),
    ("a delay with an empty duration is refused", "/delay?ms=", &["ms", "60000"]),
    ("a negative delay is refused", "/delay?ms=-1", &["ms", "60000"]),
    ("a delay with a unit is refused", "/delay?ms=5ms", &["ms", "60000"]),
    ("a fractional delay is refused", "/delay?ms=0.5", &["ms", "60000"]),
    ("a repeated duration is refused", "/delay?ms=0&ms=0", &["ms"]),
    ("a duration under another name is refused", "/delay?seconds=0", &["seconds", "ms"]),
];

/// What must hold, the target, and the operation whose answer it gives.
const ACCEPTED: &[(&str, &str, Operation)] = &[
    ("an empty query gives the defaults", "/simple?", Simple),
    ("empty pairs are passed over", "/complex?&&iterations=9&", Complex { iterations: 9 }),
    ("leading zeros do not change a number", "/complex?iterations=0010", Complex { iterations: 10 }),
    (
        "many leading zeros do not change a number",
        "/complex?iterations=0000000000000000000000000000000000000010",
        Complex { iterations: 10 },
    ),
    ("the smallest count and seed are taken", "/api/randoms?count=0&seed=0", Randoms { count: 0, seed: 0 }),
    ("a count alone leaves the seed at its default", "/api/randoms?count=9", Randoms { count: 9, seed: 0 }),
    ("leading zeros do not change a duration", "/delay?ms=0001", Delay { milliseconds: 1 }),
];

pub(crate) fn cases() -> Vec<Case> {
    let refused = |&(name, target, mentioned): &(&'static str, &str, &'static [&'static str])| {
        let refusal = answer(400).header("content-type", "application/json").with(Check::Mentions(mentioned));
        let steps =
            vec![Step::Send(get(target)), refusal.then(), Step::Send(get("/simple")), simple().then()];
        must(name, "contract", steps)
    };
    let accepted = |&(name, target, operation): &(&'static str, &str, Operation)| {
        must(name, "contract", vec![Step::Send(get(target)), result_of(operation).then()])
    };
    REFUSED.iter().map(refused).chain(ACCEPTED.iter().map(accepted)).collect()
}
