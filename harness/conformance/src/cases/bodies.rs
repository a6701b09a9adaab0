//! Bodies both ways, by way of `/echo`.

use crate::case::{Case, Step, answer, get, must, send, simple};

/// What must hold, what follows `POST /echo HTTP/1.1`, and the body that comes back.
const ECHOED: &[(&str, &str, &str)] = &[
    ("echo returns a body of known length", "Content-Length: 5\r\n\r\nhello", "hello"),
    ("echo returns an empty body", "Content-Length: 0\r\n\r\n", ""),
    ("a request without length has no body", "X-Nothing: 1\r\n\r\n", ""),
    ("a length may have leading zeros", "Content-Length: 0005\r\n\r\nhello", "hello"),
    ("echo returns a chunked body", "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", "hello"),
    ("a chunked body may be empty", "Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n", ""),
    (
        "chunks are joined",
        "Transfer-Encoding: chunked\r\n\r\n1\r\nh\r\n3\r\nell\r\n1\r\no\r\n0\r\n\r\n",
        "hello",
    ),
    (
        "chunk sizes are hexadecimal in any case",
        "Transfer-Encoding: chunked\r\n\r\na\r\n0123456789\r\nB\r\n0123456789A\r\n000\r\n\r\n",
        "01234567890123456789A",
    ),
    (
        "chunk extensions are passed over",
        "Transfer-Encoding: chunked\r\n\r\n5;name=value;flag\r\nhello\r\n0;last\r\n\r\n",
        "hello",
    ),
    (
        "trailer fields are passed over",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n",
        "hello",
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &(name, rest, body) in ECHOED {
        let request = format!("POST /echo HTTP/1.1\r\nHost: c\r\n{rest}");
        let steps =
            |sent| vec![sent, answer(200).body(body).then(), Step::Send(get("/simple")), simple().then()];
        cases.push(must(name, "9112 6", steps(send(&request))));
    }
    cases.extend([
        must(
            "echo returns every byte value unchanged, with its type",
            "contract",
            vec![
                Step::Send(post("application/octet-stream", &every_byte(256))),
                answer(200).header("content-type", "application/octet-stream").body(every_byte(256)).then(),
            ],
        ),
        must(
            "echo returns the type that it was given",
            "contract",
            vec![
                Step::Send(post("text/csv", b"a,b")),
                answer(200).header("content-type", "text/csv").body("a,b").then(),
            ],
        ),
        must(
            "echo returns a body that no single read can hold",
            "contract",
            vec![
                Step::Send(post("text/plain", &every_byte(60_000))),
                answer(200).body(every_byte(60_000)).then(),
                Step::Send(get("/simple")),
                simple().then(),
            ],
        ),
        must(
            "a body may arrive in many parts",
            "9112 6.3",
            vec![
                Step::SendPieces(post("text/plain", &every_byte(5_000)), 700),
                answer(200).body(every_byte(5_000)).then(),
            ],
        ),
    ]);
    cases
}

/// A POST to `/echo`.
pub(crate) fn post(content_type: &str, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /echo HTTP/1.1\r\nHost: conformance\r\nContent-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    [head.as_bytes(), body].concat()
}

/// So many bytes, all values in turn.
fn every_byte(count: usize) -> Vec<u8> {
    (0..=u8::MAX).cycle().take(count).collect()
}
