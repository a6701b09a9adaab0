//! Nothing grows without bound: bodies, what stands around their content, and the time that a head may take. How long a head may be, and
//! by which part of it a longer one is refused, is in `heads`.

use std::time::Duration;

use crate::case::{Case, SMUGGLED, Step, answer, code, get, must, request, send, should, simple};
use crate::cases::bodies::post;
use crate::cases::{ECHO, and_smuggled};
use crate::context::Context;
use crate::play::refusal;
use crate::verdict::{Finding, Level, Verdict};
use crate::wire::{Broken, Client};

/// More than any server needs to accept in a head.
pub(crate) const HUGE: usize = 1 << 20;

/// The refusals of a body that is too long by what is around its content: as a body, as fields, or as malformed.
const TOO_LONG: &[u16] = &[400, 413, 431];

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        must(
            "a declared length beyond any limit is refused before the body comes",
            "contract",
            vec![
                send("POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 1000000000000\r\n\r\n"),
                Step::Refusal(&[413]),
            ],
        ),
        code("a body at the limit is accepted", Level::Must, "contract", body_at_the_limit),
        code("a body one byte over the limit is refused", Level::Must, "contract", |context| {
            over_the_limit(context, |body| post("text/plain", body))
        }),
        code("a chunked body one byte over the limit is refused", Level::Must, "contract", |context| {
            over_the_limit(context, chunked)
        }),
        must(
            "fifty fields of eighty bytes are accepted",
            "9110 5.4",
            vec![
                Step::Send(
                    format!(
                        "GET /simple HTTP/1.1\r\nHost: c\r\n{}\r\n",
                        format!("X-A: {}\r\n", "b".repeat(80)).repeat(50)
                    )
                    .into(),
                ),
                simple().then(),
            ],
        ),
        should(
            "a target of eight thousand bytes is accepted",
            "9110 4.1",
            vec![Step::Send(get(&format!("/healthz?{}", "a".repeat(7_991)))), answer(200).then()],
        ),
        should(
            "a method longer than any that is known is 501",
            "9112 3",
            vec![Step::Send(request(&"A".repeat(1_000), "/simple")), answer(501).then()],
        ),
        must(
            "a long path that is not there is 404",
            "contract",
            vec![Step::Send(get(&format!("/{}", "a/".repeat(2_000)))), answer(404).then()],
        ),
        must(
            "a long wrong parameter is refused in an answer that is not as long",
            "contract",
            vec![
                Step::Send(get(&format!("/complex?{0}={0}", "n".repeat(3_000)))),
                answer(400)
                    .that(|answer| match answer.body.len() {
                        ..1_000 => Ok(()),
                        length => Err(format!("the answer has {length} bytes")),
                    })
                    .then(),
            ],
        ),
        must(
            "a length of a million digits is refused",
            "9112 6.3",
            vec![
                send(format!("{ECHO}Content-Length: {}\r\n\r\n", "0".repeat(HUGE))),
                Step::Refusal(TOO_LONG),
            ],
        ),
        must(
            "a chunk size of a million zeros is read or refused",
            "9112 7.1",
            vec![
                send(format!("{CHUNKED}{}5\r\nhello\r\n0\r\n\r\n", "0".repeat(HUGE))),
                Step::RefusalOr(TOO_LONG, answer(200).body("hello")),
            ],
        ),
        must(
            "a huge chunk extension is refused",
            "9112 7.1.1",
            vec![
                send(format!("{CHUNKED}5;a={}\r\nhello\r\n0\r\n\r\n", "b".repeat(HUGE))),
                Step::Refusal(TOO_LONG),
            ],
        ),
        should(
            "extensions that are huge together are refused",
            "9112 7.1.1",
            vec![
                send(format!(
                    "{CHUNKED}{}0\r\n\r\n",
                    format!("1;a={}\r\nx\r\n", "b".repeat(1_000)).repeat(1_000)
                )),
                Step::Refusal(TOO_LONG),
            ],
        ),
        must(
            "a huge trailer is refused",
            "9112 7.1.2",
            vec![
                send(format!("{CHUNKED}5\r\nhello\r\n0\r\nX-A: {}\r\n\r\n", "b".repeat(HUGE))),
                Step::Refusal(TOO_LONG),
            ],
        ),
        must(
            "a trailer of too many fields is refused",
            "9112 7.1.2",
            vec![
                send(format!("{CHUNKED}5\r\nhello\r\n0\r\n{}\r\n", "X-A: b\r\n".repeat(50_000))),
                Step::Refusal(TOO_LONG),
            ],
        ),
        must(
            "a request hidden in a body beyond the limit is not answered",
            "9112 6",
            vec![
                send(and_smuggled(format!("{ECHO}Content-Length: 1000000000000\r\n\r\n").as_bytes())),
                Step::Refusal(&[413]),
            ],
        ),
        code(
            "requests hidden in a chunk beyond the limit are not answered",
            Level::Must,
            "9112 7.1",
            |context| {
                over_the_limit(context, |body| one_chunk(&SMUGGLED.repeat(body.len() / SMUGGLED.len() + 1)))
            },
        ),
        code("a head that never ends is timed out", Level::Must, "contract", |context| {
            times_out(context, b"GET /simple HTTP/1.1\r\nHost: c\r\n")
        }),
        code("a client that trickles its head is timed out", Level::Must, "contract", trickles),
    ]
}

fn skip(what: &str) -> Finding {
    (Verdict::Skip, format!("the server's {what} is not known"))
}

fn body_at_the_limit(context: &Context<'_>) -> Finding {
    let Some(limit) = context.options.max_body else { return skip("--max-body") };
    match context.exchange(&post("text/plain", &vec![b'x'; limit]), false) {
        Ok(response) if response.status == 200 && response.body.len() == limit => {
            (Verdict::Pass, String::new())
        }
        Ok(response) => {
            (Verdict::Fail, format!("answered {} with {} bytes", response.status, response.body.len()))
        }
        Err(detail) => (Verdict::Fail, detail),
    }
}

fn over_the_limit(context: &Context<'_>, request: fn(&[u8]) -> Vec<u8>) -> Finding {
    let Some(limit) = context.options.max_body else { return skip("--max-body") };
    match context.connect() {
        Err(detail) => (Verdict::Fail, detail),
        Ok(mut client) => {
            drop(client.send(&request(&vec![b'x'; limit + 1])));
            refusal(&mut client, &[413])
        }
    }
}

/// A POST to `/echo` whose length only its chunks tell.
fn chunked(body: &[u8]) -> Vec<u8> {
    let mut request = b"POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n".to_vec();
    for chunk in body.chunks(4096) {
        request.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
        request.extend_from_slice(chunk);
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"0\r\n\r\n");
    request
}

/// A POST to `/echo` of one chunk.
fn one_chunk(body: &[u8]) -> Vec<u8> {
    [format!("{CHUNKED}{:x}\r\n", body.len()).as_bytes(), body, b"\r\n0\r\n\r\n"].concat()
}

/// Sends the start of a head and no more.
fn times_out(context: &Context<'_>, start: &[u8]) -> Finding {
    let Some(timeout) = context.options.header_timeout else { return skip("--header-timeout") };
    match context.connect() {
        Err(detail) => (Verdict::Fail, detail),
        Ok(mut client) => {
            drop(client.send(start));
            timed_out(&mut client, timeout + context.options.patience)
        }
    }
}

/// Sends a head byte by byte, for far longer than the timeout: what counts is the whole head, not the time since the
/// last byte.
fn trickles(context: &Context<'_>) -> Finding {
    let Some(timeout) = context.options.header_timeout else { return skip("--header-timeout") };
    let mut client = match context.connect() {
        Err(detail) => return (Verdict::Fail, detail),
        Ok(client) => client,
    };
    drop(client.send(b"GET /simple HTTP/1.1\r\nHost: c\r\nX-A: "));
    let gap = timeout / 8;
    for _ in 0..64 {
        match client.receive_within(false, gap) {
            Err(Broken::TimedOut(_)) => drop(client.send(b"a")),
            Err(Broken::Closed) => {
                return (Verdict::Warn, "closed without an answer, expected 408".to_owned());
            }
            Err(broken) => return (Verdict::Fail, broken.to_string()),
            Ok(response) if response.status == 408 => return (Verdict::Pass, String::new()),
            Ok(response) => return (Verdict::Fail, format!("answered {}", response.status)),
        }
    }
    (Verdict::Fail, format!("still open after eight times the timeout of {timeout:?}"))
}

fn timed_out(client: &mut Client, patience: Duration) -> Finding {
    match client.receive_within(false, patience) {
        Err(Broken::Closed) => (Verdict::Warn, "closed without an answer, expected 408".to_owned()),
        Err(broken) => (Verdict::Fail, broken.to_string()),
        Ok(response) if response.status == 408 => match client.closes() {
            Ok(()) => (Verdict::Pass, String::new()),
            Err(detail) => (Verdict::Fail, detail),
        },
        Ok(response) => (Verdict::Fail, format!("answered {}, expected 408", response.status)),
    }
}
