//! Messages that never end.

use std::{
    thread,
    time::{Duration, Instant},
};

use super::{
    attack::Attack,
    failure::Failure,
    server::{Kib, Server},
};
use crate::{room::Takes, wire::Client};

/// The most that all of these together may cost.
const MEMORY_BYTES: u64 = 16 << 20;
/// A server that takes this much of one message has no limit, unless time is its limit: a message without content (a
/// chunk size of zeros) may be read until its timeout.
const TAKEN_BYTES: usize = 32 << 20;

/// How a message begins, what repeats for ever, and the statuses that may refuse it.
struct Endless {
    name: &'static str,
    opening: &'static [u8],
    piece: &'static [u8],
    refusals: &'static [u16],
}

const CHUNKED: &[u8] = b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n";

const ENDLESS: &[Endless] = &[
    Endless { name: "chunks", opening: CHUNKED, piece: b"400\r\nKIB\r\n", refusals: &[413] },
    Endless { name: "tiny chunks", opening: CHUNKED, piece: b"1\r\na\r\n", refusals: &[413] },
    Endless {
        name: "the chunks of an ignored body",
        opening: b"GET /simple HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n",
        piece: b"400\r\nKIB\r\n",
        refusals: &[413],
    },
    Endless {
        name: "a body that is longer than any limit",
        opening: b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 9999999999\r\n\r\n",
        piece: b"KIB",
        refusals: &[413],
    },
    Endless {
        name: "a chunk extension",
        opening: b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;",
        piece: b"KIB",
        refusals: &[400, 413, 431],
    },
    Endless {
        name: "a chunk size",
        opening: CHUNKED,
        piece: b"0000000000000000",
        refusals: &[400, 408, 413],
    },
    Endless {
        name: "a trailer field",
        opening: b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: ",
        piece: b"KIB",
        refusals: &[400, 413, 431],
    },
    Endless {
        name: "trailer fields",
        opening: b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n",
        piece: b"X: a\r\n",
        refusals: &[400, 413, 431],
    },
    Endless { name: "a method", opening: b"", piece: b"KIB", refusals: &[400, 431, 501] },
    Endless { name: "a request target", opening: b"GET /", piece: b"KIB", refusals: &[400, 414, 431] },
    Endless {
        name: "a header field",
        opening: b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
        piece: b"KIB",
        refusals: &[400, 431],
    },
    Endless {
        name: "header fields",
        opening: b"GET / HTTP/1.1\r\nHost: a\r\n",
        piece: b"X: a\r\n",
        refusals: &[400, 431],
    },
    Endless { name: "empty lines", opening: b"", piece: b"\r\n", refusals: &[400, 408, 431] },
];

pub(super) const MESSAGES: Attack = Attack {
    name: "messages that never end are refused and their connections closed",
    arguments: &[
        "--max-body",
        "100000",
        "--header-timeout",
        "10s",
        "--body-timeout",
        "10s",
        "--workers",
        "2",
    ],
    short_queue: false,
    takes: |_| Takes::Much,
    run: |_row, server| {
        let outcomes = all(&server)?;
        let failures: Vec<String> =
            outcomes.iter().filter_map(|o| o.as_ref().err().map(ToString::to_string)).collect();
        if !failures.is_empty() {
            return Err(Failure::weak(failures.join("; ")));
        }
        let grown = server.grew_at_most(MEMORY_BYTES, "for messages without end")?;
        server.comes_through()?;
        Ok(format!("{} kinds refused; memory grew by {}", ENDLESS.len(), Kib(grown)))
    },
};

/// Sends all of them at once.
fn all(server: &Server) -> Result<Vec<Result<(), Failure>>, Failure> {
    let clients = ENDLESS.iter().map(|_| server.connect()).collect::<Result<Vec<_>, _>>()?;
    let patience = server.patience;
    Ok(thread::scope(|scope| {
        let pairs = clients.into_iter().zip(ENDLESS);
        let senders: Vec<_> =
            pairs.map(|(client, endless)| scope.spawn(move || send(client, patience, endless))).collect();
        let joined = senders.into_iter().map(|sender| sender.join());
        joined
            .map(|outcome| outcome.unwrap_or_else(|_| Err(Failure::Unable("a sender panicked".into()))))
            .collect()
    }))
}

fn send(mut client: Client, patience: Duration, endless: &Endless) -> Result<(), Failure> {
    let Endless { name, opening, piece, refusals } = endless;
    let piece = String::from_utf8_lossy(piece).replace("KIB", &"a".repeat(1024));
    // Whole pieces of some 16 KiB: not a system call for each.
    let many = piece.repeat(16_384 / piece.len());
    client.send(opening).map_err(Failure::on_socket("send"))?;
    let deadline = Instant::now() + patience;
    let mut sent = 0;
    while !client.has_input().map_err(Failure::unable("look for an answer"))? {
        if sent >= TAKEN_BYTES && !refusals.contains(&408) {
            return Err(Failure::weak(format!("{name}: {sent} bytes are taken and nothing is answered")));
        }
        if Instant::now() >= deadline {
            return Err(Failure::weak(format!("{name}: not refused within {patience:?}")));
        }
        // A failure to send comes with an answer, or with a close that is noticed below.
        match client.send(many.as_bytes()) {
            Ok(()) => sent += many.len(),
            Err(_) => break,
        }
    }
    let said = |what: String| Failure::weak(format!("{name}, after {sent} bytes: {what}"));
    let response = client.receive(false).map_err(|broken| said(broken.to_string()))?;
    if !refusals.contains(&response.status) {
        return Err(said(format!("the answer is {}, not one of {refusals:?}", response.status)));
    }
    client.closes().map_err(said)
}
