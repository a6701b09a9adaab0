//! The endpoints as data: paths, aliases, methods, parameters. The router, the index page and the
//! conformance suite all read this one table.

use crate::method::Method;

/// An endpoint, whichever of its paths was used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Endpoint {
    /// `/`: lists the endpoints.
    Index,
    /// `/simple`: a sum too small to be worth moving to another thread.
    Simple,
    /// `/complex`: a sum as large as the client asks for.
    Complex,
    /// `/api/randoms`: draws and counts random numbers.
    Randoms,
    /// `/delay`: waits without holding a CPU.
    Delay,
    /// `/echo`: returns what was sent.
    Echo,
    /// `/info`: the serving process and its machine.
    Info,
    /// `/healthz`: readiness.
    Healthz,
    /// `/metrics`: Prometheus text.
    Metrics,
    /// `/openapi.yaml`: the description of all of this for programs.
    OpenApi,
}

/// A query parameter: an unsigned integer in a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Parameter {
    /// Its name in the query string.
    pub name: &'static str,
    /// The smallest value accepted.
    pub minimum: u64,
    /// The largest value accepted.
    pub maximum: u64,
    /// What it is when absent; `None` means that it must be given.
    pub default: Option<u64>,
}

/// How far `/complex` counts. JavaScript gives the exact sum up to 134,217,728; the maximum is some seconds
/// of work, and its sum (1.25e19) still fits in 64 bits.
pub(crate) static ITERATIONS: [Parameter; 1] =
    [Parameter { name: "iterations", minimum: 0, maximum: 5_000_000_000, default: Some(5_000_000) }];

/// What `/api/randoms` draws. The seed has a fixed default, since equal requests must have equal answers.
pub(crate) static DRAWS: [Parameter; 2] = [
    Parameter { name: "count", minimum: 0, maximum: 100_000_000, default: Some(100_000) },
    Parameter { name: "seed", minimum: 0, maximum: u32::MAX as u64, default: Some(0) },
];

/// How long `/delay` waits, in milliseconds. There is no default: a delay that nobody asked for would only
/// be a surprise.
pub(crate) static MILLISECONDS: [Parameter; 1] =
    [Parameter { name: "ms", minimum: 0, maximum: 60_000, default: None }];

/// For the one operation without parameters.
pub(crate) static NONE: [Parameter; 0] = [];

impl Endpoint {
    /// Every endpoint, in the order in which they are listed to a reader.
    pub const ALL: [Self; 10] = [
        Self::Index,
        Self::Simple,
        Self::Complex,
        Self::Randoms,
        Self::Delay,
        Self::Echo,
        Self::Info,
        Self::Healthz,
        Self::Metrics,
        Self::OpenApi,
    ];

    /// The endpoint at `path`, which is matched byte for byte: no trailing slash, no percent-decoding.
    pub fn of(path: &str) -> Option<Self> {
        Some(match path {
            "/" => Self::Index,
            "/simple" | "/operacion-simple" => Self::Simple,
            "/complex" | "/operacion-compleja" => Self::Complex,
            "/api/randoms" => Self::Randoms,
            "/delay" => Self::Delay,
            "/echo" => Self::Echo,
            "/info" => Self::Info,
            "/healthz" => Self::Healthz,
            "/metrics" => Self::Metrics,
            "/openapi.yaml" => Self::OpenApi,
            _ => return None,
        })
    }

    /// Its paths, the main one first. The aliases are those of the exercise that this project descends
    /// from, so that its commands run unchanged.
    pub fn paths(self) -> &'static [&'static str] {
        match self {
            Self::Index => &["/"],
            Self::Simple => &["/simple", "/operacion-simple"],
            Self::Complex => &["/complex", "/operacion-compleja"],
            Self::Randoms => &["/api/randoms"],
            Self::Delay => &["/delay"],
            Self::Echo => &["/echo"],
            Self::Info => &["/info"],
            Self::Healthz => &["/healthz"],
            Self::Metrics => &["/metrics"],
            Self::OpenApi => &["/openapi.yaml"],
        }
    }

    /// A short name for labels, the same for all paths of the endpoint.
    pub fn name(self) -> &'static str {
        match self {
            Self::Index => "index",
            Self::Simple => "simple",
            Self::Complex => "complex",
            Self::Randoms => "randoms",
            Self::Delay => "delay",
            Self::Echo => "echo",
            Self::Info => "info",
            Self::Healthz => "healthz",
            Self::Metrics => "metrics",
            Self::OpenApi => "openapi",
        }
    }

    /// Its position in [`Endpoint::ALL`]: an index for a table of counters.
    pub fn index(self) -> usize {
        self as usize
    }

    /// The value of its `Allow` header.
    pub fn allow(self) -> &'static str {
        match self {
            Self::Echo => "GET, HEAD, POST, OPTIONS",
            _ => "GET, HEAD, OPTIONS",
        }
    }

    /// Whether it answers `method`. OPTIONS is answered for it, by every path.
    pub fn allows(self, method: Method) -> bool {
        match method {
            Method::Get | Method::Head | Method::Options => true,
            Method::Post => self == Self::Echo,
            _ => false,
        }
    }

    /// The query parameters that it reads; all others are refused where this is an operation, and ignored
    /// elsewhere (a probe may add what it likes to `/healthz`).
    pub fn parameters(self) -> &'static [Parameter] {
        match self {
            Self::Complex => &ITERATIONS,
            Self::Randoms => &DRAWS,
            Self::Delay => &MILLISECONDS,
            _ => &NONE,
        }
    }

    /// What it does, in a few words for the index page.
    pub fn summary(self) -> &'static str {
        match self {
            Self::Index => "lists the endpoints",
            Self::Simple => "sums 0..1000",
            Self::Complex => "sums 0..iterations one by one; the payload is iterations*(iterations-1)/2",
            Self::Randoms => "draws count numbers in 1..=1000 (mulberry32 from seed) and counts each",
            Self::Delay => "waits ms milliseconds without holding a CPU",
            Self::Echo => "POST returns the body, GET the request's header fields as text",
            Self::Info => "tells about the serving process and its machine",
            Self::Healthz => "says ok, or 503 while draining",
            Self::Metrics => "gives counters as Prometheus text",
            Self::OpenApi => "describes all of this for programs (OpenAPI 3.1)",
        }
    }

    /// A target to try.
    pub fn example(self) -> &'static str {
        match self {
            Self::Complex => "/complex?iterations=1000000",
            Self::Randoms => "/api/randoms?count=1000&seed=42",
            Self::Delay => "/delay?ms=100",
            _ => self.paths()[0],
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_path_leads_back_to_its_endpoint() {
        for (position, endpoint) in Endpoint::ALL.into_iter().enumerate() {
            assert_eq!(endpoint.index(), position);
            for path in endpoint.paths() {
                assert_eq!(Endpoint::of(path), Some(endpoint), "{path}");
            }
        }
    }

    #[test]
    fn a_path_that_is_only_nearly_right_is_unknown() {
        for path in ["", "*", "simple", "/simple/", "//simple", "/Simple", "/api", "/%73imple"] {
            assert_eq!(Endpoint::of(path), None, "{path}");
        }
    }

    #[test]
    fn the_allow_header_lists_exactly_the_methods_that_are_allowed() {
        use Method::*;
        for endpoint in Endpoint::ALL {
            let listed: Vec<_> = endpoint.allow().split(", ").filter_map(Method::parse).collect();
            for method in [Get, Head, Post, Options, Put, Delete, Patch, Trace, Connect, Query] {
                assert_eq!(endpoint.allows(method), listed.contains(&method), "{endpoint:?} {method:?}");
            }
        }
    }

    #[test]
    fn defaults_lie_within_their_ranges() {
        for parameter in Endpoint::ALL.into_iter().flat_map(Endpoint::parameters) {
            let range = parameter.minimum..=parameter.maximum;
            assert!(parameter.default.is_none_or(|value| range.contains(&value)), "{parameter:?}");
        }
    }
}
