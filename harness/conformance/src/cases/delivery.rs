//! How bytes arrive: whole, byte by byte, or cut at any place. The answer must not depend on it.

use std::thread;

use app::Operation;

use crate::case::{Case, Expected, Step, answer, code, get, must, request, result_of, simple};
use crate::context::Context;
use crate::play::usable_or_closed;
use crate::verdict::{Level, finding};
use crate::wire::{Client, PIECE_GAP};

/// How many connections are cut at the same time, so that a suite of several threads stays far below 1,024 descriptors.
const AT_ONCE: usize = 32;

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n\
                       5;a=b\r\nhello\r\nA\r\n0123456789\r\n0\r\nX: y\r\n\r\n";
const LONG: &str = "POST /echo HTTP/1.1\r\nHost: c\r\nContent-Length: 5\r\n\r\nhello";

pub(crate) fn cases() -> Vec<Case> {
    vec![
        must(
            "a request may arrive byte by byte",
            "9112 2",
            vec![Step::SendPieces(get("/simple"), 1), simple().then()],
        ),
        must(
            "a request may arrive in two parts",
            "9112 2",
            vec![Step::SendPieces(get("/complex?iterations=9"), 30), result_of(complex(9)).then()],
        ),
        must(
            "pipelined requests may arrive in uneven parts",
            "9112 9.3.2",
            vec![
                Step::SendPieces([get("/simple"), get("/complex?iterations=9"), get("/simple")].concat(), 17),
                simple().then(),
                result_of(complex(9)).then(),
                simple().then(),
            ],
        ),
        must(
            "answers keep their bodies although a HEAD follows in the same write",
            "9110 9.3.2",
            vec![
                Step::Send([get("/simple"), get("/simple"), request("HEAD", "/simple")].concat()),
                simple().then(),
                simple().then(),
                answer(200).without_body().then(),
            ],
        ),
        must(
            "a chunked body may arrive byte by byte",
            "9112 7.1",
            vec![Step::SendPieces(CHUNKED.into(), 1), answer(200).body("hello0123456789").then()],
        ),
        must(
            "a body of known length may arrive byte by byte",
            "9112 6.3",
            vec![Step::SendPieces(LONG.into(), 1), answer(200).body("hello").then(), Step::UsableOrClosed],
        ),
        must(
            "a request that must be refused may arrive byte by byte",
            "9112 3.2",
            vec![
                Step::SendPieces(b"GET /simple HTTP/1.1\r\nX-A: b\r\n\r\n".to_vec(), 1),
                Step::Refusal(&[400]),
            ],
        ),
        must(
            "a bad chunk may arrive byte by byte",
            "9112 7.1",
            vec![Step::SendPieces(CHUNKED.replace("5;a=b", "5x").into(), 1), Step::Refusal(&[400])],
        ),
        code("a request may be cut at any place", Level::Must, "9112 2", |context| {
            finding(cut_anywhere(context, &get("/complex?iterations=9"), &[result_of(complex(9))]))
        }),
        code("a body of known length may be cut at any place", Level::Must, "9112 6.3", |context| {
            finding(cut_anywhere(context, LONG.as_bytes(), &[answer(200).body("hello")]))
        }),
        code("a chunked body may be cut at any place", Level::Must, "9112 7.1", |context| {
            finding(cut_anywhere(context, CHUNKED.as_bytes(), &[answer(200).body("hello0123456789")]))
        }),
        code("pipelined requests may be cut at any place", Level::Must, "9112 9.3.2", |context| {
            let requests = [LONG.as_bytes(), &request("HEAD", "/simple"), &get("/simple")].concat();
            let answers = [answer(200).body("hello"), answer(200).without_body(), simple()];
            finding(cut_anywhere(context, &requests, &answers))
        }),
    ]
}

fn complex(iterations: u64) -> Operation {
    Operation::Complex { iterations }
}

/// Sends `requests` once for each place between two bytes, in two parts, on a connection of its own.
fn cut_anywhere(context: &Context<'_>, requests: &[u8], answers: &[Expected]) -> Result<(), String> {
    let cuts: Vec<usize> = (1..requests.len()).collect();
    for cuts in cuts.chunks(AT_ONCE) {
        let mut clients = Vec::new();
        for &cut in cuts {
            let mut client = context.connect()?;
            client.send(&requests[..cut]).map_err(|error| error.to_string())?;
            clients.push((cut, client));
        }
        // The first parts of all are on their way before the second part of any, so that a server that is not kept from it
        // reads them by themselves.
        thread::sleep(PIECE_GAP);
        for (cut, client) in &mut clients {
            client.send(&requests[*cut..]).map_err(|error| error.to_string())?;
        }
        for (cut, client) in &mut clients {
            answered(client, answers).map_err(|what| format!("cut after {cut} bytes: {what}"))?;
        }
    }
    Ok(())
}

fn answered(client: &mut Client, answers: &[Expected]) -> Result<(), String> {
    for expected in answers {
        let response = client.receive(expected.to_head).map_err(|broken| broken.to_string())?;
        expected.judge(&response)?;
    }
    usable_or_closed(client)
}
