//! What the contract has a server answer to a valid message, routed by [`contract`].

use app::Request;

use crate::{
    connection::{Frugal, MAX_CONTENT_BYTES, SERVER},
    requests::Message,
    route::{Verdict, contract},
};

/// The answer to one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// Its status.
    pub status: u16,
    /// Its content, as the answer to GET has it; `None` where that depends on more than the message.
    pub content: Option<Vec<u8>>,
    /// The server closes, whatever the message asked for.
    pub closes: bool,
}

/// The answer to `message`.
pub fn expected(message: &Message<'_>) -> Expected {
    if message.content.len() > MAX_CONTENT_BYTES {
        return Expected { status: 413, content: None, closes: true };
    }
    let (path, query) = path_and_query(message);
    let request = match contract(message.method, path, query) {
        Verdict::Rejected(status) => return Expected { status, content: None, closes: false },
        Verdict::Accepted(request) => request,
    };
    if let Some(status) = unmet(message, &request) {
        return Expected { status, content: None, closes: false };
    }
    let (status, content) = match request {
        Request::Operation(operation) if Frugal::computes(&operation) => {
            (200, Some(operation.run().body(SERVER, "t0")))
        }
        Request::Operation(_) => (503, None),
        Request::Index => (200, Some(app::index_body())),
        Request::OpenApi => (200, Some(app::OPENAPI.into())),
        Request::Echo if message.method == "POST" => (200, Some(message.content.clone())),
        Request::Echo | Request::Info | Request::Metrics => (200, None),
        Request::Healthz => (200, Some(b"ok".to_vec())),
        Request::Options { .. } => (204, Some(Vec::new())),
    };
    Expected { status, content, closes: false }
}

/// RFC 9110 section 13.2: the status of what is not performed. Whatever is served has a representation, and no entity tag.
fn unmet(message: &Message<'_>, request: &Request) -> Option<u16> {
    let reads = matches!(message.method, "GET" | "HEAD");
    match (request, message.if_match, message.if_none_match) {
        (Request::Options { .. }, _, _) => None,
        (_, Some(false), _) => Some(412),
        (_, _, Some(true)) => Some(if reads { 304 } else { 412 }),
        _ => None,
    }
}

pub(crate) fn path_and_query<'a>(message: &Message<'a>) -> (&'a str, Option<&'a str>) {
    let target = match message.target.split_once("://") {
        // RFC 9112 section 3.2.2; section 3.2.4 for OPTIONS.
        Some((scheme, rest)) if !scheme.starts_with(['/', '*']) => {
            let path = rest.find(['/', '?']).map_or("", |start| &rest[start..]);
            match path {
                "" if message.method == "OPTIONS" => "*",
                path => path,
            }
        }
        _ => message.target,
    };
    let (path, query) = match target.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (target, None),
    };
    (if path.is_empty() { "/" } else { path }, query)
}
