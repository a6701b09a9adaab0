//! Requests that are not HTTP, or whose end cannot be known: refused, closed, and never answered with
//! success, since a server and a proxy that read the same bytes differently are how requests are smuggled.

use crate::case::{Case, Level, Step, code, must, send};
use crate::play::{Context, Finding};
use crate::report::Verdict;
use crate::wire::Broken;

const BAD: &[u16] = &[400];
/// RFC 9112 section 6.1 would have 501, the contract 400.
const BAD_CODING: &[u16] = &[400, 501];
const BAD_VERSION: &[u16] = &[400, 505];

/// What must be refused, who says so, the status codes, and bytes.
type Row = (&'static str, &'static str, &'static [u16], &'static str);

/// Bodies whose end cannot be known: what follows the Host of a POST to `/echo`.
const BODIES: &[Row] = &[
    ("a length that is no number is refused", "9112 6.3", BAD, "Content-Length: five\r\n\r\nhello"),
    ("a negative length is refused", "9112 6.3", BAD, "Content-Length: -5\r\n\r\nhello"),
    ("a signed length is refused", "9112 6.3", BAD, "Content-Length: +5\r\n\r\nhello"),
    ("a hexadecimal length is refused", "9112 6.3", BAD, "Content-Length: 0x5\r\n\r\nhello"),
    ("an empty length is refused", "9112 6.3", BAD, "Content-Length:\r\n\r\nhello"),
    (
        "a length beyond 64 bits is refused",
        "9112 6.3",
        BAD,
        "Content-Length: 99999999999999999999\r\n\r\nhello",
    ),
    (
        "conflicting lengths are refused",
        "9112 6.3",
        BAD,
        "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    ),
    ("conflicting lengths in one field are refused", "9112 6.3", BAD, "Content-Length: 5, 6\r\n\r\nhello"),
    (
        "a bad chunk size is refused",
        "9112 7.1",
        BAD,
        "Transfer-Encoding: chunked\r\n\r\nfive!\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "an empty chunk size is refused",
        "9112 7.1",
        BAD,
        "Transfer-Encoding: chunked\r\n\r\n\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "a negative chunk size is refused",
        "9112 7.1",
        BAD,
        "Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "a chunk size with prefix is refused",
        "9112 7.1",
        BAD,
        "Transfer-Encoding: chunked\r\n\r\n0x5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "a chunk size beyond 64 bits is refused",
        "9112 7.1",
        BAD,
        "Transfer-Encoding: chunked\r\n\r\n10000000000000005\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "chunk data longer than its size is refused",
        "9112 7.1",
        BAD,
        "Transfer-Encoding: chunked\r\n\r\n3\r\nhello\r\n0\r\n\r\n",
    ),
    ("an unknown transfer coding is refused", "9112 6.1", BAD_CODING, "Transfer-Encoding: gzip\r\n\r\nhello"),
    (
        "a coding that only resembles chunked is refused",
        "9112 6.1",
        BAD_CODING,
        "Transfer-Encoding: xchunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "chunked that is not the last coding is refused",
        "9112 6.3",
        BAD_CODING,
        "Transfer-Encoding: chunked, gzip\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "an unknown coding before chunked is refused",
        "9112 6.1",
        BAD_CODING,
        "Transfer-Encoding: x-unknown, chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    ),
];

/// Fields that are none: what follows the Host of a GET of `/simple`.
const FIELDS: &[Row] = &[
    ("a blank before the colon is refused", "9112 5.1", BAD, "X-A : b\r\n\r\n"),
    ("a field without colon is refused", "9112 5", BAD, "no colon here\r\n\r\n"),
    ("a field without name is refused", "9112 5", BAD, ": value\r\n\r\n"),
    ("a folded field is refused", "9112 5.2", BAD, "X-A: b\r\n folded\r\n\r\n"),
    ("a NUL in a field is refused", "9110 5.5", BAD, "X-A: a\0b\r\n\r\n"),
    ("a lone CR in a field is refused", "9112 2.2", BAD, "X-A: a\rb\r\n\r\n"),
];

/// Whole requests: request lines that are none, and Hosts.
const REQUESTS: &[Row] = &[
    ("a missing Host is refused", "9112 3.2", BAD, "GET /simple HTTP/1.1\r\n\r\n"),
    ("a repeated Host is refused", "9112 3.2", BAD, "GET /simple HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    (
        "an equal repeated Host is refused",
        "9112 3.2",
        BAD,
        "GET /simple HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
    ),
    (
        "a repeated Host is refused in HTTP/1.0 too",
        "9112 3.2",
        BAD,
        "GET /simple HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    ),
    ("a Host that cannot be one is refused", "9112 3.2", BAD, "GET /simple HTTP/1.1\r\nHost: a b/c\r\n\r\n"),
    ("a missing Host is refused on an unknown path too", "9112 3.2", BAD, "GET /nowhere HTTP/1.1\r\n\r\n"),
    (
        "a blank before the first field is refused",
        "9112 2.2",
        BAD,
        "GET /simple HTTP/1.1\r\n Host: c\r\n\r\n",
    ),
    ("a request line of rubbish is refused", "9112 3", BAD, "this is not a request\r\n\r\n"),
    ("a request line without target is refused", "9112 3", BAD, "GET HTTP/1.1\r\nHost: c\r\n\r\n"),
    (
        "a request line with a word too many is refused",
        "9112 3",
        BAD,
        "GET /simple now HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    ("a request line without version is refused", "9112 3", BAD, "GET /simple\r\nHost: c\r\n\r\n"),
    (
        "a method with a forbidden character is refused",
        "9110 9.1",
        BAD,
        "GE(T /simple HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    (
        "a control character in the target is refused",
        "9112 3.2",
        BAD,
        "GET /sim\u{1}ple HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    ("a misspelt protocol is refused", "9112 2.3", BAD_VERSION, "GET /simple HTTQ/1.1\r\nHost: c\r\n\r\n"),
    ("another major version is refused", "9112 2.3", BAD_VERSION, "GET /simple HTTP/3.0\r\nHost: c\r\n\r\n"),
    ("TLS on the plain port is refused", "9112 2.2", BAD, "\u{16}\u{3}\u{1}\u{2}\0\u{1}\0\u{1}\r\n\r\n"),
];

pub(crate) fn cases() -> Vec<Case> {
    let tables = [
        ("POST /echo HTTP/1.1\r\nHost: c\r\n", BODIES),
        ("GET /simple HTTP/1.1\r\nHost: c\r\n", FIELDS),
        ("", REQUESTS),
    ];
    let mut cases = Vec::new();
    for (start, rows) in tables {
        for &(name, source, statuses, rest) in rows {
            cases.push(must(name, source, vec![send(&format!("{start}{rest}")), Step::Refusal(statuses)]));
        }
    }
    cases.push(code(
        "Content-Length beside Transfer-Encoding is refused, or chunked wins and the connection closes",
        Level::Must,
        "9112 6.3",
        both_framings,
    ));
    cases.push(code(
        "a body that ends too early is not answered with success",
        Level::Must,
        "9112 8",
        |context| truncated(context, "Content-Length: 50\r\n\r\nhello"),
    ));
    cases.push(code(
        "a chunked body that ends too early is not answered with success",
        Level::Must,
        "9112 8",
        |context| truncated(context, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
    ));
    cases
}

/// What a smuggler would hide: the length says that the second request is body, the chunks that it is not.
const BOTH_FRAMINGS: &str = "POST /echo HTTP/1.1\r\nHost: c\r\n\
                             Content-Length: 48\r\nTransfer-Encoding: chunked\r\n\r\n\
                             5\r\nhello\r\n0\r\n\r\nGET /simple HTTP/1.1\r\nHost: c\r\n\r\n";

fn both_framings(context: &Context<'_>) -> Finding {
    let mut client = match context.connect() {
        Ok(client) => client,
        Err(detail) => return (Verdict::Fail, detail),
    };
    drop(client.send(BOTH_FRAMINGS.as_bytes()));
    match client.receive(false) {
        Err(Broken::Closed) => return (Verdict::Warn, "closed without an answer".to_owned()),
        Err(broken) => return (Verdict::Fail, broken.to_string()),
        Ok(response) if response.status == 400 => {}
        Ok(response) if response.status == 200 && response.body == b"hello" => {}
        Ok(response) => {
            let body = String::from_utf8_lossy(&response.body);
            return (Verdict::Fail, format!("answered {} with {body:?}", response.status));
        }
    }
    match client.closes() {
        Ok(()) => (Verdict::Pass, String::new()),
        Err(detail) => (Verdict::Fail, detail),
    }
}

fn truncated(context: &Context<'_>, rest: &str) -> Finding {
    let sent = || -> Result<_, String> {
        let mut client = context.connect()?;
        let request = format!("POST /echo HTTP/1.1\r\nHost: c\r\n{rest}");
        client.send(request.as_bytes()).map_err(|error| error.to_string())?;
        client.finish_sending().map_err(|error| error.to_string())?;
        Ok(client.receive(false))
    };
    match sent() {
        // Nobody is left to read an answer, so that any refusal will do.
        Ok(Err(Broken::Closed)) => (Verdict::Pass, String::new()),
        Ok(Ok(response)) if response.status >= 400 => (Verdict::Pass, String::new()),
        Ok(Ok(response)) => (Verdict::Fail, format!("answered {}", response.status)),
        Ok(Err(broken)) => (Verdict::Fail, broken.to_string()),
        Err(detail) => (Verdict::Fail, detail),
    }
}
