//! Offers to speak something else: ignored safely, and never a way around the rules.

use crate::case::{Case, SMUGGLED, Step, answer, get, must, send, simple};
use crate::cases::{BAD_VERSION, SIMPLE, and_smuggled, around_smuggled};

/// What must hold, and the fields of a GET of `/simple` that is served as if they were not there.
const IGNORED: &[(&str, &str)] = &[
    (
        "an upgrade to HTTP/2 is ignored",
        "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n",
    ),
    (
        "an upgrade to a WebSocket is ignored",
        "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n",
    ),
    ("an upgrade to TLS is ignored", "Connection: Upgrade\r\nUpgrade: TLS/1.2\r\n"),
    ("an upgrade that Connection does not name is ignored", "Upgrade: h2c\r\n"),
    ("an upgrade that Connection names and nobody offers is ignored", "Connection: Upgrade\r\n"),
    ("settings of HTTP/2 alone are ignored", "HTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"),
    ("an upgrade to many protocols is ignored", "Connection: upgrade\r\nUpgrade: h2c, websocket, foo/2\r\n"),
];

/// The connection preface of RFC 9113 section 3.4, an empty SETTINGS frame and a PING.
const HTTP_2: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\
                        \0\0\0\x04\0\0\0\0\0\
                        \0\0\x08\x06\0\0\0\0\0pingpong";

pub(crate) fn cases() -> Vec<Case> {
    let ignored = |&(name, fields): &(&'static str, &str)| {
        let request = format!("{SIMPLE}{fields}\r\n");
        let steps = vec![
            Step::Send([request.as_bytes(), &get("/simple")].concat()),
            simple().then(),
            simple().then(),
        ];
        must(name, "9110 7.8", steps)
    };
    let mut cases: Vec<Case> = IGNORED.iter().map(ignored).collect();
    cases.extend([
        must("the preface of HTTP/2 is refused", "9110 2.5", vec![send(HTTP_2), Step::Refusal(BAD_VERSION)]),
        must(
            "the preface of HTTP/2 behind a request is refused",
            "9110 2.5",
            vec![
                Step::Send([&get("/simple"), HTTP_2].concat()),
                simple().then(),
                Step::Refusal(BAD_VERSION),
            ],
        ),
        must(
            "the preface of HTTP/2 behind a body is refused",
            "9110 2.5",
            vec![
                Step::Send([around_smuggled("POST", "/echo", "").as_slice(), HTTP_2].concat()),
                answer(200).body(SMUGGLED).then(),
                Step::Refusal(BAD_VERSION),
            ],
        ),
        must(
            "the preface of HTTP/2 is refused however it arrives",
            "9110 2.5",
            vec![Step::SendPieces(HTTP_2.to_vec(), 5), Step::Refusal(BAD_VERSION)],
        ),
        must(
            "an upgrade does not make a missing Host right",
            "9112 3.2",
            vec![
                send("GET /simple HTTP/1.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
                Step::Refusal(&[400]),
            ],
        ),
        must(
            "an upgrade in HTTP/1.0 is ignored",
            "9110 7.8",
            vec![
                send("GET /simple HTTP/1.0\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n"),
                simple().then(),
                Step::Closes,
            ],
        ),
        must(
            "the body beside an upgrade is not taken for another protocol",
            "9110 7.8",
            vec![
                send(and_smuggled(
                    b"POST /echo HTTP/1.1\r\nHost: c\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 50\r\n\r\n",
                )),
                answer(200).body(SMUGGLED).then(),
                Step::UsableOrClosed,
            ],
        ),
    ]);
    cases
}
