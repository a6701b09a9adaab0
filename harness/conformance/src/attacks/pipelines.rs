//! One client that sends more requests than anybody can answer.

use std::{
    io::{Read as _, Write as _},
    sync::atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
    thread,
};

use super::{
    attack::Attack,
    failure::{Failure, Seen},
    row::Row,
    server::{Server, exchange},
};
use crate::{room::Takes, wire::Client};

/// What the flood sends in one write: pipelined requests of some 4 KiB.
const REQUEST: &[u8] = b"GET /simple HTTP/1.1\r\nHost: a\r\n\r\n";
const REQUESTS_EACH_WRITE: usize = 128;
/// Requests of others, one after the other, while the flood lasts.
const OTHERS: usize = 20;

pub(super) const FLOOD: Attack = Attack {
    name: "a flood of pipelined requests does not starve the other connections of its worker",
    arguments: &["--workers", "1"],
    short_queue: false,
    takes: |_| Takes::Much,
    run: flood,
};

fn flood(_row: &Row, server: Server) -> Seen {
    let mut other = server.admitted()?;
    let flooding = server.admitted()?;
    let (over, taken) = (AtomicBool::new(false), AtomicU64::new(0));
    let outcome = thread::scope(|scope| {
        scope.spawn(|| write_until(&flooding, &over));
        scope.spawn(|| read_until_closed(&flooding, &taken));
        let outcome =
            server.until("the flood is answered", || Ok(taken.load(Relaxed) > 1 << 20)).and_then(|()| {
                let before = taken.load(Relaxed);
                for _ in 0..OTHERS {
                    exchange(&mut other, "/simple").map_err(|failure| {
                        Failure::weak(format!("another connection of a flooded worker: {failure}"))
                    })?;
                }
                // Otherwise nothing was shown: they might have been served after the flood.
                server.until("the flood goes on", || Ok(taken.load(Relaxed) > before))
            });
        over.store(true, Relaxed);
        // Ends both threads, whatever they wait for.
        let _ = flooding.stream().shutdown(std::net::Shutdown::Both);
        outcome
    });
    outcome?;
    drop((flooding, other));
    server.comes_through()?;
    Ok(format!("{OTHERS} requests of others answered meanwhile"))
}

fn write_until(client: &Client, over: &AtomicBool) {
    let requests = REQUEST.repeat(REQUESTS_EACH_WRITE);
    while !over.load(Relaxed) && client.stream().write_all(&requests).is_ok() {}
}

fn read_until_closed(client: &Client, taken: &AtomicU64) {
    let mut buffer = vec![0; 64 << 10];
    // A timeout that an earlier exchange left on the socket is long enough for a server that answers at all.
    while let Ok(count @ 1..) = client.stream().read(&mut buffer) {
        taken.fetch_add(count as u64, Relaxed);
    }
}
