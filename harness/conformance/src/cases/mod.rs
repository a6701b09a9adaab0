//! The cases, by subject. A requirement on a new subject gets a file of its own.

use crate::case::{Case, SMUGGLED, Step, must, send};

pub(crate) mod answers;
pub(crate) mod bodies;
pub(crate) mod chunks;
pub(crate) mod codings;
pub(crate) mod connections;
pub(crate) mod dates;
pub(crate) mod delivery;
pub(crate) mod described;
pub(crate) mod endings;
pub(crate) mod expectations;
pub(crate) mod fields;
pub(crate) mod heads;
pub(crate) mod hosts;
pub(crate) mod lengths;
pub(crate) mod limits;
pub(crate) mod methods;
pub(crate) mod parameters;
pub(crate) mod preconditions;
pub(crate) mod request_line;
pub(crate) mod reuse;
pub(crate) mod targets;
pub(crate) mod upgrades;

/// The contract's answer to a malformed request.
const BAD: &[u16] = &[400];
/// RFC 9112 section 6.1 would have 501 for an unknown coding, section 6.3 and the contract 400.
const BAD_CODING: &[u16] = &[400, 501];
/// RFC 9110 section 15.6.6 would have 505 for another major version.
const BAD_VERSION: &[u16] = &[400, 505];

/// The start of a request whose body comes back.
const ECHO: &str = "POST /echo HTTP/1.1\r\nHost: c\r\n";
/// The start of a request without body.
const SIMPLE: &str = "GET /simple HTTP/1.1\r\nHost: c\r\n";

/// A request that must be refused: what must hold, who says so, and bytes.
type Refused = (&'static str, &'static str, &'static [u8]);

/// A case for each row: `start`, the row's bytes and `end` are refused.
fn refused(start: &str, rows: &[Refused], end: &[u8], statuses: &'static [u16]) -> Vec<Case> {
    let case = |&(name, source, bytes): &Refused| {
        must(name, source, vec![send([start.as_bytes(), bytes, end].concat()), Step::Refusal(statuses)])
    };
    rows.iter().map(case).collect()
}

/// [`SMUGGLED`] behind these bytes.
fn and_smuggled(bytes: &[u8]) -> Vec<u8> {
    [bytes, SMUGGLED].concat()
}

/// A request whose body is [`SMUGGLED`], of that length.
fn around_smuggled(method: &str, target: &str, fields: &str) -> Vec<u8> {
    let length = SMUGGLED.len();
    let head = format!("{method} {target} HTTP/1.1\r\nHost: c\r\n{fields}Content-Length: {length}\r\n\r\n");
    and_smuggled(head.as_bytes())
}
