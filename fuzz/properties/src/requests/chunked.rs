//! The chunked coding (RFC 9112 section 7.1).

use super::{fields::field, grammar::is_text, stop::Stop};

pub(super) struct Decoded {
    pub(super) content: Vec<u8>,
    /// There were extensions, which are left out, or sizes of more digits than 64 bits have: a server may refuse both.
    pub(super) is_refusable: bool,
    /// Where the next message begins.
    pub(super) end: usize,
}

pub(super) fn decode(bytes: &[u8]) -> Result<Decoded, Stop> {
    let mut decoded = Decoded { content: Vec::new(), is_refusable: false, end: 0 };
    loop {
        let line = line(bytes, &mut decoded.end)?;
        let digits = line.iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
        let (digits, extensions) = line.split_at(digits);
        let size = size(digits)?;
        decoded.is_refusable |= digits.len() > 16;
        if !extensions.is_empty() {
            if !is_text(extensions) || !extensions.trim_ascii_start().starts_with(b";") {
                return Err(Stop::Invalid("what follows a chunk size is no extension"));
            }
            decoded.is_refusable = true;
        }
        if size == 0 {
            break;
        }
        let data = usize::try_from(size).ok().and_then(|size| bytes[decoded.end..].get(..size));
        let data = data.ok_or(Stop::IncompleteContent)?;
        decoded.content.extend_from_slice(data);
        decoded.end += data.len();
        match &bytes[decoded.end..] {
            [b'\r', b'\n', ..] => decoded.end += 2,
            [] | [b'\r'] => return Err(Stop::IncompleteContent),
            _ => return Err(Stop::Invalid("a chunk is longer than its size")),
        }
    }
    // Section 7.1.2: the trailers, which are fields like others.
    loop {
        match line(bytes, &mut decoded.end)? {
            [] => return Ok(decoded),
            trailer => {
                let (name, _) = field(trailer)?;
                if LATE.iter().any(|late| name.eq_ignore_ascii_case(late.as_bytes())) {
                    return Err(Stop::Invalid("a trailer field frames or routes"));
                }
            }
        }
    }
}

/// RFC 9110 section 6.5.1: what describes how a message is framed, where it goes or what becomes of its connection comes too late
/// in a trailer.
const LATE: [&str; 9] = [
    "Connection",
    "Content-Length",
    "Host",
    "Keep-Alive",
    "Max-Forwards",
    "TE",
    "Trailer",
    "Transfer-Encoding",
    "Upgrade",
];

/// The line that begins at `at`, which is moved beyond it; it ends with CRLF and nothing else.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], Stop> {
    let rest = &bytes[*at..];
    let length = rest.iter().position(|&byte| byte == b'\n').ok_or(Stop::IncompleteContent)?;
    *at += length + 1;
    rest[..length]
        .strip_suffix(b"\r")
        .ok_or(Stop::Invalid("a line of the chunked coding ends with a bare LF"))
}

fn size(digits: &[u8]) -> Result<u64, Stop> {
    let text = std::str::from_utf8(digits).unwrap_or_default();
    u64::from_str_radix(text, 16).map_err(|_| Stop::Invalid("a chunk size is no number"))
}
