//! What a request must be before it is routed: the HTTP policy that hyper leaves to the service.
//!
//! hyper refuses a malformed head, a bad Content-Length and a Transfer-Encoding that does not end in `chunked` by itself;
//! [`crate::framing`] refuses what hyper would hide. Left to this module: what the target may be, Host, other transfer
//! codings, expectations, the announced length of a body. Each check is a function over the head, so that the table below
//! grows by one line for each.

use std::net::Ipv6Addr;

use hyper::{
    Method, StatusCode, Uri, Version,
    body::{Body, Incoming},
    header::{EXPECT, HOST, HeaderMap, HeaderValue, TRANSFER_ENCODING},
    http::{request::Parts, uri::Scheme},
};

use crate::{class::Class, framing::Excess};

/// Whether the policy is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, clap::ValueEnum)]
pub enum Policy {
    /// Requests are checked, here and in [`crate::framing`].
    #[default]
    Enforced,
    /// Whatever hyper lets through is served: for measuring what the checks cost, and for nothing else.
    Off,
}

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

const fn bad(reason: &'static str) -> Result<(), Refusal> {
    refuse(StatusCode::BAD_REQUEST, reason)
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

/// The refusal of a head that is too long, by the part with which it became so: RFC 9112 section 3 for the first two, RFC 6585
/// section 5 for the third.
pub(crate) const fn too_long(excess: Excess) -> Refusal {
    match excess {
        Excess::Method => Refusal {
            status: StatusCode::NOT_IMPLEMENTED,
            reason: "the method is longer than any that is known",
        },
        Excess::Target => Refusal {
            status: StatusCode::URI_TOO_LONG,
            reason: "the target is longer than this server takes",
        },
        Excess::Fields => Refusal {
            status: StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            reason: "the head is longer than this server takes, or has too many fields",
        },
    }
}

/// What a host's name has unencoded (reg-name, RFC 3986 section 3.2.2), but the comma.
static HOST_NAME: Class = Class::alphanumeric_and(b"-._~!$&'()*+;=");
/// What an address of a future version has.
static LITERAL: Class = Class::alphanumeric_and(b"-._~!$&'()*+,;=:");
/// What paths and queries have unencoded.
static TARGET: Class = Class::alphanumeric_and(b"/-._~!$&'()*+,;=:@?");

/// Checks a head.
pub(crate) fn check(head: &Parts, body: &Incoming) -> Result<(), Refusal> {
    host(head)?;
    target(&head.method, &head.uri)?;
    // Nearly all requests are a GET with neither: one look decides for both checks.
    if head.method != Method::GET || !body.is_end_stream() || head.headers.contains_key(EXPECT) {
        transfer_coding(&head.headers)?;
        expectation(head)?;
    }
    Ok(())
}

/// Checks the length that a body announces.
pub(crate) fn check_length(body: &Incoming, max_body_bytes: u64) -> Result<(), Refusal> {
    match body.size_hint().exact() {
        Some(length) if length > max_body_bytes => Err(BODY_TOO_LONG),
        _ => Ok(()),
    }
}

/// Whether the client waits for leave to send its body (RFC 9110 section 10.1.1); one that speaks HTTP/1.0 cannot.
pub(crate) fn waits_for_leave(head: &Parts) -> bool {
    head.version >= Version::HTTP_11 && head.headers.contains_key(EXPECT)
}

/// RFC 9112 section 3.2: exactly one Host in HTTP/1.1, and a valid one; HTTP/1.0 may leave it out.
fn host(head: &Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (None, _) if head.version < Version::HTTP_11 => Ok(()),
        (None, _) => bad("the Host header is missing"),
        (Some(_), Some(_)) => bad("the Host header is repeated"),
        (Some(host), None) if is_host(host.as_bytes()) => Ok(()),
        (Some(_), None) => bad("the Host header is no host and port"),
    }
}

/// RFC 3986 section 3.2.2 and 3.2.3, `host [":" port]`, as far as it can be an http server's: not empty (RFC 9110 section
/// 4.2.1), and without the comma that reg-name would allow, since a list is what comes of a repeated field.
fn is_host(value: &[u8]) -> bool {
    let (name, port) = match value {
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|&byte| byte == b']') else { return false };
            if !is_ip_literal(&rest[..end]) {
                return false;
            }
            (None, &rest[end + 1..])
        }
        _ => {
            let end = value.iter().position(|&byte| byte == b':').unwrap_or(value.len());
            (Some(&value[..end]), &value[end..])
        }
    };
    is_port(port) && name.is_none_or(|name| !name.is_empty() && HOST_NAME.encodes(name))
}

/// What may follow the name or address: nothing, or a colon and a number that a port can have, if any.
fn is_port(text: &[u8]) -> bool {
    match text {
        [] => true,
        [b':', digits @ ..] => {
            let number = digits.iter().try_fold(0_u32, |number, byte| match byte {
                b'0'..=b'9' => Some(number * 10 + u32::from(byte - b'0')).filter(|&number| number <= 65_535),
                _ => None,
            });
            number.is_some()
        }
        _ => false,
    }
}

/// What stands between brackets: an IPv6 address, or a future version's, `"v" hex "." more`.
fn is_ip_literal(literal: &[u8]) -> bool {
    let Ok(literal) = std::str::from_utf8(literal) else { return false };
    match literal.strip_prefix(['v', 'V']).and_then(|future| future.split_once('.')) {
        Some((version, rest)) => {
            !version.is_empty()
                && version.bytes().all(|byte| byte.is_ascii_hexdigit())
                && !rest.is_empty()
                && rest.bytes().all(|byte| LITERAL.has(byte))
        }
        None => literal.parse::<Ipv6Addr>().is_ok(),
    }
}

/// RFC 9112 section 3.2: the four forms, and only the bytes that a URI has (RFC 3986 section 3.3 and 3.4).
fn target(method: &Method, uri: &Uri) -> Result<(), Refusal> {
    if method == Method::CONNECT {
        return refuse(StatusCode::NOT_IMPLEMENTED, "this server is no proxy: it makes no tunnels");
    }
    match (uri.scheme(), uri.authority()) {
        (None, None) => {}
        (Some(scheme), _) if *scheme != Scheme::HTTP => return bad("the target's scheme is not http"),
        (Some(_), Some(authority)) if is_host(authority.as_str().as_bytes()) => {}
        _ => return bad("the target is neither a path nor a whole http URL"),
    }
    match uri.path() {
        "*" if method == Method::OPTIONS && uri.query().is_none() => return Ok(()),
        "*" => return bad("the target * is for OPTIONS alone"),
        path if !path.starts_with('/') => return bad("the target's path does not begin with a slash"),
        _ => {}
    }
    if !uri.path_and_query().is_some_and(|target| TARGET.encodes(target.as_str().as_bytes())) {
        return bad("the target holds what must be percent-encoded");
    }
    Ok(())
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

/// RFC 9110 section 10.1.1: the only expectation is 100-continue, which hyper answers when the body is read, and which HTTP/1.0
/// does not have.
fn expectation(head: &Parts) -> Result<(), Refusal> {
    let met = |expected: &HeaderValue| expected.as_bytes().eq_ignore_ascii_case(b"100-continue");
    if head.version < Version::HTTP_11 || head.headers.get_all(EXPECT).iter().all(met) {
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
        for host in [
            "a",
            "a.example:80",
            "127.0.0.1:8080",
            "[::1]",
            "[::1]:8080",
            "[v1.x:y]",
            "a:",
            "x_y",
            "a%20b",
            "a:65535",
        ] {
            assert!(is_host(host.as_bytes()), "{host}");
        }
        for wrong in [
            "",
            ":80",
            "a b",
            "a/b",
            "u@a",
            "a:b",
            "a:65536",
            "a:+80",
            "a:80:80",
            "[::1",
            "[]",
            "[::1]x",
            "[1.2.3.4]",
            "[v.x]",
            "a?b",
            "a#b",
            "\u{e9}",
            "a,b",
            "a, a",
            "a%2",
            "a%zz",
        ] {
            assert!(!is_host(wrong.as_bytes()), "{wrong}");
        }
    }

    #[test]
    fn targets_have_one_of_four_forms_and_each_its_method() {
        let verdict = |method: &str, target: &str| {
            let method = Method::from_bytes(method.as_bytes()).unwrap();
            super::target(&method, &target.parse().unwrap()).map_err(|refusal| refusal.status.as_u16())
        };
        for target in
            ["/", "/simple?a=%20b", "http://a/simple", "HTTP://a:80/", "http://a", "//a/b", "/a?b?c:@"]
        {
            assert_eq!(verdict("GET", target), Ok(()), "{target}");
        }
        for wrong in [
            "*",
            "a.example:80",
            "https://a/",
            "ftp://a/",
            "http://u@a/",
            "http://a,b/",
            "/\u{e9}",
            "/%",
            "/%2",
            "/%zz",
            "/a|b",
            "/a?{}",
            "/a\\b",
            "/\"",
        ] {
            assert_eq!(verdict("GET", wrong), Err(400), "{wrong}");
        }
        assert_eq!(verdict("OPTIONS", "*"), Ok(()));
        assert_eq!(verdict("CONNECT", "a.example:80"), Err(501));
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_host_check_panic(bytes: Vec<u8>) {
            is_host(&bytes);
        }
    }
}
