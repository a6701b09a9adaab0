//! What a server said in a conversation, as text that two right servers have in common.
//!
//! Everything is kept byte for byte, in the order of the wire, except what the contract lets differ: the values of
//! `origin` and `worker`, dates, the whole bodies of `/info` and `/metrics`, and lengths that follow from these.
//! Masked values read `*`. What it refuses to know: whether an answer is right.

use std::fmt::Write;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::response::Response;

/// Bodies above this many bytes are kept as their length and a hash.
const LONGEST_BODY: usize = 1024;

/// The members of a JSON body whose values name the server and its worker.
const NAMES: [&str; 2] = ["\"origin\":", "\"worker\":"];

/// How a connection ended, or why reading from it did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// Closed or reset: which of the two is a race between the server's close and the client's last bytes.
    Closed,
    /// Nothing more came, and no close either.
    Open,
    /// An answer that was due did not come.
    TimedOut,
    /// Closed within an answer.
    Truncated,
    /// Bytes that are no answer.
    Malformed,
    /// Bytes where a close was due.
    More,
}

/// A transcript under way. Clones write into the same one, for conversations on several connections.
#[derive(Debug, Clone, Default)]
pub(crate) struct Transcript {
    text: Arc<Mutex<String>>,
}

impl Transcript {
    /// What was noted.
    pub(crate) fn take(&self) -> String {
        std::mem::take(&mut *self.text())
    }

    pub(crate) fn connection(&self) {
        self.line("(connected)");
    }

    /// Notes a whole response, `wire` being its bytes.
    pub(crate) fn response(&self, wire: &[u8], response: &Response, to_head: bool) {
        let body = Body::of(response);
        // The length of a body that HEAD leaves out may follow from a name too.
        let mask_length = to_head || body.masked;
        let head_length = wire.windows(4).position(|four| four == b"\r\n\r\n").unwrap_or(wire.len());
        let mut lines = wire[..head_length].split(|&byte| byte == b'\n');
        for line in lines.by_ref() {
            let line = escaped(line.strip_suffix(b"\r").unwrap_or(line));
            self.line(&masked_field(&line, mask_length));
        }
        self.line("");
        self.line(&body.text);
    }

    /// Notes bytes that are not a whole response, and why they are the last ones.
    pub(crate) fn rest(&self, bytes: &[u8], end: End) {
        self.line(&shortened(bytes));
        self.end(end);
    }

    pub(crate) fn end(&self, end: End) {
        self.line(match end {
            End::Closed => "(closed)",
            End::Open => "(still open)",
            End::TimedOut => "(no answer in time)",
            End::Truncated => "(closed within an answer)",
            End::Malformed => "(not an answer)",
            End::More => "(where a close was due)",
        });
    }

    fn text(&self) -> MutexGuard<'_, String> {
        self.text.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn line(&self, line: &str) {
        let mut text = self.text();
        text.push_str(line);
        text.push('\n');
    }
}

struct Body {
    text: String,
    masked: bool,
}

impl Body {
    fn of(response: &Response) -> Self {
        if is_of_the_process(response) {
            return Self { text: "*".to_owned(), masked: true };
        }
        let is_json =
            response.header("content-type").is_some_and(|kind| kind.starts_with("application/json"));
        match std::str::from_utf8(&response.body) {
            Ok(body) if is_json => {
                let (body, masked) = masked_names(body);
                Self { text: shortened(body.as_bytes()), masked }
            }
            _ => Self { text: shortened(&response.body), masked: false },
        }
    }
}

/// Whether it is the body of `/info` or `/metrics`: figures of one process at one instant.
fn is_of_the_process(response: &Response) -> bool {
    let start = response.body.get(..response.body.len().min(64)).unwrap_or_default();
    start.starts_with(b"# HELP ")
        || start.starts_with(b"# TYPE ")
        || serde_json::from_slice::<serde_json::Value>(&response.body)
            .is_ok_and(|body| body.get("uptime_seconds").is_some() && body.get("pid").is_some())
}

/// The text with the string after each of [`NAMES`] replaced, and whether there was one.
fn masked_names(body: &str) -> (String, bool) {
    let mut text = body.to_owned();
    let mut masked = false;
    for name in NAMES {
        let Some(found) = text.find(name) else { continue };
        let after = found + name.len();
        let opening = after + text[after..].len() - text[after..].trim_start().len();
        let Some(value) = text[opening..].strip_prefix('"') else { continue };
        let mut escaped = false;
        let closing = value.find(|character| {
            let is_end = character == '"' && !escaped;
            escaped = character == '\\' && !escaped;
            is_end
        });
        let Some(closing) = closing else { continue };
        text.replace_range(opening + 1..opening + 1 + closing, "*");
        masked = true;
    }
    (text, masked)
}

/// A field line with its value masked where the contract lets it differ.
fn masked_field(line: &str, mask_length: bool) -> String {
    match line.split_once(':') {
        Some((name, _))
            if name.eq_ignore_ascii_case("date")
                || (mask_length && name.eq_ignore_ascii_case("content-length")) =>
        {
            format!("{name}: *")
        }
        _ => line.to_owned(),
    }
}

fn shortened(bytes: &[u8]) -> String {
    if bytes.len() <= LONGEST_BODY {
        return escaped(bytes);
    }
    format!("({} bytes with the FNV-1a hash {:016x})", bytes.len(), fnv_1a(bytes))
}

/// Printable characters and line feeds as they are, everything else escaped, so that different bytes never read the
/// same.
fn escaped(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(bytes.len());
    for &byte in bytes {
        match byte {
            b'\n' => text.push('\n'),
            b'\\' => text.push_str("\\\\"),
            b' '..=b'~' => text.push(char::from(byte)),
            // Writing into a String cannot fail.
            _ => drop(write!(text, "\\x{byte:02x}")),
        }
    }
    text
}

/// The 64-bit FNV-1a hash (Fowler, Noll, Vo): the same in every build, unlike the standard library's.
fn fnv_1a(bytes: &[u8]) -> u64 {
    const OFFSET_BASIS: u64 = 0xcbf2_9ce4_8422_2325;
    const PRIME: u64 = 0x0100_0000_01b3;
    bytes.iter().fold(OFFSET_BASIS, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(PRIME))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::response::parse;
    use proptest::prelude::*;

    fn noted(wire: &str, to_head: bool) -> String {
        let (response, length) = parse(wire.as_bytes(), to_head, true).unwrap().unwrap();
        let transcript = Transcript::default();
        transcript.response(&wire.as_bytes()[..length], &response, to_head);
        transcript.take()
    }

    fn json(body: &str) -> String {
        let length = body.len();
        noted(
            &format!(
                "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}"
            ),
            false,
        )
    }

    #[test]
    fn names_dates_and_the_lengths_that_follow_are_masked_and_nothing_else() {
        let one = json(r#"{"origin":"a","worker":"t1","payload":7}"#);
        let other = json(r#"{"origin":"another","worker":"p\"10","payload":7}"#);
        assert_eq!(one, other);
        assert!(
            one.contains("Content-Length: *\n\n{\"origin\":\"*\",\"worker\":\"*\",\"payload\":7}\n"),
            "{one}"
        );
        assert_ne!(one, json(r#"{"origin":"a","worker":"t1","payload":8}"#));
        assert_ne!(one, json(r#"{"origin": "a","worker":"t1","payload":7}"#));
        let without_names = json(r#"{"error":"no"}"#);
        assert!(without_names.contains("Content-Length: 14\n"), "{without_names}");
        let dated = noted("HTTP/1.1 204 No Content\r\ndate: Thu, 01 Jan 2026 00:00:00 GMT\r\n\r\n", false);
        assert_eq!(dated, "HTTP/1.1 204 No Content\ndate: *\n\n\n");
    }

    #[test]
    fn the_bodies_of_info_and_metrics_are_masked_wholly() {
        assert!(json(r#"{"pid":7,"uptime_seconds":1}"#).ends_with("\n\n*\n"));
        let metrics = "HTTP/1.1 200 OK\r\nContent-Length: 16\r\n\r\n# TYPE a gauge\n\n";
        assert!(noted(metrics, false).ends_with("Content-Length: *\n\n*\n"));
        let head = "HTTP/1.1 200 OK\r\nContent-Length: 77\r\n\r\n";
        assert!(noted(head, true).ends_with("Content-Length: *\n\n\n"));
    }

    #[test]
    fn long_bodies_are_kept_as_length_and_hash() {
        let long = |byte: &str| noted(&format!("HTTP/1.0 200 OK\r\n\r\n{}", byte.repeat(2000)), false);
        assert!(long("a").contains("(2000 bytes with the FNV-1a hash "));
        assert_ne!(long("a"), long("b"));
        // The published test vectors of FNV-1a.
        assert_eq!((fnv_1a(b""), fnv_1a(b"a")), (0xcbf2_9ce4_8422_2325, 0xaf63_dc4c_8601_ec8c));
    }

    proptest! {
        #[test]
        fn different_bytes_never_read_the_same(
            one in proptest::collection::vec(any::<u8>(), 0..20),
            other in proptest::collection::vec(any::<u8>(), 0..20),
        ) {
            prop_assert_eq!(one == other, escaped(&one) == escaped(&other));
        }

        #[test]
        fn any_text_is_masked_without_panic(text in ".*") {
            let _ = masked_names(&text);
            let _ = masked_names(&format!("{{\"origin\":{text}"));
        }
    }
}
