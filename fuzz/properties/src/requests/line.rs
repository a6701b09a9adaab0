//! The request line (RFC 9112 section 3).

use super::{
    grammar::{is_authority, is_token},
    stop::Stop,
};

pub(super) struct Line<'a> {
    pub(super) method: &'a str,
    pub(super) target: &'a str,
    pub(super) is_http_10: bool,
    pub(super) refusable: bool,
}

/// Longer ones may be refused: no server must take more (RFC 9112 section 3 recommends 8000 bytes).
const ALWAYS_TAKEN_BYTES: usize = 4096;

pub(super) fn read(line: &[u8]) -> Result<Line<'_>, Stop> {
    let mut parts = line.split(|&byte| byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (parts.next(), parts.next(), parts.next(), parts.next())
    else {
        return Err(Stop::Invalid("the request line has not three parts with one space between them"));
    };
    if !is_token(method) {
        return Err(Stop::Invalid("the method is no token"));
    }
    // RFC 9110 section 2.5: a later minor version is served as the latest that is known.
    let is_http_10 = match version.strip_prefix(b"HTTP/1.") {
        Some(b"0") => true,
        Some([b'1'..=b'9']) => false,
        _ => return Err(Stop::Invalid("the version is not one of HTTP/1")),
    };
    if !is_of_a_uri(target) {
        return Err(Stop::Invalid("the target has bytes that no URI has, or a fragment"));
    }
    let form_is_optional = match target {
        // RFC 9112 section 3.2.1.
        [b'/', ..] if target.contains(&b'[') || target.contains(&b']') => {
            return Err(Stop::Invalid("a bracket in a path or query"));
        }
        [b'/', ..] => false,
        // Section 3.2.4.
        b"*" if method == b"OPTIONS" => false,
        _ => absolute(target)?,
    };
    if method == b"CONNECT" {
        return Err(Stop::Invalid("CONNECT, which only proxies serve"));
    }
    let text = |bytes| std::str::from_utf8(bytes).map_err(|_| Stop::Invalid("not ASCII"));
    Ok(Line {
        method: text(method)?,
        target: text(target)?,
        is_http_10,
        refusable: form_is_optional || line.len() > ALWAYS_TAKEN_BYTES,
    })
}

/// RFC 3986 section 3.3 and 3.4, and the brackets of an authority.
fn is_of_a_uri(mut target: &[u8]) -> bool {
    loop {
        target = match target {
            [] => return true,
            [b'%', a, b, rest @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            [byte, rest @ ..] if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?[]".contains(byte) => {
                rest
            }
            _ => return false,
        }
    }
}

/// Section 3.2.2: `scheme "://" authority [path] ["?" query]`. Whether a server serves that scheme and host is its choice.
fn absolute(target: &[u8]) -> Result<bool, Stop> {
    const BAD: Stop = Stop::Invalid("the target is of no form that the method takes");
    let colon = target.windows(3).position(|three| three == b"://").ok_or(BAD)?;
    let (scheme, rest) = (&target[..colon], &target[colon + 3..]);
    let authority = rest.split(|byte| b"/?".contains(byte)).next().unwrap_or_default();
    let is_scheme = scheme.first().is_some_and(u8::is_ascii_alphabetic)
        && scheme.iter().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(byte));
    if is_scheme && is_authority(authority) { Ok(true) } else { Err(BAD) }
}
