//! The header fields that decide where a message ends and what becomes of the connection (RFC 9112 sections 3.2, 6 and 9).

use super::{
    grammar::{is_authority, is_text, is_token},
    stop::Stop,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Framing {
    Length(u64),
    Chunked,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Persistence {
    Persists,
    Closes,
    Unclear,
}

#[derive(Debug)]
pub(super) struct Fields<'a> {
    pub(super) framing: Framing,
    pub(super) persistence: Persistence,
    pub(super) content_types: Vec<&'a [u8]>,
    pub(super) expects_continue: bool,
    pub(super) if_match: Option<bool>,
    pub(super) if_none_match: Option<bool>,
    pub(super) refusable: bool,
}

/// More than this may be refused: no server must take more.
const ALWAYS_TAKEN: usize = 90;
/// As [`ALWAYS_TAKEN`], for all fields together.
const ALWAYS_TAKEN_BYTES: usize = 8192;
/// What has more may be no port (beyond 65535).
const MAX_PORT_DIGITS: usize = 4;

impl<'a> Fields<'a> {
    pub(super) fn read(lines: &[&'a [u8]], is_http_10: bool) -> Result<Self, Stop> {
        let mut fields = Vec::with_capacity(lines.len());
        for line in lines {
            fields.push(field(line)?);
        }
        let all = |name: &'static str| {
            let named = move |field: &&(&'a [u8], &'a [u8])| field.0.eq_ignore_ascii_case(name.as_bytes());
            fields.iter().filter(named).map(|field| field.1)
        };

        let hosts: Vec<_> = all("host").collect();
        match hosts[..] {
            [] if is_http_10 => {}
            [host] if is_authority(host) => {}
            [] => return Err(Stop::Invalid("Host is missing")),
            [_] => return Err(Stop::Invalid("Host is no host and port")),
            _ => return Err(Stop::Invalid("Host is repeated")),
        }
        let has_long_port = hosts
            .iter()
            .any(|host| host.iter().rev().take_while(|byte| byte.is_ascii_digit()).count() > MAX_PORT_DIGITS);

        let expectations: Vec<_> = all("expect").collect();
        let is_continue = |value: &&[u8]| value.eq_ignore_ascii_case(b"100-continue");
        if !expectations.iter().all(is_continue) && !is_http_10 {
            return Err(Stop::Invalid("an expectation that cannot be met"));
        }

        let bytes: usize = lines.iter().map(|line| line.len()).sum();
        Ok(Self {
            framing: framing(all("content-length"), all("transfer-encoding"), is_http_10)?,
            persistence: persistence(all("connection"), is_http_10),
            content_types: all("content-type").collect(),
            expects_continue: !expectations.is_empty() && !is_http_10,
            if_match: lists_star(all("if-match")),
            if_none_match: lists_star(all("if-none-match")),
            refusable: lines.len() > ALWAYS_TAKEN
                || bytes > ALWAYS_TAKEN_BYTES
                || has_long_port
                // HTTP/1.0 knows no expectations: ignoring and refusing them are both right.
                || (is_http_10 && !expectations.is_empty())
                || expectations.len() > 1,
        })
    }
}

/// Section 5.1: a name directly followed by a colon, and a value with blanks around it.
pub(super) fn field(line: &[u8]) -> Result<(&[u8], &[u8]), Stop> {
    let colon = line.iter().position(|&byte| byte == b':').ok_or(Stop::Invalid("a field has no colon"))?;
    let (name, value) = (&line[..colon], &line[colon + 1..]);
    if !is_token(name) {
        return Err(Stop::Invalid("a field name is no token"));
    }
    if !is_text(value) {
        return Err(Stop::Invalid("a field value has a control byte"));
    }
    Ok((name, trimmed(value)))
}

/// Sections 6.1 to 6.3.
fn framing<'a>(
    lengths: impl Iterator<Item = &'a [u8]>,
    codings: impl Iterator<Item = &'a [u8]>,
    is_http_10: bool,
) -> Result<Framing, Stop> {
    let (lengths, codings): (Vec<_>, Vec<_>) = (lengths.collect(), codings.collect());
    match (&lengths[..], &codings[..]) {
        ([], []) => Ok(Framing::Length(0)),
        ([], [coding]) if !is_http_10 && coding.eq_ignore_ascii_case(b"chunked") => Ok(Framing::Chunked),
        ([], _) => Err(Stop::Invalid("a transfer coding that is not `chunked` alone")),
        ([first, others @ ..], []) => {
            let length = decimal(first)?;
            for other in others {
                if decimal(other)? != length {
                    return Err(Stop::Invalid("two lengths differ"));
                }
            }
            Ok(Framing::Length(length))
        }
        _ => Err(Stop::Invalid("a length beside a transfer coding")),
    }
}

fn decimal(digits: &[u8]) -> Result<u64, Stop> {
    const BAD: Stop = Stop::Invalid("a length is no number");
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return Err(BAD);
    }
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(BAD)
}

/// Section 9.3.
fn persistence<'a>(values: impl Iterator<Item = &'a [u8]>, is_http_10: bool) -> Persistence {
    let (mut close, mut keep_alive, mut unclear) = (false, false, false);
    for option in values.flat_map(|value| value.split(|&byte| byte == b',')).map(trimmed) {
        close |= option.eq_ignore_ascii_case(b"close");
        keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
        unclear |= !option.is_empty() && !is_token(option);
    }
    match (close, unclear) {
        (_, true) => Persistence::Unclear,
        (true, _) => Persistence::Closes,
        (false, _) if is_http_10 && !keep_alive => Persistence::Closes,
        _ => Persistence::Persists,
    }
}

/// RFC 9110 sections 13.1.1 and 13.1.2, and 8.8.3 for the tags: whether `*` is a member of the list; `None` without the field.
fn lists_star<'a>(values: impl Iterator<Item = &'a [u8]>) -> Option<bool> {
    let mut found = None;
    for value in values {
        let has_one = found.get_or_insert(false);
        let (mut member, mut is_quoted) = (Vec::new(), false);
        for &byte in value.iter().chain(b",") {
            if byte == b',' && !is_quoted {
                *has_one |= trimmed(&member) == b"*";
                member.clear();
            } else {
                is_quoted ^= byte == b'"';
                member.push(byte);
            }
        }
    }
    found
}

fn trimmed(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t', rest @ ..] | [rest @ .., b' ' | b'\t'] = value {
        value = rest;
    }
    value
}
