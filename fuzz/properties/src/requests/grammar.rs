//! What tokens, texts and authorities are made of.

/// RFC 9110 section 5.6.2.
pub(super) fn is_token(bytes: &[u8]) -> bool {
    !bytes.is_empty()
        && bytes.iter().all(|&byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

/// RFC 9110 section 5.5: what may stand in a line besides its end.
pub(super) fn is_text(bytes: &[u8]) -> bool {
    bytes.iter().all(|&byte| byte == b'\t' || (byte >= 0x20 && byte != 0x7f))
}

/// RFC 9110 section 7.2 and RFC 3986 section 3.2: `host [":" port]`, the host not empty.
pub(super) fn is_authority(bytes: &[u8]) -> bool {
    let (host, port) = match bytes.iter().rposition(|&byte| byte == b':') {
        Some(colon) if !bytes[colon..].contains(&b']') => (&bytes[..colon], &bytes[colon + 1..]),
        _ => (bytes, &b""[..]),
    };
    port.iter().all(u8::is_ascii_digit)
        && match host {
            [b'[', literal @ .., b']'] => is_literal(literal),
            name => !name.is_empty() && is_registered_name(name),
        }
}

fn is_literal(literal: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(literal) else { return false };
    match text.strip_prefix(['v', 'V']).and_then(|text| text.split_once('.')) {
        Some((version, address)) => {
            let is_plain = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:".contains(c);
            !version.is_empty()
                && version.chars().all(|c| c.is_ascii_hexdigit())
                && !address.is_empty()
                && address.chars().all(is_plain)
        }
        None => text.parse::<std::net::Ipv6Addr>().is_ok(),
    }
}

fn is_registered_name(mut name: &[u8]) -> bool {
    loop {
        name = match name {
            [] => return true,
            [b'%', a, b, rest @ ..] if a.is_ascii_hexdigit() && b.is_ascii_hexdigit() => rest,
            // Without the comma, of which the contract takes a list to be made.
            [byte, rest @ ..] if byte.is_ascii_alphanumeric() || b"-._~!$&'()*+;=".contains(byte) => rest,
            _ => return false,
        }
    }
}
