//! A decoder of responses that are all there (RFC 9112 sections 6 and 7): httparse for heads, and for the rest no state at all.

use super::answer::{Answer, LIMITS, MOST_CONTENT_BYTES};

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

/// More fields than a head within the limits has.
const MAX_FIELDS: usize = LIMITS.max_head_bytes;

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
    let mut window = bytes[..bytes.len().min(LIMITS.max_head_bytes)].to_owned();
    // Section 2.5 of RFC 9110: what is later than 1.1 and still 1 is read as 1.1.
    if let [b'H', b'T', b'T', b'P', b'/', b'1', b'.', minor @ b'2'..=b'9', ..] = &mut window[..] {
        *minor = b'1';
    }
    let mut storage = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut head = httparse::Response::new(&mut storage);
    let read = httparse::ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .parse_response(&mut head, &window);
    let head_bytes = match read {
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
    let elements = values("transfer-encoding").flat_map(|value| value.split(|byte| *byte == b','));
    let codings: Vec<_> = elements.map(<[u8]>::trim_ascii).filter(|coding| !coding.is_empty()).collect();
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
        if length > MOST_CONTENT_BYTES {
            return Err(End::Refused);
        }
        (content.get(..length).ok_or(End::Incomplete)?.to_vec(), length, false)
    } else if content.len() > MOST_CONTENT_BYTES {
        return Err(End::Refused);
    } else {
        (content.to_vec(), content.len(), true)
    };
    // Section 6.1: with both, the coding decides and the connection is not to be trusted.
    let is_ambiguous = is_chunked && (!lengths.is_empty() || head.version == Some(0));
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
        // Section 7.1.1: blanks may stand between the size and an extension.
        let digits = match line.iter().position(|&byte| byte == b';') {
            Some(semicolon) => without_blanks_behind(&line[..semicolon]),
            None => line,
        };
        let is_number = !digits.is_empty() && digits.iter().all(u8::is_ascii_hexdigit);
        let text = std::str::from_utf8(digits).ok().filter(|_| is_number).ok_or(End::Refused)?;
        let size = u64::from_str_radix(text, 16).map_err(|_| End::Refused)?;
        if size == 0 {
            break;
        }
        if size > (MOST_CONTENT_BYTES - body.len()) as u64 {
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
    let trailer_at = at;
    while !line(bytes, &mut at)?.is_empty() {}
    if at - trailer_at > LIMITS.max_head_bytes { Err(End::Refused) } else { Ok((body, at)) }
}

fn without_blanks_behind(mut text: &[u8]) -> &[u8] {
    while let [before @ .., b' ' | b'\t'] = text {
        text = before;
    }
    text
}

/// The line at `at`, which is moved beyond it; it ends with CRLF and has neither elsewhere.
fn line<'a>(bytes: &'a [u8], at: &mut usize) -> Result<&'a [u8], End> {
    let rest = &bytes[*at..];
    let length = rest.iter().position(|&byte| byte == b'\n').ok_or(End::Incomplete)?;
    *at += length + 1;
    if length + 1 > LIMITS.max_head_bytes {
        return Err(End::Refused);
    }
    match rest[..length].strip_suffix(b"\r") {
        Some(line) if !line.contains(&b'\r') => Ok(line),
        _ => Err(End::Refused),
    }
}
