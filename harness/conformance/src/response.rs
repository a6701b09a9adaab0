//! Reading responses off a stream of bytes, and judging their framing as strictly as a cautious
//! intermediary would (RFC 9112 section 6).

/// A whole response.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Response {
    /// 1 for HTTP/1.1, 0 for HTTP/1.0.
    pub(crate) minor_version: u8,
    pub(crate) status: u16,
    /// Names in lower case, in the order of the wire.
    pub(crate) headers: Vec<(String, String)>,
    /// Decoded, if it came in chunks.
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The value of a header that must not be repeated; of several the first.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(other, _)| other == name).map(|(_, value)| value.as_str())
    }

    /// Whether a comma-separated header contains `token`, in any case.
    pub(crate) fn has_token(&self, name: &str, token: &str) -> bool {
        let lines = self.headers.iter().filter(|(other, _)| other == name);
        lines.flat_map(|(_, value)| value.split(',')).any(|item| item.trim().eq_ignore_ascii_case(token))
    }
}

/// The most fields that a response may have here.
const HEADERS: usize = 64;

/// The response at the start of `bytes`, with its length on the wire; `None` if more bytes are needed.
///
/// `to_head` says that it answers a HEAD request, `ended` that no more bytes will come: a body
/// without declared length is whole only then.
///
/// # Errors
///
/// What is wrong with its syntax or framing.
pub(crate) fn parse(bytes: &[u8], to_head: bool, ended: bool) -> Result<Option<(Response, usize)>, String> {
    let mut fields = [httparse::EMPTY_HEADER; HEADERS];
    let mut head = httparse::Response::new(&mut fields);
    let head_length = match head.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Ok(None),
        Err(error) => return Err(format!("malformed response head: {error}")),
    };
    let (Some(minor_version), Some(status)) = (head.version, head.code) else {
        return Err("response head without version or status".to_owned());
    };
    let headers = head
        .headers
        .iter()
        .map(|field| {
            (field.name.to_ascii_lowercase(), String::from_utf8_lossy(field.value).trim().to_owned())
        })
        .collect();
    let mut response = Response { minor_version, status, headers, body: Vec::new() };

    let framing = framing(&response, to_head)?;
    let rest = &bytes[head_length..];
    let body = match framing {
        Framing::Nothing => Some((Vec::new(), 0)),
        Framing::Length(length) => rest.get(..length).map(|body| (body.to_vec(), length)),
        Framing::Chunked => dechunk(rest)?,
        Framing::UntilClose => ended.then(|| (rest.to_vec(), rest.len())),
    };
    Ok(body.map(|(body, length)| {
        response.body = body;
        (response, head_length + length)
    }))
}

enum Framing {
    Nothing,
    Length(usize),
    Chunked,
    UntilClose,
}

/// How the end of the body is known (RFC 9112 section 6.3).
fn framing(response: &Response, to_head: bool) -> Result<Framing, String> {
    let lengths: Vec<_> = response.headers.iter().filter(|(name, _)| name == "content-length").collect();
    let coding = response.header("transfer-encoding");
    let status = response.status;
    let bodiless = status < 200 || status == 204;
    if bodiless && (coding.is_some() || !lengths.is_empty()) {
        return Err(format!("a {status} answer must not declare a body"));
    }
    if coding.is_some() && !lengths.is_empty() {
        return Err("both Content-Length and Transfer-Encoding".to_owned());
    }
    if bodiless || to_head || status == 304 {
        return Ok(Framing::Nothing);
    }
    match (coding, lengths.as_slice()) {
        (Some(coding), _) if coding.eq_ignore_ascii_case("chunked") => Ok(Framing::Chunked),
        (Some(coding), _) => Err(format!("transfer coding {coding} was not asked for")),
        (None, []) => Ok(Framing::UntilClose),
        (None, [(_, length)]) => {
            let digits = !length.is_empty() && length.bytes().all(|byte| byte.is_ascii_digit());
            let length = digits.then(|| length.parse().ok()).flatten();
            length.map(Framing::Length).ok_or_else(|| "Content-Length is not a length".to_owned())
        }
        (None, _) => Err("Content-Length is repeated".to_owned()),
    }
}

/// Decodes a chunked body (RFC 9112 section 7.1); `None` if it is not whole yet. Extensions and trailer
/// fields are passed over.
fn dechunk(bytes: &[u8]) -> Result<Option<(Vec<u8>, usize)>, String> {
    let mut body = Vec::new();
    let mut at = 0;
    loop {
        let Some(line) = line_at(bytes, at) else { return Ok(None) };
        at += line.len() + 2;
        let digits = line.split(|&byte| byte == b';').next().unwrap_or_default();
        let digits = std::str::from_utf8(digits).unwrap_or_default().trim_end();
        let size = usize::from_str_radix(digits, 16)
            .map_err(|_| format!("bad chunk size {:?}", String::from_utf8_lossy(line)))?;
        if size == 0 {
            break;
        }
        let Some(data) = at.checked_add(size).and_then(|end| bytes.get(at..end)) else { return Ok(None) };
        body.extend_from_slice(data);
        at += size;
        match bytes.get(at..at + 2) {
            None => return Ok(None),
            Some(b"\r\n") => at += 2,
            Some(_) => return Err("chunk data runs beyond its size".to_owned()),
        }
    }
    loop {
        let Some(line) = line_at(bytes, at) else { return Ok(None) };
        at += line.len() + 2;
        if line.is_empty() {
            return Ok(Some((body, at)));
        }
    }
}

/// The line that starts at `at`, without its end.
fn line_at(bytes: &[u8], at: usize) -> Option<&[u8]> {
    let rest = bytes.get(at..)?;
    let length = rest.windows(2).position(|pair| pair == b"\r\n")?;
    Some(&rest[..length])
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const PLAIN: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok";
    const CHUNKED: &[u8] =
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;x=1\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n";

    fn body(bytes: &[u8]) -> Result<Option<Vec<u8>>, String> {
        parse(bytes, false, true).map(|found| found.map(|(response, _)| response.body))
    }

    #[test]
    fn bodies_end_where_their_framing_says() {
        assert_eq!(body(PLAIN), Ok(Some(b"ok".to_vec())));
        assert_eq!(body(CHUNKED), Ok(Some(b"abc0123456789".to_vec())));
        assert_eq!(body(b"HTTP/1.0 200 OK\r\n\r\nto the end"), Ok(Some(b"to the end".to_vec())));
        assert_eq!(parse(b"HTTP/1.0 200 OK\r\n\r\nto the", false, false), Ok(None));
        let no_content = b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1";
        assert_eq!(parse(no_content, false, false).unwrap().unwrap().1, no_content.len() - 8);
        let (head, length) = parse(PLAIN, true, false).unwrap().unwrap();
        assert_eq!((head.body.len(), length), (0, PLAIN.len() - 2));
    }

    #[test]
    fn headers_are_found_in_any_case() {
        let (response, _) = parse(PLAIN, false, false).unwrap().unwrap();
        assert_eq!(response.header("x-a"), Some("b"));
        assert!(response.has_token("x-a", "B"));
        assert_eq!(response.header("x-b"), None);
    }

    #[test]
    fn ambiguous_framing_is_an_error() {
        for head in [
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: +2\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip\r\n\r\n",
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "HTTP/1.1 two hundred\r\n\r\n",
        ] {
            assert!(parse(head.as_bytes(), false, false).is_err(), "{head}");
        }
    }

    proptest! {
        #[test]
        fn a_response_is_whole_at_its_last_byte_and_not_before(cut in 0..100_usize) {
            for whole in [PLAIN, CHUNKED] {
                let cut = cut.min(whole.len() - 1);
                prop_assert_eq!(parse(&whole[..cut], false, false), Ok(None));
                let twice = [whole, whole].concat();
                prop_assert_eq!(parse(&twice, false, false).unwrap().unwrap().1, whole.len());
            }
        }

        #[test]
        fn any_bytes_are_judged_without_panic(tail in proptest::collection::vec(any::<u8>(), 0..60)) {
            let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
            let _ = parse(&[&head[..], &tail].concat(), false, true);
            let _ = parse(&tail, false, true);
        }
    }
}
