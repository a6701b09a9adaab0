//! Nothing grows without bound: bodies, heads, and the time that a head may take.

use std::time::Duration;

use crate::case::{Case, Level, Step, code, must, send, should, simple};
use crate::cases::bodies::post;
use crate::play::{Context, Finding, refusal};
use crate::report::Verdict;
use crate::wire::{Broken, Client};

/// More than any server needs to accept in a head.
const HUGE: usize = 1 << 20;

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
        code("a body at the limit is accepted", Level::Must, "contract", body_at_the_limit),
        code("a body one byte over the limit is refused", Level::Must, "contract", |context| {
            over_the_limit(context, |body| post("text/plain", body))
        }),
        code("a chunked body one byte over the limit is refused", Level::Must, "contract", |context| {
            over_the_limit(context, chunked)
        }),
        must(
            "a huge field is refused",
            "contract",
            vec![
                Step::Send(
                    format!("GET /simple HTTP/1.1\r\nHost: c\r\nX-A: {}\r\n\r\n", "a".repeat(HUGE)).into(),
                ),
                Step::Refusal(&[431]),
            ],
        ),
        must(
            "a field that never ends is refused",
            "contract",
            vec![
                Step::Send(format!("GET /simple HTTP/1.1\r\nHost: c\r\nX-A: {}", "a".repeat(HUGE)).into()),
                Step::Refusal(&[431]),
            ],
        ),
        must(
            "too many fields are refused",
            "contract",
            vec![
                Step::Send(
                    format!("GET /simple HTTP/1.1\r\nHost: c\r\n{}\r\n", "X-A: b\r\n".repeat(5_000)).into(),
                ),
                Step::Refusal(&[431]),
            ],
        ),
        must(
            "a huge target is refused",
            "9110 15.5.15",
            vec![
                Step::Send(format!("GET /{} HTTP/1.1\r\nHost: c\r\n\r\n", "a".repeat(HUGE)).into()),
                Step::Refusal(&[414, 431]),
            ],
        ),
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
