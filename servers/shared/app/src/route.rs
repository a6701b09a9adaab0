//! From a method and a target to what must be done, or to the reason why nothing is.

use crate::endpoint::{DRAWS, Endpoint, ITERATIONS, MILLISECONDS, NONE};
use crate::fault::{self, Asked, Faults};
use crate::method::{ALLOW_ANY, Method};
use crate::operation::Operation;
use crate::query;
use crate::rejection::Rejection;

/// A request that was understood. HEAD gives the same value as GET: whoever writes the answer leaves the
/// body out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Request {
    /// Compute or wait; the answer is what [`Operation::run`] gives.
    Operation(Operation),
    /// Answer with [`crate::index_body`].
    Index,
    /// Return the body (POST) or the header fields (GET, HEAD).
    Echo,
    /// Answer with an [`crate::Info`].
    Info,
    /// Say whether the server is ready.
    Healthz,
    /// Give the counters.
    Metrics,
    /// Answer with [`crate::OPENAPI`].
    OpenApi,
    /// Answer 204 with this `Allow` header.
    Options {
        /// The value of the header.
        allow: &'static str,
    },
}

impl Request {
    /// The endpoint that was asked; `None` for OPTIONS, which asks about one, and for a fault.
    pub fn endpoint(&self) -> Option<Endpoint> {
        Some(match self {
            Self::Operation(operation) => return operation.endpoint(),
            Self::Index => Endpoint::Index,
            Self::Echo => Endpoint::Echo,
            Self::Info => Endpoint::Info,
            Self::Healthz => Endpoint::Healthz,
            Self::Metrics => Endpoint::Metrics,
            Self::OpenApi => Endpoint::OpenApi,
            Self::Options { .. } => return None,
        })
    }
}

/// Understands a request line.
///
/// `path` and `query` are the target's parts without the `?`; for `OPTIONS *` the path is `*`. Where
/// several things are wrong, the one that the client must mend first is reported: an unknown method (501),
/// then the path (404), then the method on that path (405), then the parameters (400).
///
/// # Errors
///
/// A [`Rejection`], which knows its status, `Allow` header and body.
pub fn route(method: &str, path: &str, query: Option<&str>) -> Result<Request, Rejection> {
    route_with(method, path, query, Faults::Off)
}

/// As [`route`], where `faults` says whether faults can be asked for. That is looked at only where the path is no endpoint's.
///
/// # Errors
/// See [`route`].
pub fn route_with(
    method: &str,
    path: &str,
    query: Option<&str>,
    faults: Faults,
) -> Result<Request, Rejection> {
    let method = Method::parse(method).ok_or(Rejection::NotImplemented)?;
    if method == Method::Options && path == "*" {
        return Ok(Request::Options { allow: ALLOW_ANY });
    }
    let Some(endpoint) = Endpoint::of(path) else {
        return fault::asked(method, path, query, faults).map(|asked| match asked {
            Asked::Fault(fault) => Request::Operation(Operation::Fault(fault)),
            Asked::Options { allow } => Request::Options { allow },
        });
    };
    if !endpoint.allows(method) {
        return Err(Rejection::MethodNotAllowed { allow: endpoint.allow() });
    }
    if method == Method::Options {
        return Ok(Request::Options { allow: endpoint.allow() });
    }
    Ok(match endpoint {
        Endpoint::Index => Request::Index,
        Endpoint::Echo => Request::Echo,
        Endpoint::Info => Request::Info,
        Endpoint::Healthz => Request::Healthz,
        Endpoint::Metrics => Request::Metrics,
        Endpoint::OpenApi => Request::OpenApi,
        Endpoint::Simple => {
            let [] = query::values(query, &NONE)?;
            Request::Operation(Operation::Simple)
        }
        Endpoint::Complex => {
            let [iterations] = query::values(query, &ITERATIONS)?;
            Request::Operation(Operation::Complex { iterations })
        }
        Endpoint::Randoms => {
            let [count, seed] = query::values(query, &DRAWS)?;
            Request::Operation(Operation::Randoms { count: fits(count), seed: fits(seed) })
        }
        Endpoint::Delay => {
            let [milliseconds] = query::values(query, &MILLISECONDS)?;
            Request::Operation(Operation::Delay { milliseconds })
        }
    })
}

/// A parameter whose declared maximum fits in 32 bits.
fn fits(value: u64) -> u32 {
    u32::try_from(value).expect("the range of this parameter ends below 2^32")
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn body_of(rejection: &Rejection) -> String {
        String::from_utf8(rejection.body()).unwrap()
    }

    #[test]
    fn every_endpoint_is_reached_by_get_and_head_alike() {
        for endpoint in Endpoint::ALL {
            for path in endpoint.paths() {
                let query = (endpoint == Endpoint::Delay).then_some("ms=5");
                let got = route("GET", path, query).unwrap();
                assert_eq!(got.endpoint(), Some(endpoint), "{path}");
                assert_eq!(route("HEAD", path, query), Ok(got), "{path}");
            }
            let (path, query) = endpoint.example().split_once('?').unwrap_or((endpoint.example(), ""));
            assert_eq!(route("GET", path, Some(query)).unwrap().endpoint(), Some(endpoint));
        }
    }

    #[test]
    fn parameters_reach_their_operation() {
        let operation = |path, query| match route("GET", path, Some(query)) {
            Ok(Request::Operation(operation)) => operation,
            other => panic!("{other:?}"),
        };
        assert_eq!(operation("/complex", "iterations=7"), Operation::Complex { iterations: 7 });
        assert_eq!(operation("/operacion-compleja", ""), Operation::Complex { iterations: 5_000_000 });
        assert_eq!(
            operation("/api/randoms", "seed=4294967295&count=3"),
            Operation::Randoms { count: 3, seed: u32::MAX }
        );
        assert_eq!(operation("/delay", "ms=60000"), Operation::Delay { milliseconds: 60_000 });
    }

    #[test]
    fn the_first_thing_to_mend_is_the_one_reported() {
        assert_eq!(route("BREW", "/nowhere", None), Err(Rejection::NotImplemented));
        assert_eq!(route("get", "/simple", None), Err(Rejection::NotImplemented));
        assert_eq!(route("DELETE", "/nowhere", None), Err(Rejection::NotFound));
        assert_eq!(route("GET", "*", None), Err(Rejection::NotFound));
        assert_eq!(route("OPTIONS", "/nowhere", None), Err(Rejection::NotFound));
        let not_allowed = Err(Rejection::MethodNotAllowed { allow: "GET, HEAD, OPTIONS" });
        assert_eq!(route("POST", "/complex", Some("iterations=x")), not_allowed);
    }

    #[test]
    fn options_tells_what_a_path_allows() {
        assert_eq!(route("OPTIONS", "/echo", None), Ok(Request::Options { allow: Endpoint::Echo.allow() }));
        assert_eq!(route("OPTIONS", "*", None), Ok(Request::Options { allow: ALLOW_ANY }));
        assert_eq!(route("OPTIONS", "/delay", None), Ok(Request::Options { allow: "GET, HEAD, OPTIONS" }));
    }

    #[test]
    fn operations_refuse_what_they_do_not_read_and_other_endpoints_ignore_it() {
        assert_eq!(route("GET", "/simple", Some("iterations=5")).unwrap_err().status(), 400);
        assert_eq!(route("GET", "/healthz", Some("probe=1")), Ok(Request::Healthz));
    }

    #[test]
    fn a_bad_parameter_is_explained_in_json() {
        let rejection = route("GET", "/delay", Some("ms=60001")).unwrap_err();
        assert_eq!(
            body_of(&rejection),
            r#"{"error":"bad parameter ms: expected an integer from 0 to 60000, not \"60001\"","parameter":"ms","expected":"an integer from 0 to 60000","minimum":0,"maximum":60000,"given":"60001"}"#
        );
        let missing = route("GET", "/delay", None).unwrap_err();
        assert!(body_of(&missing).contains("from 0 to 60000, but it is missing"), "{}", body_of(&missing));
        let unknown = route("GET", "/api/randoms", Some("cuont=1")).unwrap_err();
        assert!(body_of(&unknown).contains("only count and seed"), "{}", body_of(&unknown));
    }

    proptest! {
        #[test]
        fn hostile_text_gives_a_rejection_whose_body_is_json(path in ".*", query in ".*") {
            for path in [path.as_str(), "/complex", "/api/randoms", "/delay", "/simple"] {
                if let Err(rejection) = route("GET", path, Some(&query)) {
                    let body: serde_json::Value = serde_json::from_slice(&rejection.body()).unwrap();
                    prop_assert!(body["error"].is_string());
                }
            }
        }
    }
}
