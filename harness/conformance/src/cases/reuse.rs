//! What becomes of a connection after an answer that is an error, and after one whose body nobody asked for: it is
//! either usable and in step, or closed.

use crate::case::{Case, SMUGGLED, Step, answer, get, must, request, should, simple};
use crate::cases::{BAD, around_smuggled, refused};
use crate::response::Response;

/// What must hold, the request, and the status of its answer.
const ERRORS: &[(&str, &str, &str, u16)] = &[
    ("the connection survives a 404 or closes", "GET", "/nowhere", 404),
    ("the connection survives a 405 or closes", "DELETE", "/simple", 405),
    ("the connection survives a 501 or closes", "BREW", "/simple", 501),
    ("the connection survives a bad parameter or closes", "GET", "/complex?iterations=x", 400),
];

/// What must hold, the method, the target, and the status: each with a request hidden in its body.
const BODIES: &[(&str, &str, &str, u16)] = &[
    ("the body of a 404 is not taken for a request", "POST", "/nowhere", 404),
    ("the body of a 405 is not taken for a request", "POST", "/simple", 405),
    ("the body of a PUT is not taken for a request", "PUT", "/echo", 405),
    ("the body of a DELETE is not taken for a request", "DELETE", "/nowhere", 404),
    ("the body of a PATCH is not taken for a request", "PATCH", "/healthz", 405),
    ("the body of a TRACE is not taken for a request", "TRACE", "/simple", 405),
    ("the body of a 501 is not taken for a request", "BREW", "/simple", 501),
    ("the body of a bad parameter is not taken for a request", "GET", "/complex?iterations=x", 400),
    ("the body of an OPTIONS is not taken for a request", "OPTIONS", "/simple", 204),
    ("the body of an OPTIONS of the server is not taken for a request", "OPTIONS", "*", 204),
    ("the body of a GET of the index is not taken for a request", "GET", "/", 200),
    ("the body of a GET of simple is not taken for a request", "GET", "/simple", 200),
    ("the body of a GET of its alias is not taken for a request", "GET", "/operacion-simple", 200),
    ("the body of a GET of complex is not taken for a request", "GET", "/complex?iterations=9", 200),
    ("the body of a GET of randoms is not taken for a request", "GET", "/api/randoms?count=9", 200),
    ("the body of a GET of delay is not taken for a request", "GET", "/delay?ms=0", 200),
    ("the body of a GET of echo is not taken for a request", "GET", "/echo", 200),
    ("the body of a GET of info is not taken for a request", "GET", "/info", 200),
    ("the body of a GET of healthz is not taken for a request", "GET", "/healthz", 200),
    ("the body of a GET of metrics is not taken for a request", "GET", "/metrics", 200),
    ("the body of a GET of the description is not taken for a request", "GET", "/openapi.yaml", 200),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = Vec::new();
    for &(name, method, target, status) in ERRORS {
        let steps = vec![Step::Send(request(method, target)), answer(status).then(), Step::UsableOrClosed];
        cases.push(must(name, "9112 9.3", steps));
    }
    for &(name, method, target, status) in BODIES {
        let send = Step::Send(around_smuggled(method, target, ""));
        cases.push(must(name, "9112 6", vec![send, answer(status).then(), Step::UsableOrClosed]));
    }
    cases.extend([
        must(
            "the body of a HEAD is not taken for a request",
            "9112 6",
            vec![
                Step::Send(around_smuggled("HEAD", "/simple", "")),
                answer(200).without_body().then(),
                Step::UsableOrClosed,
            ],
        ),
        must(
            "the chunks of a GET are not taken for a request",
            "9112 6",
            vec![Step::Send(chunked("GET", "/simple")), simple().then(), Step::UsableOrClosed],
        ),
        must(
            "the chunks of a 404 are not taken for a request",
            "9112 6",
            vec![Step::Send(chunked("POST", "/nowhere")), answer(404).then(), Step::UsableOrClosed],
        ),
        must(
            "the chunks of a 405 are not taken for a request",
            "9112 6",
            vec![Step::Send(chunked("POST", "/simple")), answer(405).then(), Step::UsableOrClosed],
        ),
        must(
            "a hidden request that comes late is body too",
            "9112 6",
            vec![
                Step::SendPieces(around_smuggled("POST", "/simple", ""), 60),
                answer(405).then(),
                Step::UsableOrClosed,
            ],
        ),
        must(
            "requests behind one with a body are answered in step",
            "9112 9.3.2",
            vec![
                Step::Send([around_smuggled("GET", "/simple", ""), get("/nowhere"), get("/simple")].concat()),
                simple().then(),
                answer(404).then(),
                simple().then(),
            ],
        ),
        must(
            "the answer after a 404 is right",
            "contract",
            vec![
                Step::Send([get("/nowhere"), request("HEAD", "/nowhere"), get("/simple")].concat()),
                answer(404).then(),
                answer(404).without_body().then(),
                simple().then(),
            ],
        ),
        must(
            "errors of every kind are answered in their order",
            "9112 9.3.2",
            vec![
                Step::Send(
                    [
                        get("/nowhere"),
                        request("PUT", "/simple"),
                        request("BREW", "/"),
                        get("/delay"),
                        get("/simple"),
                    ]
                    .concat(),
                ),
                answer(404).then(),
                answer(405).then(),
                answer(501).then(),
                answer(400).then(),
                simple().then(),
            ],
        ),
    ]);
    cases.extend(announced());
    cases.extend(explained());
    // After these the connection closes, so that nothing behind them may be answered.
    let ends: &[(&str, &str, &[u8])] = &[
        (
            "nothing is answered behind a broken head",
            "9112 9.6",
            b"GET /simple HTTP/1.1\r\nHost: c\r\nX A: b\r\n\r\n",
        ),
        (
            "nothing is answered behind a bad request line",
            "9112 9.6",
            b"GET /simple HTTP/1.1 x\r\nHost: c\r\n\r\n",
        ),
    ];
    cases.extend(refused("", ends, SMUGGLED, BAD));
    cases
}

/// A server that closes should say so.
fn announced() -> Vec<Case> {
    let says_so = |response: &Response| match response.has_token("connection", "close") {
        true => Ok(()),
        false => Err("the answer lacks Connection: close".to_owned()),
    };
    let rows: [(&str, &[u8], u16); 4] = [
        ("a close after a missing Host is announced", b"GET /simple HTTP/1.1\r\n\r\n", 400),
        (
            "a close after a bad length is announced",
            b"POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: x\r\n\r\n",
            400,
        ),
        (
            "a close after a bad chunk is announced",
            b"POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
            400,
        ),
        (
            "a close after a body that is too long is announced",
            b"POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 1000000000000\r\n\r\n",
            413,
        ),
    ];
    let case = |(name, bytes, status): (&'static str, &[u8], u16)| {
        should(
            name,
            "9112 9.6",
            vec![Step::Send(bytes.to_vec()), answer(status).that(says_so).then(), Step::Closes],
        )
    };
    rows.into_iter().map(case).collect()
}

/// An error should explain itself.
fn explained() -> Vec<Case> {
    let explains = |response: &Response| match (response.body.is_empty(), response.header("content-type")) {
        (true, _) => Err("the answer explains nothing".to_owned()),
        (_, None) => Err("the answer does not say what type its explanation has".to_owned()),
        _ => Ok(()),
    };
    let rows: [(&str, &str, Vec<u8>, u16); 6] = [
        ("a 404 explains itself", "9110 15.5", get("/nowhere"), 404),
        ("a 405 explains itself", "9110 15.5", request("PUT", "/simple"), 405),
        ("a bad parameter is explained", "9110 15.5", get("/delay?ms=x"), 400),
        ("a 501 explains itself", "9110 15.6", request("BREW", "/simple"), 501),
        ("a missing Host is explained", "9110 15.5", b"GET /simple HTTP/1.1\r\n\r\n".to_vec(), 400),
        (
            "a 413 explains itself",
            "9110 15.5",
            b"POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 1000000000000\r\n\r\n".to_vec(),
            413,
        ),
    ];
    let case = |(name, source, bytes, status): (&'static str, &'static str, Vec<u8>, u16)| {
        should(name, source, vec![Step::Send(bytes), answer(status).that(explains).then()])
    };
    rows.into_iter().map(case).collect()
}

/// A request whose one chunk is [`SMUGGLED`].
fn chunked(method: &str, target: &str) -> Vec<u8> {
    let head = format!(
        "{method} {target} HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n",
        SMUGGLED.len()
    );
    [head.as_bytes(), SMUGGLED, b"\r\n0\r\n\r\n"].concat()
}
