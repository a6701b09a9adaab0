//! Clients that take their time: to send a head, to send a body, to read their answers.

use std::{
    io::{ErrorKind, Write as _},
    thread,
    time::{Duration, Instant},
};

use super::{
    attack::Attack,
    failure::{Failure, Seen},
    row::Row,
    server::{Kib, Server},
};
use crate::{room::Takes, wire::Client};

/// How many clients attack at once.
const CLIENTS: usize = 64;
/// Between two bytes of one client: well within every timeout, so that each byte finds the server waiting.
const TRICKLE: Duration = Duration::from_millis(20);
/// The most that so many connections may cost, generously.
const MEMORY_BYTES: u64 = 16 << 20;

pub(super) const HEADS: Attack = Attack {
    name: "clients that trickle their heads get 408 at the header timeout, and others are served",
    arguments: &["--header-timeout", "1s", "--workers", "2"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: |_row, server| {
        let openings: [&[u8]; 4] = [
            b"G",
            b"GET /simple HTTP/1.1\r\n",
            b"GET / HTTP/1.1\r\nHost: a\r\nX: ",
            b"POST /echo HTTP/1.1\r\n",
        ];
        trickle(server, &openings, b"a")
    },
};

pub(super) const BODIES: Attack = Attack {
    name: "clients that trickle their bodies get 408 at the body timeout, and others are served",
    arguments: &["--body-timeout", "1s", "--workers", "2"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: |_row, server| {
        let openings: [&[u8]; 3] = [
            b"POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n",
            b"POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n",
            // A body that no endpoint asked for is read all the same.
            b"GET /simple HTTP/1.1\r\nHost: a\r\nContent-Length: 90000\r\n\r\n",
        ];
        trickle(server, &openings, b"a")
    },
};

/// Opens connections that begin with `openings` in turn and go on with `piece` for ever; each must get 408 and a close.
fn trickle(server: Server, openings: &[&[u8]], piece: &[u8]) -> Seen {
    let mut waiting = Vec::with_capacity(CLIENTS);
    for opening in openings.iter().cycle().take(CLIENTS) {
        let mut client = server.connect()?;
        client.send(opening).map_err(Failure::on_socket("send"))?;
        waiting.push(client);
    }
    let deadline = Instant::now() + server.patience;
    while !waiting.is_empty() {
        if Instant::now() >= deadline {
            let count = waiting.len();
            return Err(Failure::weak(format!(
                "{count} of {CLIENTS} are still not answered after {:?}",
                server.patience
            )));
        }
        let mut still_waiting = Vec::with_capacity(waiting.len());
        for mut client in waiting {
            if client.has_input().map_err(Failure::unable("look for an answer"))? {
                is_timed_out(&mut client)?;
            } else {
                // A failure to send is an answer that came this moment: the next round reads it.
                let _ = client.send(piece);
                still_waiting.push(client);
            }
        }
        waiting = still_waiting;
        server.serves("while heads and bodies trickle")?;
        thread::sleep(TRICKLE);
    }
    let grown = server.grew_at_most(MEMORY_BYTES, "while they trickled")?;
    server.comes_through()?;
    Ok(format!("{CLIENTS} timed out; memory grew by {}", Kib(grown)))
}

fn is_timed_out(client: &mut Client) -> Result<(), Failure> {
    match client.receive(false) {
        Ok(response) if response.status == 408 => {
            client.closes().map_err(|what| Failure::weak(format!("after the 408: {what}")))
        }
        Ok(response) => Err(Failure::weak(format!("the answer is {}, not 408", response.status))),
        Err(broken) => Err(Failure::weak(format!("instead of a 408: {broken}"))),
    }
}

/// Readers of [`READERS`], and what each asks for without taking it: 24 MB of answers, far more than the kernel buffers of
/// one connection hold, of a kind that costs little to compute.
const READER_COUNT: usize = 4;
const REQUESTS_EACH: usize = 400;
const LARGE_HEAD: &[u8] = b"POST /echo HTTP/1.1\r\nHost: attack\r\nContent-Length: 60000\r\n\r\n";
const LARGE_BYTES: usize = 60_000;

pub(super) const READERS: Attack = Attack {
    name: "clients that do not take their pipelined answers cost little, are cut, and others are served",
    arguments: &["--idle-timeout", "1s", "--header-timeout", "1s", "--workers", "2"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: readers,
};

fn readers(_row: &Row, server: Server) -> Seen {
    let requests = [LARGE_HEAD, &[b'a'; LARGE_BYTES]].concat().repeat(REQUESTS_EACH);
    let mut readers = Vec::with_capacity(READER_COUNT);
    for _ in 0..READER_COUNT {
        let client = server.admitted()?;
        client.stream().set_nonblocking(true).map_err(Failure::unable("make a socket non-blocking"))?;
        readers.push((client, 0));
    }
    let mut most = 0;
    // They are cut when the server has none of their descriptors left; they cannot see it themselves, since before
    // its end they would have to read all that is on its way.
    server.until("connections whose clients take no answers are closed", || {
        for (client, sent) in &mut readers {
            match client.stream().write(&requests[*sent..]) {
                Ok(count) => *sent += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(_closed) => *sent = requests.len(),
            }
        }
        server.serves("while clients take no answers")?;
        most = most.max(server.grew_at_most(MEMORY_BYTES, "for clients that take no answers")?);
        Ok(server.footprint().open_files <= server.before.open_files)
    })?;
    drop(readers);
    server.comes_through()?;
    Ok(format!("{READER_COUNT} x {REQUESTS_EACH} requests; memory grew by at most {}", Kib(most)))
}
