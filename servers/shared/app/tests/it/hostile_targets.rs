//! What becomes of targets that a client got wrong, or means ill: one defined answer for each, and for generated ones
//! whatever a second, simpler reading of the contract says.

use app::{Endpoint, Operation, Rejection, Request, route};
use proptest::prelude::*;

/// Paths that a lenient server would take for one of the endpoints.
const WRONG_PATHS: &[&str] = &[
    "",
    "*",
    "simple",
    "/simple/",
    "//simple",
    "///",
    "//",
    "/./simple",
    "/simple/.",
    "/simple/..",
    "/..",
    "/../simple",
    "/x/../simple",
    "/%2e%2e/simple",
    "/api/../simple",
    "/api",
    "/api/",
    "/api//randoms",
    "/api%2Frandoms",
    "/api%2frandoms",
    "/api\\randoms",
    "\\simple",
    "/%73imple",
    "/simple%20",
    "/simple%00",
    "/simple\0",
    "/simple ",
    " /simple",
    "/simple\t",
    "/simple%",
    "/simple%3Fiterations=1",
    "/simple?",
    "/simple#x",
    "/simple;x=1",
    "/simple.json",
    "/Simple",
    "/SIMPLE",
    "/s\u{ed}mple",
    "/s\u{131}mple",
    "\u{ff0f}simple",
    "/sim\u{200b}ple",
    "/openapi.yaml/",
    "/openapi",
    "/openapi.yml",
    "http://127.0.0.1/simple",
    "//127.0.0.1/simple",
    "127.0.0.1:8080",
    "/operacion-simple/",
    "/operacion_simple",
];

#[test]
fn a_path_is_known_byte_for_byte_or_not_at_all() {
    let long = format!("/{}", "a".repeat(1 << 16));
    for path in WRONG_PATHS.iter().copied().chain([long.as_str()]) {
        for method in ["GET", "HEAD", "POST", "DELETE", "QUERY"] {
            assert_eq!(route(method, path, None), Err(Rejection::NotFound), "{method} {path:?}");
            assert_eq!(
                route(method, path, Some("iterations=x")),
                Err(Rejection::NotFound),
                "{method} {path:?}"
            );
        }
        if path != "*" {
            assert_eq!(route("OPTIONS", path, None), Err(Rejection::NotFound), "{path:?}");
        }
    }
}

#[test]
fn a_method_is_known_byte_for_byte_or_not_at_all() {
    let unknown =
        ["", "get", "Get", "GET ", " GET", "GET\0", "GETT", "G\u{395}T", "BREW", "PRI", "LOCK", "*", "/"];
    for method in unknown {
        for path in ["/simple", "/nowhere", "*", ""] {
            assert_eq!(route(method, path, None), Err(Rejection::NotImplemented), "{method:?} {path:?}");
        }
    }
    for method in ["PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "QUERY"] {
        for endpoint in Endpoint::ALL {
            let refused = Err(Rejection::MethodNotAllowed { allow: endpoint.allow() });
            assert_eq!(route(method, endpoint.paths()[0], Some("ms=x")), refused, "{method} {endpoint:?}");
        }
    }
}

/// Queries of `/complex` and the iterations that they mean.
const RIGHT_QUERIES: &[(&str, u64)] = &[
    ("", 5_000_000),
    ("&", 5_000_000),
    ("&&&&", 5_000_000),
    ("iterations=5", 5),
    ("&iterations=5", 5),
    ("iterations=5&", 5),
    ("&&iterations=5&&", 5),
    ("iterations=0", 0),
    ("iterations=00000000000000000000000000000000000000005", 5),
    ("iterations=5000000000", 5_000_000_000),
];

#[test]
fn what_is_lenient_in_a_query_is_listed() {
    for &(query, iterations) in RIGHT_QUERIES {
        for path in Endpoint::Complex.paths() {
            let asked = Ok(Request::Operation(Operation::Complex { iterations }));
            assert_eq!(route("GET", path, Some(query)), asked, "{query:?}");
            assert_eq!(route("HEAD", path, Some(query)), asked, "{query:?}");
        }
    }
}

/// Queries of `/complex` that are refused; the name and the value that the refusal repeats.
const WRONG_QUERIES: &[(&str, &str, &str)] = &[
    // Values that are not digits.
    ("iterations", "iterations", ""),
    ("iterations=", "iterations", ""),
    ("iterations=+1", "iterations", "+1"),
    ("iterations=-1", "iterations", "-1"),
    ("iterations=-0", "iterations", "-0"),
    ("iterations=1+", "iterations", "1+"),
    ("iterations= 1", "iterations", " 1"),
    ("iterations=1 ", "iterations", "1 "),
    ("iterations=1\t", "iterations", "1\t"),
    ("iterations=\0", "iterations", "\0"),
    ("iterations=1\r\nX: y", "iterations", "1\r\nX: y"),
    ("iterations=1.0", "iterations", "1.0"),
    ("iterations=1e3", "iterations", "1e3"),
    ("iterations=0x10", "iterations", "0x10"),
    ("iterations=1_000", "iterations", "1_000"),
    ("iterations=1,000", "iterations", "1,000"),
    ("iterations=NaN", "iterations", "NaN"),
    ("iterations=null", "iterations", "null"),
    ("iterations=true", "iterations", "true"),
    ("iterations=\"1\"", "iterations", "\"1\""),
    ("iterations=\u{661}", "iterations", "\u{661}"),
    ("iterations=\u{ff11}", "iterations", "\u{ff11}"),
    ("iterations=1\u{200b}", "iterations", "1\u{200b}"),
    // Percent-encoding is not undone, neither in values nor in names.
    ("iterations=%31", "iterations", "%31"),
    ("iterations=1%00", "iterations", "1%00"),
    ("iterations=%2B1", "iterations", "%2B1"),
    ("iterations=%", "iterations", "%"),
    ("iterations=%zz", "iterations", "%zz"),
    ("iterations%3D1", "iterations%3D1", ""),
    ("%69terations=1", "%69terations", "1"),
    ("iterations=1%26iterations=2", "iterations", "1%26iterations=2"),
    // Beyond the range, and beyond 64 bits, where a wrapped number would be back in range.
    ("iterations=5000000001", "iterations", "5000000001"),
    ("iterations=18446744073709551615", "iterations", "18446744073709551615"),
    ("iterations=18446744073709551616", "iterations", "18446744073709551616"),
    ("iterations=18446744073709551617", "iterations", "18446744073709551617"),
    (
        "iterations=340282366920938463463374607431768211457",
        "iterations",
        "340282366920938463463374607431768211457",
    ),
    // Names that are not there.
    ("=", "", ""),
    ("=1", "", "1"),
    ("Iterations=1", "Iterations", "1"),
    ("ITERATIONS=1", "ITERATIONS", "1"),
    ("iteration=1", "iteration", "1"),
    ("iterations =1", "iterations ", "1"),
    (" iterations=1", " iterations", "1"),
    ("+iterations=1", "+iterations", "1"),
    ("iterations[]=1", "iterations[]", "1"),
    ("iterations[0]=1", "iterations[0]", "1"),
    ("__proto__=1", "__proto__", "1"),
    ("count=1", "count", "1"),
    ("?iterations=1", "?iterations", "1"),
    ("amp;iterations=1", "amp;iterations", "1"),
    ("iterations=1&x", "x", ""),
    ("x&iterations=1", "x", ""),
    ("iterations=1&=", "", ""),
    ("iterations=1&Iterations=2", "Iterations", "2"),
    // Given twice, whichever a proxy in front would have taken.
    ("iterations=1&iterations=1", "iterations", "1"),
    ("iterations=1&iterations=2", "iterations", "2"),
    ("iterations=1&&iterations=2", "iterations", "2"),
    ("iterations=1&iterations", "iterations", ""),
    ("iterations=1&iterations=x", "iterations", "x"),
    // Only & separates.
    ("iterations=1;", "iterations", "1;"),
    ("iterations=1;iterations=2", "iterations", "1;iterations=2"),
    (";iterations=1", ";iterations", "1"),
    ("iterations=1,iterations=2", "iterations", "1,iterations=2"),
    ("iterations==1", "iterations", "=1"),
    ("iterations=1=2", "iterations", "1=2"),
    ("iterations=1?iterations=2", "iterations", "1?iterations=2"),
    ("iterations=1#x", "iterations", "1#x"),
    // The first wrong pair is the one that is named.
    ("a=1&b=2", "a", "1"),
    ("iterations=x&b=2", "iterations", "x"),
];

#[test]
fn every_wrong_query_is_refused_by_the_name_and_the_value_that_are_wrong() {
    for &(query, wrong_name, wrong_value) in WRONG_QUERIES {
        for (method, path) in [("GET", "/complex"), ("HEAD", "/complex"), ("GET", "/operacion-compleja")] {
            match route(method, path, Some(query)) {
                Err(Rejection::BadParameter { name, given, .. }) => {
                    assert_eq!(
                        (name.as_str(), given.as_deref()),
                        (wrong_name, Some(wrong_value)),
                        "{query:?}"
                    );
                }
                other => panic!("{query:?} gave {other:?}"),
            }
        }
        let methods_only = Ok(Request::Options { allow: Endpoint::Complex.allow() });
        assert_eq!(route("OPTIONS", "/complex", Some(query)), methods_only, "{query:?}");
    }
}

#[test]
fn what_is_no_operation_never_looks_at_the_query() {
    let others = [
        Endpoint::Index,
        Endpoint::Echo,
        Endpoint::Info,
        Endpoint::Healthz,
        Endpoint::Metrics,
        Endpoint::OpenApi,
    ];
    for path in others.iter().flat_map(|endpoint| endpoint.paths()) {
        let asked = route("GET", path, None);
        assert!(asked.is_ok(), "{path}");
        for &(query, ..) in WRONG_QUERIES {
            assert_eq!(route("GET", path, Some(query)), asked, "{path} {query:?}");
        }
    }
    for &(query, ..) in WRONG_QUERIES {
        assert_eq!(route("GET", "/simple", Some(query)).unwrap_err().status(), 400, "{query:?}");
    }
}

/// The contract once more, as plainly as it can be said: the values of the parameters, or `None` for a refusal.
fn read_plainly(endpoint: Endpoint, query: &str) -> Option<Vec<u64>> {
    let parameters = endpoint.parameters();
    let pairs: Vec<&str> = query.split('&').filter(|pair| !pair.is_empty()).collect();
    let known =
        |pair: &&str| parameters.iter().any(|parameter| pair.starts_with(&format!("{}=", parameter.name)));
    if !pairs.iter().all(known) {
        return None;
    }
    let value_of = |parameter: &app::Parameter| {
        let start = format!("{}=", parameter.name);
        let values: Vec<&str> = pairs.iter().filter_map(|pair| pair.strip_prefix(&start)).collect();
        match values[..] {
            [] => parameter.default,
            [value] if !value.is_empty() && value.chars().all(|c| c.is_ascii_digit()) => {
                let significant = value.trim_start_matches('0');
                // No maximum has more than ten digits, and 18 digits are read by any reader.
                let number =
                    if significant.len() > 18 { u64::MAX } else { format!("0{significant}").parse().ok()? };
                (parameter.minimum..=parameter.maximum).contains(&number).then_some(number)
            }
            _ => None,
        }
    };
    parameters.iter().map(value_of).collect()
}

fn values_of(operation: Operation) -> Vec<u64> {
    match operation {
        Operation::Simple => vec![],
        Operation::Complex { iterations } => vec![iterations],
        Operation::Randoms { count, seed } => vec![count.into(), seed.into()],
        Operation::Delay { milliseconds } => vec![milliseconds],
        Operation::Fault(fault) => panic!("{fault} without having been switched on"),
    }
}

/// Text that is nearly a query.
fn nearly_a_query() -> impl Strategy<Value = String> {
    let names = prop::sample::select(vec!["iterations", "count", "seed", "ms", "ITERATIONS", "x", ""]);
    let value = prop_oneof![
        6 => (0..u64::MAX).prop_map(|number| number.to_string()),
        6 => (0..70_000u64).prop_map(|number| number.to_string()),
        2 => (0..5_000_000_010u64).prop_map(|number| format!("{number:030}")),
        2 => prop::sample::select(vec!["5000000000", "5000000001", "4294967295", "4294967296", "60000", "60001"])
            .prop_map(str::to_owned),
        1 => "[0-9]{1,45}",
        1 => "[+-]?[0-9]{0,3}[.eEx%; ]?[0-9]{0,3}",
        1 => any::<String>(),
    ];
    let joint = prop::sample::select(vec!["=", "=", "=", "=", "=", "=", "", "==", "%3D"]);
    let pair = (names, joint, value).prop_map(|(name, joint, value)| format!("{name}{joint}{value}"));
    let separators = prop::sample::select(vec!["&", "&", "&", "&&", ";", "&amp;", "?"]);
    (prop::collection::vec((pair, separators), 0..4), any::<bool>()).prop_map(|(pairs, open)| {
        let mut query: String = pairs.iter().map(|(pair, separator)| format!("{pair}{separator}")).collect();
        // Without the last separator, half of the time.
        if let (true, Some((_, last))) = (open, pairs.last()) {
            query.truncate(query.len() - last.len());
        }
        query
    })
}

/// The longest body of a refusal, in bytes: two texts of 64 characters, each escaped twice at most.
const LONGEST_REFUSAL_BYTES: usize = 4096;

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1024))]

    #[test]
    fn a_query_is_read_as_the_contract_plainly_says(query in nearly_a_query()) {
        for endpoint in [Endpoint::Simple, Endpoint::Complex, Endpoint::Randoms, Endpoint::Delay] {
            let read = match route("GET", endpoint.paths()[0], Some(&query)) {
                Ok(Request::Operation(operation)) => {
                    prop_assert_eq!(operation.endpoint(), Some(endpoint));
                    Some(values_of(operation))
                }
                Ok(other) => panic!("{other:?}"),
                Err(rejection) => {
                    prop_assert_eq!(rejection.status(), 400);
                    None
                }
            };
            prop_assert_eq!(read, read_plainly(endpoint, &query), "{:?} {:?}", endpoint, query);
        }
    }

    #[test]
    fn nothing_at_all_makes_the_router_panic_or_its_refusals_long(
        method in any::<String>(),
        path in any::<String>(),
        query in prop::option::of(any::<String>()),
        known_method in prop::sample::select(vec!["GET", "HEAD", "POST", "OPTIONS", "PUT", "QUERY"]),
        known_path in prop::sample::select(Endpoint::ALL.map(|endpoint| endpoint.paths()[0]).to_vec()),
    ) {
        for method in [method.as_str(), known_method] {
            for path in [path.as_str(), known_path] {
                match route(method, path, query.as_deref()) {
                    Ok(Request::Operation(operation)) => {
                        for (value, parameter) in values_of(operation).iter().zip(operation.endpoint().unwrap().parameters()) {
                            prop_assert!((parameter.minimum..=parameter.maximum).contains(value));
                        }
                    }
                    Ok(_) => {}
                    Err(rejection) => {
                        prop_assert!(matches!(rejection.status(), 400 | 404 | 405 | 501));
                        prop_assert_eq!(rejection.allow().is_some(), rejection.status() == 405);
                        let body = rejection.body();
                        prop_assert!(body.len() <= LONGEST_REFUSAL_BYTES, "{} bytes", body.len());
                        let body: serde_json::Value = serde_json::from_slice(&body).unwrap();
                        prop_assert!(body["error"].is_string());
                    }
                }
            }
        }
    }
}

proptest! {
    // Long text takes its time.
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_refusal_of_long_text_is_short(length in 0..100_000usize, character in any::<char>()) {
        let text: String = std::iter::repeat_n(character, length).collect();
        for query in [format!("{text}=1"), format!("ms={text}"), format!("{text}={text}"), text.clone()] {
            if let Err(rejection) = route("GET", "/delay", Some(&query)) {
                let length = rejection.body().len();
                prop_assert!(length <= LONGEST_REFUSAL_BYTES, "{} bytes", length);
            }
        }
    }
}
