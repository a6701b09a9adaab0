//! Bodies both ways, by way of `/echo`.

use crate::case::{Case, Step, answer, get, may, must, send, simple};
use crate::response::Response;

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
    (
        "codings are recognised in any case",
        "Transfer-Encoding: Chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
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
    let in_pieces = "POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n\
                     5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n";
    cases.extend([
        must(
            "a chunked body may arrive byte by byte",
            "9112 7.1",
            vec![Step::SendPieces(in_pieces.into(), 1), answer(200).body("hello0123456789").then()],
        ),
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
        must(
            "GET of echo lists the request's fields",
            "contract",
            vec![
                send("GET /echo HTTP/1.1\r\nHost: somewhere\r\nX-Token: a:b c\r\n\r\n"),
                answer(200).header("content-type", "text/plain").that(lists_fields).then(),
            ],
        ),
        must(
            "a client that waits for 100 Continue gets it and then its answer",
            "9110 10.1.1",
            vec![
                send("POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
                answer(100).then(),
                send("hello"),
                answer(200).body("hello").then(),
                Step::Send(get("/simple")),
                simple().then(),
            ],
        ),
        must(
            "100 Continue is given for a chunked body too, in any case",
            "9110 10.1.1",
            vec![
                send("POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\nExpect: 100-Continue\r\n\r\n"),
                answer(100).then(),
                send("5\r\nhello\r\n0\r\n\r\n"),
                answer(200).body("hello").then(),
            ],
        ),
        may(
            "a client that waits for 100 Continue is refused without it",
            "9110 10.1.1",
            vec![
                send("POST /nowhere HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
                answer(404).then(),
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

fn lists_fields(response: &Response) -> Result<(), String> {
    let text = String::from_utf8_lossy(&response.body);
    for field in ["host: somewhere", "x-token: a:b c"] {
        let listed = text.lines().any(|line| match (line.split_once(": "), field.split_once(": ")) {
            (Some((name, value)), Some((wanted, expected))) => {
                name.eq_ignore_ascii_case(wanted) && value == expected
            }
            _ => false,
        });
        if !listed {
            return Err(format!("{field:?} is not a line of {text:?}"));
        }
    }
    Ok(())
}
