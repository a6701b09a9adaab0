//! What was written to a connection, as whole, valid responses (RFC 9112 section 6.3), or why it is not.

use crate::{Violation, violation};

/// One final response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// It states HTTP/1.1.
    pub is_http_11: bool,
    /// Its header fields but Date, names in the case in which they were written, in that order.
    pub fields: Vec<(&'a str, &'a [u8])>,
    /// The length that it states, which to HEAD is that of the answer to GET.
    pub stated_length: Option<u64>,
    /// It announces that the connection closes, by saying so or by its version.
    pub closes: bool,
    /// Its content.
    pub content: &'a [u8],
    /// How many 100 (Continue) came before it.
    pub continues: usize,
}

/// The most header fields of one response.
const MAX_FIELDS: usize = 16;

/// Splits `written` into responses; `is_to_head` says of each final one whether it answers HEAD; the first of
/// which it does not know ends the splitting.
///
/// # Errors
/// The bytes are not whole, valid responses one after the other, with nothing between or after them.
pub fn split(
    written: &[u8],
    is_to_head: impl Fn(usize) -> Option<bool>,
) -> Result<Vec<Answer<'_>>, Violation> {
    let mut answers = Vec::new();
    let (mut rest, mut continues) = (written, 0);
    while !rest.is_empty() {
        let position = answers.len();
        let Some(is_to_head) = is_to_head(position) else { return Ok(answers) };
        let (answer, length) = match one(rest, is_to_head) {
            Ok(parsed) => parsed,
            Err(what) => return violation!("answer {position} {what}: {}", rest.escape_ascii()),
        };
        rest = &rest[length..];
        if answer.status == 100 {
            continues += 1;
        } else {
            answers.push(Answer { continues: std::mem::take(&mut continues), ..answer });
        }
    }
    if continues > 1 {
        return violation!("{continues} times 100 (Continue) and no answer");
    }
    Ok(answers)
}

fn one(bytes: &[u8], is_to_head: bool) -> Result<(Answer<'_>, usize), &'static str> {
    let mut storage = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut response = httparse::Response::new(&mut storage);
    let head = match response.parse(bytes) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return Err("is cut short in its head"),
        Err(_) => return Err("has no valid head"),
    };
    let status = response.code.unwrap_or(0);
    let value = |name: &str| {
        let mut values = response.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
        (values.next().map(|field| field.value), values.next().is_some())
    };
    let (stated, is_repeated) = value("content-length");
    let (coding, _) = value("transfer-encoding");
    let (connection, _) = value("connection");
    if is_repeated || coding.is_some() {
        return Err("is framed in a way that no answer here needs");
    }
    let stated_length = match stated {
        None => None,
        Some(digits) if digits.iter().all(u8::is_ascii_digit) => Some(
            std::str::from_utf8(digits)
                .ok()
                .and_then(|digits| digits.parse().ok())
                .ok_or("has a bad length")?,
        ),
        Some(_) => return Err("has a bad length"),
    };
    let length = match (status, stated_length) {
        (100 | 204 | 304, None) => 0,
        (100 | 204, Some(_)) => return Err("states a length where RFC 9110 section 8.6 forbids it"),
        (304, Some(_)) => {
            return Err("states a length, which is not what the answer to an unconditional GET has");
        }
        (101..200, _) => return Err("switches protocols"),
        // RFC 9110 section 8.6: to HEAD the length may be left out; hyper does so where it is 0.
        (_, _) if is_to_head => 0,
        (_, None) => return Err("states no length"),
        (_, Some(length)) => usize::try_from(length).map_err(|_| "has a bad length")?,
    };
    let content = bytes[head..].get(..length).ok_or("is cut short in its content")?;
    let fields = response.headers.iter().filter(|field| !field.name.eq_ignore_ascii_case("date"));
    let has_option = |wanted: &[u8]| {
        let mut options = connection.unwrap_or_default().split(|&byte| byte == b',').map(<[u8]>::trim_ascii);
        options.any(|option| option.eq_ignore_ascii_case(wanted))
    };
    // RFC 9112 section 9.3: HTTP/1.0 closes unless it is said otherwise.
    let closes = has_option(b"close") || (response.version == Some(0) && !has_option(b"keep-alive"));
    let fields = fields.map(|field| (field.name, field.value)).collect();
    let is_http_11 = response.version == Some(1);
    let answer = Answer { status, is_http_11, fields, stated_length, closes, content, continues: 0 };
    Ok((answer, head + length))
}

impl Answer<'_> {
    /// Whether both are the same answer, apart from when they were given: Date, and what `/info` tells of memory and time.
    pub fn is_alike(&self, other: &Self) -> bool {
        let varies = self.content.windows(b"\"rss_bytes\":".len()).any(|window| window == b"\"rss_bytes\":");
        // The length of `/info`, whose content the answer to HEAD does not show.
        let is_bare = self.content.is_empty();
        let fields = |answer: &Self| -> Vec<_> {
            let kept = |field: &&(&str, &[u8])| {
                !(varies || is_bare) || !field.0.eq_ignore_ascii_case("content-length")
            };
            answer
                .fields
                .iter()
                .filter(kept)
                .map(|(name, value)| (name.to_string(), value.to_vec()))
                .collect()
        };
        self.status == other.status
            && self.closes == other.closes
            && fields(self) == fields(other)
            && (varies || self.content == other.content)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OK: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ndate: now\r\n\r\nok";

    #[test]
    fn whole_responses_are_told_apart() {
        let text = [
            b"HTTP/1.1 100 Continue\r\n\r\n",
            OK,
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\nconnection: x, Close\r\n\r\n",
        ]
        .concat();
        let answers = split(&text, |position| Some(position == 1)).unwrap();
        let told: Vec<_> = answers.iter().map(|a| (a.status, a.content, a.closes, a.continues)).collect();
        assert_eq!(told, [(200, &b"ok"[..], false, 1), (200, b"", false, 0), (204, b"", true, 0)]);
        assert_eq!(answers[0].fields, [("content-length", &b"2"[..])]);
    }

    #[test]
    fn what_is_not_whole_and_valid_is_a_violation() {
        for wrong in [
            &OK[..OK.len() - 1],
            &OK[..20],
            &[OK, b"\r\n"].concat(),
            &[OK, b"x"].concat(),
            b"HTTP/1.1 200 OK\r\n\r\n",
            b"HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 1\r\n\r\na",
            b"HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\na",
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 204 No Content\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 304 Not Modified\r\ncontent-length: 0\r\n\r\n",
            b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n",
        ] {
            assert!(split(wrong, |_| Some(false)).is_err(), "{}", wrong.escape_ascii());
        }
        assert!(split(OK, |_| Some(true)).is_err(), "an answer to HEAD with content");
    }

    #[test]
    fn answers_are_alike_whose_content_and_fields_are() {
        let answer = |text: &'static str| split(text.as_bytes(), |_| Some(false)).unwrap().remove(0);
        let one = answer("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ndate: a\r\n\r\nx");
        assert!(one.is_alike(&answer("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ndate: b\r\n\r\nx")));
        assert!(!one.is_alike(&answer("HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\ny")));
        assert!(!one.is_alike(&answer("HTTP/1.1 200 OK\r\nx: y\r\ncontent-length: 1\r\n\r\nx")));
        assert!(!one.is_alike(&answer("HTTP/1.1 404 No\r\ncontent-length: 1\r\n\r\nx")));
    }
}
