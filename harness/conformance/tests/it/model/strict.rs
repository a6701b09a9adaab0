//! What is well formed and what is not, as functions of bytes.

use std::net::Ipv6Addr;

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(byte))
}

/// A host with or without a port; no list, and no userinfo.
pub(super) fn is_host(host: &str) -> bool {
    let (valid, port) = match host.strip_prefix('[') {
        Some(rest) => match rest.split_once(']') {
            Some((address, port)) => (address.parse::<Ipv6Addr>().is_ok(), port),
            None => return false,
        },
        None => {
            let (name, port) = host.split_at(host.find(':').unwrap_or(host.len()));
            (is_name(name.as_bytes()), port)
        }
    };
    let is_port = match port.strip_prefix(':') {
        Some(digits) => digits.bytes().all(|byte| byte.is_ascii_digit()),
        None => port.is_empty(),
    };
    valid && is_port
}

fn is_name(name: &[u8]) -> bool {
    !name.is_empty() && are_of(name, b"-._~!$&'()*+;=")
}

/// The path and query of a target in a form that goes with the method.
pub(super) fn origin_form(method: &str, target: &str) -> Option<String> {
    if target.starts_with('/') || (method == "OPTIONS" && target == "*") {
        return is_path(target.as_bytes()).then(|| target.to_owned());
    }
    let (scheme, rest) = target.split_at_checked("http://".len())?;
    if !scheme.eq_ignore_ascii_case("http://") {
        return None;
    }
    let (authority, path) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
    let slash = if path.starts_with('/') { "" } else { "/" };
    (is_host(authority) && is_path(path.as_bytes())).then(|| format!("{slash}{path}"))
}

/// A path and a query (RFC 3986 sections 3.3 and 3.4).
fn is_path(path: &[u8]) -> bool {
    are_of(path, b"-._~!$&'()*+,;=:@/?")
}

/// Letters, digits, percent-encodings and these.
fn are_of(mut rest: &[u8], others: &[u8]) -> bool {
    while let [first, after @ ..] = rest {
        rest = match (first, after) {
            (b'%', [one, two, after @ ..]) if one.is_ascii_hexdigit() && two.is_ascii_hexdigit() => after,
            (byte, after) if byte.is_ascii_alphanumeric() || others.contains(byte) => after,
            _ => return false,
        };
    }
    true
}

/// RFC 9112 section 7.1.1, without the blanks that it calls bad.
pub(super) fn are_extensions(mut rest: &[u8]) -> bool {
    let value_start =
        |bytes: &[u8]| bytes.iter().position(|byte| b";=\"".contains(byte)).unwrap_or(bytes.len());
    while let [b';', after @ ..] = rest {
        let (name, after) = after.split_at(value_start(after));
        if !is_token(name) {
            return false;
        }
        rest = match after {
            [b'=', b'"', quoted @ ..] => match quoted_end(quoted) {
                Some(after) => after,
                None => return false,
            },
            [b'=', value @ ..] => {
                let (value, after) = value.split_at(value_start(value));
                if !is_token(value) {
                    return false;
                }
                after
            }
            after => after,
        };
    }
    rest.is_empty()
}

/// What follows a quoted string, whose opening quote is gone already.
fn quoted_end(mut rest: &[u8]) -> Option<&[u8]> {
    loop {
        rest = match rest {
            [b'"', after @ ..] => return Some(after),
            [b'\\', byte, after @ ..] if !is_control(*byte) => after,
            [byte, after @ ..] if !is_control(*byte) => after,
            _ => return None,
        };
    }
}

pub(super) fn is_trailer(line: &[u8]) -> bool {
    let colon = line.iter().position(|&byte| byte == b':');
    colon.is_some_and(|colon| is_token(&line[..colon]) && !line[colon..].iter().any(|&byte| is_control(byte)))
}

/// A trailer field that belongs into the head (RFC 9110 section 6.5.1).
pub(super) fn frames_or_routes(line: &[u8]) -> bool {
    let names = "Content-Length Transfer-Encoding Trailer TE Host Max-Forwards Connection Keep-Alive Upgrade";
    let name = line.split(|&byte| byte == b':').next().unwrap_or_default();
    names.split(' ').any(|frames| name.eq_ignore_ascii_case(frames.as_bytes()))
}

fn is_control(byte: u8) -> bool {
    byte.is_ascii_control() && byte != b'\t'
}
