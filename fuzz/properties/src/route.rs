//! The router, against the contract's table written down a second time.
//!
//! An input is text of two lines: the method and the target. What must hold: the router accepts exactly what the table
//! accepts, with the same values; what it rejects has the status that the contract gives, and a body of bounded size that
//! is JSON; it is a function; HEAD is routed as GET.

use app::{Operation, Rejection, Request};

use crate::{Violation, violation};

/// The shape of [`app::route`].
pub type Outcome = Result<Request, Rejection>;

/// The most bytes of a rejection's body: a few texts of its own, and twice, escaped, what it repeats of the client's.
const MAX_REJECTION_BYTES: usize = 4096;

/// Checks [`app::route`].
///
/// # Errors
/// What it does that the contract forbids.
pub fn check(input: &[u8]) -> Result<(), Violation> {
    check_router(app::route, input)
}

/// Checks any router.
///
/// # Errors
/// What it does that the contract forbids.
pub fn check_router(
    router: impl Fn(&str, &str, Option<&str>) -> Outcome,
    input: &[u8],
) -> Result<(), Violation> {
    let text = String::from_utf8_lossy(input);
    let (method, target) = text.split_once('\n').unwrap_or(("GET", &text));
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    let outcome = router(method, path, query);
    let given = || format!("{method:?} {path:?} {query:?}");

    let expected = contract(method, path, query);
    let found = match &outcome {
        Ok(request) => Verdict::Accepted(*request),
        Err(rejection) => Verdict::Rejected(rejection.status()),
    };
    if found != expected {
        return violation!("{}: {outcome:?}, but the contract says {expected:?}", given());
    }
    if outcome != router(method, path, query) {
        return violation!("{}: routed differently the second time", given());
    }
    if method == "HEAD" && outcome != router("GET", path, query) {
        return violation!("{}: GET is routed differently", given());
    }
    match outcome {
        Ok(_) => Ok(()),
        Err(rejection) => {
            check_rejection(&rejection).map_err(|what| Violation(format!("{}: {what}", given())))
        }
    }
}

fn check_rejection(rejection: &Rejection) -> Result<(), String> {
    if rejection.allow().is_some() != (rejection.status() == 405) {
        return Err(format!("status {} with Allow {:?}", rejection.status(), rejection.allow()));
    }
    let body = rejection.body();
    if body.len() > MAX_REJECTION_BYTES {
        return Err(format!("the body of the rejection has {} bytes", body.len()));
    }
    match serde_json::from_slice::<serde_json::Value>(&body) {
        Ok(json) if json["error"].is_string() => Ok(()),
        Ok(json) => Err(format!("the rejection explains nothing: {json}")),
        Err(error) => Err(format!("the body of the rejection is not JSON: {error}")),
    }
}

/// What the contract says of a request line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// To be served.
    Accepted(Request),
    /// Answered with this status.
    Rejected(u16),
}

/// The contract, read independently of the router.
pub fn contract(method: &str, path: &str, query: Option<&str>) -> Verdict {
    const METHODS: [&str; 10] =
        ["GET", "HEAD", "POST", "OPTIONS", "PUT", "DELETE", "PATCH", "TRACE", "CONNECT", "QUERY"];
    const READ: &str = "GET, HEAD, OPTIONS";
    const READ_AND_POST: &str = "GET, HEAD, POST, OPTIONS";
    if !METHODS.contains(&method) {
        return Verdict::Rejected(501);
    }
    if (method, path) == ("OPTIONS", "*") {
        return Verdict::Accepted(Request::Options { allow: READ_AND_POST });
    }
    let allow = match path {
        "/echo" => READ_AND_POST,
        "/"
        | "/simple"
        | "/operacion-simple"
        | "/complex"
        | "/operacion-compleja"
        | "/api/randoms"
        | "/delay"
        | "/info"
        | "/healthz"
        | "/metrics"
        | "/openapi.yaml" => READ,
        _ => return Verdict::Rejected(404),
    };
    if !allow.split(", ").any(|allowed| allowed == method) {
        return Verdict::Rejected(405);
    }
    if method == "OPTIONS" {
        return Verdict::Accepted(Request::Options { allow });
    }
    let request = match path {
        "/" => Some(Request::Index),
        "/openapi.yaml" => Some(Request::OpenApi),
        "/echo" => Some(Request::Echo),
        "/info" => Some(Request::Info),
        "/healthz" => Some(Request::Healthz),
        "/metrics" => Some(Request::Metrics),
        _ => operation(path, query.unwrap_or_default()).map(Request::Operation),
    };
    request.map_or(Verdict::Rejected(400), Verdict::Accepted)
}

fn operation(path: &str, query: &str) -> Option<Operation> {
    let mut pairs = Vec::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        pairs.push((name, value));
    }
    // Takes a parameter out of the pairs; what is left at the end is unknown or repeated.
    let mut take = |name, maximum: u128, default: Option<u128>| {
        let Some(position) = pairs.iter().position(|pair| pair.0 == name) else { return default };
        let (_, value) = pairs.remove(position);
        let digits = value.trim_start_matches('0');
        let plain = !value.is_empty() && value.chars().all(|c| c.is_ascii_digit());
        let number = if digits.is_empty() { 0 } else { digits.get(..20).unwrap_or(digits).parse().ok()? };
        (plain && number <= maximum).then_some(number)
    };
    let operation = match path {
        "/simple" | "/operacion-simple" => Operation::Simple,
        "/complex" | "/operacion-compleja" => Operation::Complex {
            iterations: u64::try_from(take("iterations", 5_000_000_000, Some(5_000_000))?).ok()?,
        },
        "/api/randoms" => Operation::Randoms {
            count: u32::try_from(take("count", 100_000_000, Some(100_000))?).ok()?,
            seed: u32::try_from(take("seed", 4_294_967_295, Some(0))?).ok()?,
        },
        "/delay" => Operation::Delay { milliseconds: u64::try_from(take("ms", 60_000, None)?).ok()? },
        _ => return None,
    };
    pairs.is_empty().then_some(operation)
}
