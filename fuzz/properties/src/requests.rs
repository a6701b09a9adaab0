//! A strict reader of requests (RFC 9112): which whole, valid messages some bytes are, and where that ends.
//!
//! It is the oracle against desyncs, so it is simple on purpose and shares nothing with what it judges: the bytes
//! are all there from the start, and every rule is one line that names its section.
//!
//! Taken though it need not be: a bare LF as the end of a line of the head (2.2), empty lines before a request (2.2), a
//! Content-Length repeated with the same value (6.3). Refused, where parsers in use are often lenient:
//! - blanks before or after a chunk size, other than before an extension (7.1), and control bytes in an extension (7.1.1);
//! - a bare LF anywhere in the chunked coding, its trailers included (7.1);
//! - bytes that no URI has and a fragment in the target (3.2), and a target that is a bare authority;
//! - Content-Length beside Transfer-Encoding (6.1: the contract refuses it), any other coding than `chunked`, and
//!   Transfer-Encoding in HTTP/1.0 (6.1);
//! - a Host that is missing, repeated, empty, a list, or no host and port (3.2);
//! - a trailer field that frames or routes (RFC 9110 6.5.1);
//! - folded lines (5.2), blanks before a colon (5.1), and CR or another control byte within a line (2.2, RFC 9110 5.5);
//! - an expectation other than `100-continue` (the contract answers 417).
//!
//! Where the grammar leaves a server the choice, the message is marked [`Message::refusable`]. What it refuses to know: limits,
//! routes and answers.

mod chunked;
mod fields;
mod grammar;
mod line;
mod stop;

use fields::{Fields, Framing, Persistence};
pub use stop::Stop;

/// A whole, valid message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message<'a> {
    /// Its method.
    pub method: &'a str,
    /// Its target, in any of the forms.
    pub target: &'a str,
    /// It is of HTTP/1.0.
    pub is_http_10: bool,
    /// Its content, without the chunked coding.
    pub content: Vec<u8>,
    /// The values of its Content-Type fields.
    pub content_types: Vec<&'a [u8]>,
    /// It asks for 100 (Continue).
    pub expects_continue: bool,
    /// Whether its If-Match lists `*`, where it has one.
    pub if_match: Option<bool>,
    /// Whether its If-None-Match lists `*`, where it has one.
    pub if_none_match: Option<bool>,
    /// It may be refused (with a close) as well as served: the grammar or its limits allow both.
    pub refusable: bool,
}

/// What some bytes are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<'a> {
    /// The whole, valid messages from the start.
    pub messages: Vec<Message<'a>>,
    /// Why there are no more.
    pub stop: Stop,
    /// Where that is.
    pub at: usize,
}

/// The head of a message and how its content is framed.
struct Head<'a> {
    message: Message<'a>,
    framing: Framing,
    persistence: Persistence,
    /// Where the content begins.
    end: usize,
}

/// Reads `bytes` as what a client sent on one connection.
pub fn read(bytes: &[u8]) -> Reading<'_> {
    let mut messages = Vec::new();
    let mut at = 0;
    let stop = loop {
        let skipped = empty_lines(&bytes[at..]);
        at += skipped;
        let rest = &bytes[at..];
        if rest.is_empty() {
            break if skipped > 0 { Stop::EmptyLines } else { Stop::End };
        }
        let Head { mut message, framing, persistence, end } = match head(rest) {
            Ok(head) => head,
            Err(stop) => break stop,
        };
        let content = &rest[end..];
        let length = match framing {
            Framing::Length(length) => {
                match usize::try_from(length).ok().and_then(|length| content.get(..length)) {
                    None => break Stop::IncompleteContent,
                    Some(content) => {
                        message.content = content.to_vec();
                        content.len()
                    }
                }
            }
            Framing::Chunked => match chunked::decode(content) {
                Err(stop) => break stop,
                Ok(decoded) => {
                    message.content = decoded.content;
                    message.refusable |= decoded.is_refusable;
                    decoded.end
                }
            },
        };
        messages.push(message);
        at += end + length;
        match persistence {
            Persistence::Persists => {}
            Persistence::Closes => break Stop::Closed,
            Persistence::Unclear => break Stop::Unclear,
        }
    };
    Reading { messages, stop, at }
}

/// RFC 9112 section 2.2: how many bytes of empty lines come before a request.
fn empty_lines(bytes: &[u8]) -> usize {
    let mut at = 0;
    loop {
        match &bytes[at..] {
            [b'\r', b'\n', ..] => at += 2,
            [b'\n', ..] => at += 1,
            _ => return at,
        }
    }
}

/// The head at the start of `bytes`, which is not empty and does not begin with an empty line.
fn head(bytes: &[u8]) -> Result<Head<'_>, Stop> {
    let mut lines = Vec::new();
    let mut end = 0;
    loop {
        let rest = &bytes[end..];
        let length = rest.iter().position(|&byte| byte == b'\n').ok_or(Stop::IncompleteHead)?;
        end += length + 1;
        let line = &rest[..length];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        lines.push(line);
    }
    let (request_line, field_lines) = lines.split_first().ok_or(Stop::Invalid("no request line"))?;
    let line = line::read(request_line)?;
    let fields = Fields::read(field_lines, line.is_http_10)?;
    let message = Message {
        method: line.method,
        target: line.target,
        is_http_10: line.is_http_10,
        content: Vec::new(),
        content_types: fields.content_types,
        expects_continue: fields.expects_continue,
        if_match: fields.if_match,
        if_none_match: fields.if_none_match,
        refusable: line.refusable || fields.refusable,
    };
    Ok(Head { message, framing: fields.framing, persistence: fields.persistence, end })
}

#[cfg(test)]
mod tests;
