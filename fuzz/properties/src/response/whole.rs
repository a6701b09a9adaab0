//! A decoder of responses that are all there (RFC 9112 sections 6 and 7): httparse for heads, and for the rest no state at all.

use super::answer::{Answer, LIMITS};

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Decoded {
    pub(super) answers: Vec<Answer>,
    pub(super) end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    Clean,
    Incomplete,
    Refused,
}

/// The most header fields that the generator takes.
const MAX_FIELDS: usize = 64;

pub(super) fn decode(bytes: &[u8], is_to_head: bool) -> Decoded {
    let mut answers = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        match one(&bytes[at..], is_to_head) {
            Ok((answer, length)) => {
                at += length;
                if let Some(answer) = answer {
                    answers.push(Answer { end: at, ..answer });
                }
            }
            Err(end) => return Decoded { answers, end },
        }
    }
    Decoded { answers, end: End::Clean }
}

/// The response at the start of `bytes`, `None` if it is not a final one, and its length.
fn one(bytes: &[u8], is_to_head: bool) -> Result<(Option<Answer>, usize), End> {
    let window = &bytes[..bytes.len().min(LIMITS.max_head_bytes)];
    let mut storage = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut storage);
    let head_bytes = match head.parse(window) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) if window.len() < LIMITS.max_head_bytes => return Err(End::Incomplete),
        _ => return Err(End::Refused),
    };
    let status = head.code.filter(|status| *status >= 100 && *status != 101).ok_or(End::Refused)?;

    let values = |name: &'static str| {
        let named = move |field: &&httparse::Header<'_>| field.name.eq_ignore_ascii_case(name);
        head.headers.iter().filter(named).map(|field| field.value.trim_ascii())
    };
    let lengths = values("content-length").map(number).collect::<Result<Vec<_>, _>>()?;
    if lengths.windows(2).any(|pair| pair[0] != pair[1]) {
        return Err(End::Refused);
    }
    let codings: Vec<_> = values("transfer-encoding").collect();
    let is_chunked = match codings[..] {
        [] => false,
        [coding] if coding.eq_ignore_ascii_case(b"chunked") => true,
        _ => return Err(End::Refused),
    };
    let has_option = |wanted: &str| {
        let options = values("connection").flat_map(|value| value.split(|byte| *byte == b','));
        options.map(<[u8]>::trim_ascii).any(|option| option.eq_ignore_ascii_case(wanted.as_bytes()))
    };
    let persists = !has_option("close") && (head.version == Some(1) || has_option("keep-alive"));

    let content = &bytes[head_bytes..];
    let (body, length, ends_connection) = if is_to_head || status < 200 || status == 204 || status == 304 {
        (Vec::new(), 0, false)
    } else if is_chunked {
        let (body, length) = chunks(content)?;
        (body, length, false)
    } else if let Some(&length) = lengths.first() {
        let length = usize::try_from(length).map_err(|_| End::Refused)?;
        if length > LIMITS.max_body_bytes {
            return Err(End::Refused);
        }
        (content.get(..length).ok_or(End::Incomplete)?.to_vec(), length, false)
    } else if content.len() > LIMITS.max_body_bytes {
        return Err(End::Refused);
    } else {
        (content.to_vec(), content.len(), true)
    };
    // Section 6.1: with both, the coding decides and the connection is not to be trusted.
    let is_ambiguous = is_chunked && !lengths.is_empty();
    let keep_alive = persists && !ends_connection && !is_ambiguous;
    let answer = Answer { status, keep_alive, head_bytes, body, end: 0 };
    Ok(((status >= 200).then_some(answer), head_bytes + length))
}

fn number(digits: &[u8]) -> Result<u64, End> {
    if !digits.iter().all(u8::is_ascii_digit) {
        return Err(End::Refused);
    }
    std::str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).ok_or(End::Refused)
}

fn chunks(bytes: &[u8]) -> Result<(Vec<u8>, usize), End> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let line = line(bytes, &mut at)?;
        let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(digits).ok().filter(|_| is_number).ok_or(End::Refused)?;
        let size = u64::from_str_radix(text, 16).map_err(|_| End::Refused)?;
        if size == 0 {
            break;
        }
        if size > (LIMITS.max_body_bytes - body.len()) as u64 {
            return Err(End::Refused);
        }
        let data = &bytes[at..];
        let data = data.get(..size as usize).ok_or(End::Incomplete)?;
        body.extend_from_slice(data);
        at += data.len();
        match &bytes[at..] {
            [b'\r', b'\n', ..] => at += 2,
            [] | [b'\r'] => return Err(End::Incomplete),
            _ => return Err(End::Refused),
        }
    }
    while !line(bytes, &mut at)?.is_empty() {}
    Ok((body, at))
}

/// The line at `at`, which is moved beyond it; it ends with CRLF and has neither elsewhere.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], End> {
    let rest = &bytes[*at..];
    let length = rest.iter().position(|&byte| byte == b'\n').ok_or(End::Incomplete)?;
    *at += length + 1;
    match rest[..length].strip_suffix(b"\r") {
        Some(line) if !line.contains(&b'\r') => Ok(line),
        _ => Err(End::Refused),
    }
}
