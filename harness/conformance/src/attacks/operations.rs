//! Clients that ask for as much work as they may.

use std::time::Duration;

use super::{
    attack::Attack,
    failure::{Failure, Seen},
    row::{Cheap, Row},
    server::{Kib, Server, send_get},
};
use crate::{room::Takes, wire::Client};

/// What the endpoints take at most.
pub(super) const LONGEST: [&str; 2] = ["/complex?iterations=5000000000", "/api/randoms?count=100000000"];
/// How many clients ask for the longest work there is.
const GREEDY_CLIENTS: usize = 40;
/// The most that they may cost while they wait.
const MEMORY_BYTES: u64 = 16 << 20;
/// How much CPU time the one operation takes about that cheap requests are held against: a thousand times what an answer
/// takes, however the CPUs are divided.
const HELD: Duration = Duration::from_millis(500);
/// An operation that took this much CPU time is long enough to tell from it about how much others take: five ticks of the
/// clock that the kernel counts with.
const CALIBRATED: Duration = Duration::from_millis(50);
/// Operations that may wait, with [`Row::short_queue`].
pub(super) const QUEUE: usize = 8;

pub(super) const GREEDY: Attack = Attack {
    name: "the longest operations from many clients cost little, and cheap requests fare as declared",
    arguments: &["--workers", "1", "--drain-timeout", "300ms"],
    short_queue: true,
    takes: computing,
    run: greedy,
};

/// How much of the machine dozens of operations take: where they run side by side each is a thread.
pub(super) fn computing(row: &Row) -> Takes {
    if row.cheap == Cheap::Shares { Takes::All } else { Takes::Much }
}

/// A target that keeps one worker computing for `held`, whatever the build: calibrated through the server, in the CPU time
/// that it takes, which is no longer where other programs compute too. So the operation never ends sooner than that.
pub(super) fn occupying(server: &Server, held: Duration) -> Result<String, Failure> {
    let mut iterations = 1_000_000_u64;
    loop {
        let before = server.footprint().cpu;
        let path = format!("/complex?iterations={iterations}");
        let response = server.get(&path)?;
        if response.status != 200 {
            return Err(Failure::weak(format!("GET {path}: status {}", response.status)));
        }
        let took = server.footprint().cpu.saturating_sub(before);
        if took >= CALIBRATED {
            let wanted = iterations as f64 * held.as_secs_f64() / took.as_secs_f64();
            return Ok(format!("/complex?iterations={}", (wanted as u64).min(5_000_000_000)));
        }
        iterations *= 2;
    }
}

/// Begins an operation and waits until the server computes. The connection was admitted before.
pub(super) fn begin(server: &Server, client: &mut Client, path: &str) -> Result<(), Failure> {
    let cpu = server.footprint().cpu;
    send_get(client, path)?;
    server.until("the operation begins", || {
        Ok(server.footprint().cpu.saturating_sub(cpu) >= Duration::from_millis(50))
    })
}

pub(super) fn has_input(client: &Client) -> Result<bool, Failure> {
    client.has_input().map_err(Failure::unable("look for an answer"))
}

/// Which of two is answered first: a cheap request, or the operation that was there before it.
fn cheap_is_first(server: &Server, path: &str) -> Result<bool, Failure> {
    let (mut computing, mut cheap) = (server.admitted()?, server.admitted()?);
    begin(server, &mut computing, path)?;
    send_get(&mut cheap, "/simple")?;
    let mut first = None;
    server.until("a cheap request is answered", || {
        // In this order: what is seen first of two that came together is the operation.
        if has_input(&computing)? {
            first = Some(false);
        } else if has_input(&cheap)? {
            first = Some(true);
        }
        Ok(first.is_some())
    })?;
    for client in [&mut computing, &mut cheap] {
        super::server::receive_200(client, "the operation or the cheap request")?;
    }
    Ok(first == Some(true))
}

fn greedy(row: &Row, server: Server) -> Seen {
    let path = occupying(&server, HELD)?;
    let cheap_first = cheap_is_first(&server, &path)?;
    let declared = row.cheap != Cheap::Waits;
    if cheap_first != declared {
        return Err(Failure::weak(format!(
            "cheap requests are declared as {:?}, and {} while an operation runs",
            row.cheap,
            if cheap_first { "are answered" } else { "wait" }
        )));
    }

    let mut clients = Vec::with_capacity(GREEDY_CLIENTS);
    for path in LONGEST.iter().cycle().take(GREEDY_CLIENTS) {
        let mut client = server.connect()?;
        send_get(&mut client, path)?;
        clients.push(client);
    }
    let mut refused = 0;
    if row.cheap == Cheap::Answered {
        // One runs and as many wait as there is room for; all others are refused at once.
        let expected = GREEDY_CLIENTS - QUEUE - 1;
        server.until("what goes beyond the queue is refused", || {
            let mut waiting = Vec::with_capacity(clients.len());
            for mut client in std::mem::take(&mut clients) {
                if has_input(&client)? {
                    is_refused(&mut client)?;
                    refused += 1;
                } else {
                    waiting.push(client);
                }
            }
            clients = waiting;
            server.serves("while the longest operations run and wait")?;
            Ok(refused >= expected)
        })?;
        // Some more when an operation ended meanwhile is no fault; fewer waiting than there is room for is.
        if clients.len() < QUEUE.min(GREEDY_CLIENTS - refused) {
            return Err(Failure::weak(format!(
                "only {} operations wait where {QUEUE} have room",
                clients.len()
            )));
        }
    }
    if row.cheap == Cheap::Shares {
        server.serves("while the longest operations run side by side")?;
        for client in &mut clients {
            if has_input(client)? {
                let what =
                    client.receive(false).map_or_else(|broken| broken.to_string(), |r| r.status.to_string());
                return Err(Failure::weak(format!(
                    "declared to run side by side, an operation is refused: {what}"
                )));
            }
        }
    }
    let grown = server.grew_at_most(MEMORY_BYTES, "while the longest operations wait")?;
    drop(clients);
    // Not even work that takes longer than anybody's patience may keep a server from stopping.
    server.stops()?;
    Ok(format!(
        "cheap requests: {:?}; {refused} of {GREEDY_CLIENTS} refused; memory grew by {}",
        row.cheap,
        Kib(grown)
    ))
}

fn is_refused(client: &mut Client) -> Result<(), Failure> {
    let response =
        client.receive(false).map_err(|broken| Failure::weak(format!("instead of a 503: {broken}")))?;
    let retry_after: Option<u64> = response.header("retry-after").and_then(|value| value.parse().ok());
    match (response.status, retry_after) {
        (503, Some(1..)) => Ok(()),
        (503, _) => Err(Failure::weak("a 503 without Retry-After")),
        (status, _) => Err(Failure::weak(format!("beyond the queue the answer is {status}, not 503"))),
    }
}
