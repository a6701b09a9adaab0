//! Answers in HTTP/1.1 to requests of HTTP/1.0.
//!
//! A server states the version that it conforms to, whatever its client's is (RFC 9110 section 6.2). hyper states the client's. So the one
//! digit that differs is changed in what hyper writes. Where an answer begins is known: hyper hands over all that it has still to write each time,
//! and appends one answer before it does, so that it begins behind what was left of those before. Only where there was no room for its
//! content does that come later, and behind what ends as a head does.
//!
//! With the version changes what an answer must say of its connection: that it closes, where the client did not ask for more (RFC 9112
//! section 9.3). One that says nothing means the end in HTTP/1.0 and the contrary in HTTP/1.1, so its version stays: what hyper refuses by itself
//! behind a request of HTTP/1.0 that was kept. When the server stops, its last answer to such a client says that it closes, as to any other.

use std::borrow::Cow;

use hyper::{
    Response, Version,
    header::{CONNECTION, HeaderMap, HeaderValue},
};
use memchr::memmem;

/// The most that hyper buffers of one connection, each way.
pub(super) const MAX_BUFFER_BYTES: usize = 64 * 1024;

/// The beginning of an answer that states the wrong version, and where in it the digit is.
const STATED: &[u8] = b"HTTP/1.0 ";
const DIGIT: usize = 7;

/// What is known of the bytes that hyper has still to write.
#[derive(Debug, Default)]
pub(super) struct Raised {
    /// How many were there when it last tried, and not taken.
    unwritten: usize,
    /// What comes next may be the content of an answer whose head is there.
    content_may_follow: bool,
    /// Where among them digits are to be changed.
    digits: Vec<usize>,
}

impl Raised {
    /// What is to be written instead of `bytes`, which are all that hyper has still to write.
    pub(super) fn instead_of<'a>(&mut self, bytes: &'a [u8]) -> Cow<'a, [u8]> {
        let added = bytes.get(self.unwritten..).unwrap_or_default();
        if !added.is_empty() {
            if added.starts_with(STATED) && !self.content_may_follow && names_connection(added) {
                self.digits.push(self.unwritten + DIGIT);
            }
            // As hyper decides whether there is room.
            self.content_may_follow = bytes.len() >= MAX_BUFFER_BYTES && bytes.ends_with(b"\r\n\r\n");
        }
        self.unwritten = bytes.len();
        if self.digits.is_empty() {
            return bytes.into();
        }
        let mut raised = bytes.to_vec();
        for &digit in &self.digits {
            raised[digit] = b'1';
        }
        raised.into()
    }

    /// Of these bytes, so many were written.
    pub(super) fn wrote(&mut self, count: usize) {
        self.unwritten = self.unwritten.saturating_sub(count);
        if !self.digits.is_empty() {
            self.digits.retain_mut(|digit| {
                let is_left = *digit >= count;
                *digit = digit.saturating_sub(count);
                is_left
            });
        }
    }
}

/// Whether an answer's head says something of its connection.
fn names_connection(answer: &[u8]) -> bool {
    let end = memmem::find(answer, b"\r\n\r\n").unwrap_or(answer.len());
    memmem::find(&answer[..end], b"\r\nconnection: ").is_some()
}

/// Whether a client of HTTP/1.0 asks that the connection be kept (RFC 9112 section C.2.2).
pub(super) fn asks_to_keep(headers: &HeaderMap) -> bool {
    let has = |wanted: &str| {
        let values = headers.get_all(CONNECTION).iter();
        let mut options = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
        options.any(|option| option.trim_ascii().eq_ignore_ascii_case(wanted.as_bytes()))
    };
    has("keep-alive") && !has("close")
}

/// Has an answer to a request of HTTP/1.0 say what becomes of its connection: that it closes, if the client does not keep it or the answer ends
/// it.
pub(super) fn finish<B>(answer: &mut Response<B>, is_kept: bool) {
    if !is_kept || answer.headers().contains_key(CONNECTION) {
        answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        // Or hyper would add `keep-alive` where the client asked for it.
        *answer.version_mut() = Version::HTTP_10;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: &[u8] = b"HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nHTTP/1.0 is what the body says";
    const NEW: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nHTTP/1.0 is what the body says";

    #[test]
    fn only_the_version_of_an_answer_is_changed() {
        let mut raised = Raised::default();
        assert_eq!(*raised.instead_of(OLD), *NEW);
        raised.wrote(4);
        assert_eq!(*raised.instead_of(&OLD[4..]), NEW[4..], "again what was not taken");
        raised.wrote(OLD.len() - 4);
        assert_eq!(*raised.instead_of(OLD), *NEW, "another one");
        raised.wrote(OLD.len());
        let silent = b"HTTP/1.0 400 Bad Request\r\n\r\n\r\nconnection: close\r\n";
        for other in [&b"HTTP/1.1 200 OK\r\n\r\n"[..], b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.0", silent]
        {
            assert_eq!(*raised.instead_of(other), *other);
            raised.wrote(other.len());
        }
    }

    #[test]
    fn content_that_found_no_room_behind_its_head_is_none() {
        let mut raised = Raised::default();
        let waiting =
            [&vec![b'a'; MAX_BUFFER_BYTES][..], b"HTTP/1.0 200 OK\r\nconnection: close\r\n\r\n"].concat();
        assert_eq!(raised.instead_of(&waiting[..MAX_BUFFER_BYTES]), &waiting[..MAX_BUFFER_BYTES]);
        let instead = raised.instead_of(&waiting).into_owned();
        assert!(instead.ends_with(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n"), "the head");
        raised.wrote(waiting.len());
        let content = b"HTTP/1.0 what was sent\r\nconnection: close\r\n\r\n";
        assert_eq!(*raised.instead_of(content), *content, "its content");
        raised.wrote(content.len());
        assert_eq!(*raised.instead_of(OLD), *NEW, "the next one");
    }

    #[test]
    fn answers_that_wait_behind_others_are_written_a_few_bytes_at_a_time() {
        for room in 1..30 {
            let mut raised = Raised::default();
            let (mut buffer, mut written) = (Vec::new(), Vec::new());
            let mut write = |added: &[u8], tries: usize| {
                buffer.extend_from_slice(added);
                for _ in 0..tries {
                    let count = room.min(buffer.len());
                    written.extend_from_slice(&raised.instead_of(&buffer)[..count]);
                    raised.wrote(count);
                    buffer.drain(..count);
                }
            };
            write(b"HTTP/1.1 100\r\n\r\n", 1);
            write(OLD, 1);
            write(OLD, 1);
            write(b"HTTP/1.1 404\r\n\r\n", 200);
            let expected = [b"HTTP/1.1 100\r\n\r\n", NEW, NEW, b"HTTP/1.1 404\r\n\r\n"].concat();
            assert_eq!(String::from_utf8(written), String::from_utf8(expected), "{room}");
        }
    }

    #[test]
    fn a_client_asks_to_keep_the_connection_by_an_option_that_close_overrules() {
        let asks = |values: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(CONNECTION, HeaderValue::from_static(value));
            }
            asks_to_keep(&headers)
        };
        assert!(asks(&["keep-alive"]) && asks(&["x, Keep-Alive"]) && asks(&["x", "keep-alive"]));
        assert!(!asks(&[]) && !asks(&["keep-alive, close"]) && !asks(&["keep-alive", "Close"]));
        assert!(!asks(&["keep-alives"]));
    }
}
