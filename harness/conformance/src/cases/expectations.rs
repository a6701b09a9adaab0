//! Expect: clients that wait for leave to send their body (RFC 9110 section 10.1.1).

use crate::case::{Case, Step, answer, get, may, must, send, should, simple};
use crate::cases::around_smuggled;

/// The contract's answer to an expectation that it does not know.
const UNMET: &[u16] = &[417];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = vec![
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
        must(
            "a client that does not wait for 100 Continue is served",
            "9110 10.1.1",
            vec![
                send("POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"),
                Step::FinalAnswer(answer(200).body("hello")),
                Step::Send(get("/simple")),
                simple().then(),
            ],
        )
        // Whether the body was there before 100 Continue was due is a race.
        .unrepeatable(),
        must(
            "each of two bodies that are waited for gets its leave",
            "9110 10.1.1",
            vec![
                send("POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"),
                answer(100).then(),
                send("a"),
                answer(200).body("a").then(),
                send("POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 1\r\nExpect: 100-continue\r\n\r\n"),
                answer(100).then(),
                send("b"),
                answer(200).body("b").then(),
            ],
        ),
        must(
            "an expectation without body does no harm",
            "9110 10.1.1",
            vec![
                send("GET /simple HTTP/1.1\r\nHost: c\r\nExpect: 100-continue\r\n\r\n"),
                Step::FinalAnswer(simple()),
                Step::Send(get("/simple")),
                simple().then(),
            ],
        ),
        must(
            "an expectation of a body of no bytes does no harm",
            "9110 10.1.1",
            vec![
                send("POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 0\r\nExpect: 100-continue\r\n\r\n"),
                Step::FinalAnswer(answer(200).body("")),
                Step::Send(get("/simple")),
                simple().then(),
            ],
        ),
        must(
            "an expectation in HTTP/1.0 is ignored",
            "9110 10.1.1",
            vec![
                send("POST /echo HTTP/1.0\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello"),
                answer(200).body("hello").then(),
                Step::Closes,
            ],
        ),
        may(
            "a client that waits for 100 Continue is refused without it",
            "9110 10.1.1",
            vec![
                send("POST /nowhere HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
                answer(404).then(),
                Step::Abandon,
            ],
        ),
        should(
            "a body beyond the limit is refused instead of 100 Continue",
            "9110 10.1.1",
            vec![
                send(
                    "POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 1000000000000\r\nExpect: 100-continue\r\n\r\n",
                ),
                Step::Refusal(&[413]),
            ],
        ),
        must(
            "an expectation does not make a missing Host right",
            "9112 3.2",
            vec![
                send("POST /echo HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n"),
                Step::Refusal(&[400]),
            ],
        ),
        must(
            "an expectation does not make a bad coding right",
            "9112 6.1",
            vec![
                send("POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: gzip\r\nExpect: 100-continue\r\n\r\n"),
                Step::Refusal(&[400, 501]),
            ],
        ),
    ];
    let unmet = [
        ("an unknown expectation is 417", "Expect: tea\r\n"),
        ("an expectation that only resembles 100-continue is 417", "Expect: 100-continued\r\n"),
        ("an unknown expectation beside a known one is 417", "Expect: 100-continue, tea\r\n"),
        ("an unknown expectation in a field of its own is 417", "Expect: 100-continue\r\nExpect: tea\r\n"),
    ];
    cases.extend(unmet.map(|(name, fields)| {
        let send = Step::Send(around_smuggled("POST", "/echo", fields));
        must(name, "contract", vec![send, Step::Rejection(UNMET), Step::UsableOrClosed])
    }));
    cases
}
