//! What a request must be before it is routed: the HTTP policy that hyper leaves to the service.
//!
//! hyper refuses a malformed head, a bad Content-Length and a Transfer-Encoding that does not end in `chunked` by itself.
//! Left to this module: Host, other transfer codings, expectations, the announced length of a body.
//! Each check is a function over the head, so that the table below grows by one line for each.

use hyper::{
    StatusCode, Version,
    body::{Body, Incoming},
    header::{EXPECT, HOST, HeaderMap, TRANSFER_ENCODING},
    http::request::Parts,
};

/// A request that is refused before it is routed. The connection closes after each: what follows on it
/// may not be what the client takes it for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) reason: &'static str,
}

const fn refuse(status: StatusCode, reason: &'static str) -> Result<(), Refusal> {
    Err(Refusal { status, reason })
}

pub(crate) const BODY_TOO_LONG: Refusal = Refusal {
    status: StatusCode::PAYLOAD_TOO_LARGE,
    reason: "the body is longer than this server takes (--max-body)",
};
pub(crate) const BODY_TOO_SLOW: Refusal = Refusal {
    status: StatusCode::REQUEST_TIMEOUT,
    reason: "the body did not arrive in time (--body-timeout)",
};
pub(crate) const BODY_BROKEN: Refusal =
    Refusal { status: StatusCode::BAD_REQUEST, reason: "the body is malformed or was cut short" };

/// Checks a head.
pub(crate) fn check(head: &Parts, body: &Incoming, max_body_bytes: u64) -> Result<(), Refusal> {
    host(head)?;
    // Nearly all requests are a GET with neither: one look decides for both checks.
    if head.method != hyper::Method::GET || !body.is_end_stream() || head.headers.contains_key(EXPECT) {
        transfer_coding(&head.headers)?;
        expectation(&head.headers)?;
    }
    match body.size_hint().exact() {
        Some(length) if length > max_body_bytes => Err(BODY_TOO_LONG),
        _ => Ok(()),
    }
}

/// RFC 9112 section 3.2: exactly one Host in HTTP/1.1, and a valid one; HTTP/1.0 may leave it out.
fn host(head: &Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version < Version::HTTP_11 => Ok(()),
        (None, _) => refuse(StatusCode::BAD_REQUEST, "the Host header is missing"),
        (Some(_), Some(_)) => refuse(StatusCode::BAD_REQUEST, "the Host header is repeated"),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => refuse(StatusCode::BAD_REQUEST, "the Host header is no host and port"),
    }
}

/// RFC 3986 section 3.2.2, `host [":" port]`; empty where the target has no authority.
fn is_host(value: &[u8]) -> bool {
    let (name, port) = match value {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&byte| byte == b']') else { return false };
            let (literal, after) = rest.split_at(end);
            let is_literal = literal.iter().all(|byte| byte.is_ascii_hexdigit() || b":.vV".contains(byte));
            if literal.is_empty() || !is_literal {
                return false;
            }
            (&[][..], &after[1..])
        }
        _ => value.split_at(value.iter().position(|&byte| byte == b':').unwrap_or(value.len())),
    };
    let is_name = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~%!$&'()*+,;=".contains(byte);
    let is_port = match port {
        [] => true,
        [b':', digits @ ..] => digits.len() <= 5 && digits.iter().all(u8::is_ascii_digit),
        _ => false,
    };
    is_port && name.iter().all(is_name)
}

/// RFC 9112 section 6.1: the only coding this server knows is `chunked`.
fn transfer_coding(headers: &HeaderMap) -> Result<(), Refusal> {
    let mut codings = headers.get_all(TRANSFER_ENCODING).iter();
    match (codings.next(), codings.next()) {
        (None, _) => Ok(()),
        (Some(coding), None) if coding.as_bytes().trim_ascii().eq_ignore_ascii_case(b"chunked") => Ok(()),
        _ => refuse(StatusCode::BAD_REQUEST, "the transfer coding is not known, use chunked"),
    }
}

/// RFC 9110 section 10.1.1: the only expectation is 100-continue, which hyper answers when the body is read.
fn expectation(headers: &HeaderMap) -> Result<(), Refusal> {
    let met =
        |expected: &hyper::header::HeaderValue| expected.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if headers.get_all(EXPECT).iter().all(met) {
        Ok(())
    } else {
        refuse(StatusCode::EXPECTATION_FAILED, "the only expectation that can be met is 100-continue")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_names_addresses_and_literals_with_or_without_a_port() {
        for host in ["", "a", "a.example:80", "127.0.0.1:8080", "[::1]", "[::1]:8080", "a:", "x_y"] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for wrong in [
            "a b", "a/b", "u@a", "a:b", "a:123456", "a:80:80", "[::1", "[]", "[::1]x", "a?b", "a#b", "\u{e9}",
        ] {
            assert!(!is_host(wrong.as_bytes()), "{wrong}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_host_check_panic(bytes: Vec<u8>) {
            is_host(&bytes);
        }
    }
}
