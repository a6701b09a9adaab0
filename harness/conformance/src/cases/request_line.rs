//! The first line: three words, one space between them, and a version.

use crate::case::{Case, Step, answer, get, is_of_1_1, must, send, should, simple};
use crate::cases::{BAD, BAD_VERSION, Refused, refused};

/// Lines that are none. Where RFC 9112 section 3 only recommends a 400, the contract demands it.
const LINES: &[Refused] = &[
    ("a request line of rubbish is refused", "contract", b"this is not a request\r\n\r\n"),
    ("a request line without target is refused", "contract", b"GET HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a request line with an empty target is refused", "contract", b"GET  HTTP/1.1\r\nHost: c\r\n\r\n"),
    (
        "a request line with a word too many is refused",
        "contract",
        b"GET /simple now HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    ("a request line without version is refused", "contract", b"GET /simple\r\nHost: c\r\n\r\n"),
    ("a request line with an empty version is refused", "contract", b"GET /simple \r\nHost: c\r\n\r\n"),
    ("a blank before the method is refused", "contract", b" GET /simple HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("two blanks before the target are refused", "contract", b"GET  /simple HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("two blanks before the version are refused", "contract", b"GET /simple  HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a blank after the version is refused", "contract", b"GET /simple HTTP/1.1 \r\nHost: c\r\n\r\n"),
    ("tabs instead of blanks are refused", "contract", b"GET\t/simple\tHTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a vertical tab for a blank is refused", "contract", b"GET\x0b/simple\x0bHTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a lone CR for a blank is refused", "contract", b"GET\r/simple HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a lone CR within the line is refused", "contract", b"GET /sim\rple HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a NUL within the line is refused", "contract", b"GET /simple\0 HTTP/1.1\r\nHost: c\r\n\r\n"),
    (
        "a method with a forbidden character is refused",
        "9110 9.1",
        b"GE(T /simple HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    ("two methods in one are refused", "9110 9.1", b"GET,POST /simple HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a method with a colon is refused", "9110 9.1", b"GET: /simple HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a method beyond ASCII is refused", "9110 9.1", b"G\xc9T /simple HTTP/1.1\r\nHost: c\r\n\r\n"),
    (
        "a control character in the target is refused",
        "contract",
        b"GET /sim\x01ple HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    ("a DEL in the target is refused", "contract", b"GET /sim\x7fple HTTP/1.1\r\nHost: c\r\n\r\n"),
    (
        "a field in place of the request line is refused",
        "contract",
        b"Host: c\r\nGET /simple HTTP/1.1\r\n\r\n",
    ),
    ("TLS on the plain port is refused", "contract", b"\x16\x03\x01\x02\x00\x01\x00\x01\r\n\r\n"),
    (
        "a response in place of a request is refused",
        "contract",
        b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n",
    ),
    (
        "the start of a proxy protocol is refused",
        "contract",
        b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\nGET /simple HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
];

const VERSIONS: &[Refused] = &[
    ("a misspelt protocol is refused", "9112 2.3", b"GET /simple HTTQ/1.1\r\nHost: c\r\n\r\n"),
    ("a protocol in lower case is refused", "9112 2.3", b"GET /simple http/1.1\r\nHost: c\r\n\r\n"),
    ("another protocol is refused", "9112 2.3", b"GET /simple RTSP/1.1\r\nHost: c\r\n\r\n"),
    ("a version without minor number is refused", "9112 2.3", b"GET /simple HTTP/1\r\nHost: c\r\n\r\n"),
    (
        "a version with an empty minor number is refused",
        "9112 2.3",
        b"GET /simple HTTP/1.\r\nHost: c\r\n\r\n",
    ),
    ("a version of two minor digits is refused", "9112 2.3", b"GET /simple HTTP/1.10\r\nHost: c\r\n\r\n"),
    ("a version with a leading zero is refused", "9112 2.3", b"GET /simple HTTP/01.1\r\nHost: c\r\n\r\n"),
    ("a version with a comma is refused", "9112 2.3", b"GET /simple HTTP/1,1\r\nHost: c\r\n\r\n"),
    ("a version with letters behind is refused", "9112 2.3", b"GET /simple HTTP/1.1x\r\nHost: c\r\n\r\n"),
    ("a blank within the version is refused", "9112 2.3", b"GET /simple HTTP/ 1.1\r\nHost: c\r\n\r\n"),
    ("major version 0 is refused", "9110 2.5", b"GET /simple HTTP/0.9\r\nHost: c\r\n\r\n"),
    ("major version 2 is refused", "9110 2.5", b"GET /simple HTTP/2.0\r\nHost: c\r\n\r\n"),
    ("another major version is refused", "9110 2.5", b"GET /simple HTTP/3.0\r\nHost: c\r\n\r\n"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = refused("", LINES, b"", BAD);
    cases.extend(refused("", VERSIONS, b"", BAD_VERSION));
    cases.extend([
        should(
            "an empty line before a request is passed over",
            "9112 2.2",
            vec![send("\r\nGET /simple HTTP/1.1\r\nHost: c\r\n\r\n"), simple().then()],
        ),
        should(
            "an empty line after a body is passed over",
            "9112 2.2",
            vec![
                send(concat!(
                    "POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\n\r\nhello\r\n",
                    "GET /simple HTTP/1.1\r\nHost: c\r\n\r\n"
                )),
                answer(200).body("hello").then(),
                simple().then(),
            ],
        ),
        should(
            "a higher minor version is served like 1.1",
            "9110 2.5",
            vec![send("GET /simple HTTP/1.2\r\nHost: c\r\n\r\n"), simple().then()],
        ),
        should(
            "the highest minor version is served like 1.1, with what that keeps",
            "9110 2.5",
            vec![
                send(concat!(
                    "POST /echo HTTP/1.9\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
                    "GET /simple HTTP/1.3\r\nHost: c\r\n\r\n"
                )),
                answer(200).body("hello").that(is_of_1_1).then(),
                simple().that(is_of_1_1).then(),
                Step::Send(get("/simple")),
                simple().then(),
            ],
        ),
        must(
            "a higher minor version needs a Host too",
            "9112 3.2",
            vec![send("GET /simple HTTP/1.2\r\n\r\n"), Step::Refusal(BAD_VERSION)],
        ),
        must(
            "line feeds alone end the lines of a head or are refused",
            "9112 2.2",
            vec![
                send("GET /simple HTTP/1.1\nHost: c\n\n"),
                Step::RefusalOr(BAD, simple()),
                Step::UsableOrClosed,
            ],
        ),
        must(
            "one line feed alone ends a line or is refused",
            "9112 2.2",
            vec![
                send("GET /simple HTTP/1.1\r\nHost: c\nX-A: b\r\n\r\n"),
                Step::RefusalOr(BAD, simple()),
                Step::UsableOrClosed,
            ],
        ),
    ]);
    cases
}
