//! Clients that leave while work is done for them: by a reset, which is a leave for good, and by a plain close, which is not.
//!
//! A plain close ends the client's sending half and says nothing of the other (RFC 9112 section 9.6), so that whoever closes costs the
//! server all that was asked for before. What that is, is printed.

use std::time::Duration;

use super::{
    attack::Attack,
    failure::{Failure, Seen},
    operations::{LONGEST, QUEUE, begin, has_input, occupying},
    row::{Cheap, Row},
    server::{Server, exchange, receive_200, send_get},
};
use crate::{room::Takes, wire::Client};

/// Clients that wait for a delay when they leave: four for each way to leave.
const WAITING: usize = 16;
/// How much CPU time the operation takes behind which a queue fills and empties twice: some looks for clients that have left.
const HELD: Duration = Duration::from_secs(3);
/// The CPU time that each operation takes whose client has closed, and how many there are: as many as have room in the queue.
const WASTED: Duration = Duration::from_millis(100);
const WASTED_OPERATIONS: usize = QUEUE;
/// Long enough for all of them to be under way at once.
const DELAY_MS: u64 = 2_000;

pub(super) const RESET: Attack = Attack {
    name: "work whose client is gone is dropped, where it has not begun",
    arguments: &["--workers", "1", "--drain-timeout", "300ms"],
    short_queue: true,
    takes,
    run: reset,
};

pub(super) const CLOSED: Attack = Attack {
    name: "work whose client has closed plainly runs to its end",
    arguments: &["--workers", "1", "--drain-timeout", "300ms"],
    short_queue: true,
    takes,
    run: closed,
};

fn takes(row: &Row) -> Takes {
    if row.cheap == Cheap::Answered { Takes::Much } else { Takes::Little }
}

/// Clients leave by a reset: alone, behind the end of their sending half, behind a further request, and behind both. A server that
/// looks only for bytes to read sees the first.
fn reset_all(clients: Vec<Client>) -> Result<(), Failure> {
    for (number, mut client) in clients.into_iter().enumerate() {
        if number % 4 >= 2 {
            send_get(&mut client, "/simple")?;
        }
        if number % 2 == 1 {
            client.finish_sending().map_err(Failure::unable("end the sending half"))?;
        }
        client.reset().map_err(Failure::unable("reset a connection"))?;
    }
    Ok(())
}

fn admitted(server: &Server, count: usize) -> Result<Vec<Client>, Failure> {
    (0..count).map(|_| server.admitted()).collect()
}

fn asking(clients: &mut [Client], path: &str) -> Result<(), Failure> {
    clients.iter_mut().try_for_each(|client| send_get(client, path))
}

fn reset(row: &Row, server: Server) -> Seen {
    // Delays first: they hold no CPU, so that they can be dropped on every row.
    let mut clients = admitted(&server, WAITING)?;
    asking(&mut clients, "/delay?ms=60000")?;
    server.until("sixteen delays are in flight", || Ok(server.operations_in_flight()? == WAITING as u64))?;
    reset_all(clients)?;
    server.until("delays whose clients are gone end", || Ok(server.operations_in_flight()? == 0))?;
    server.lets_go()?;

    if row.cheap != Cheap::Answered {
        server.comes_through()?;
        return Ok(format!("{WAITING} delays dropped; an operation that computes runs to its end"));
    }
    let path = occupying(&server, HELD)?;
    let mut computing = server.admitted()?;
    begin(&server, &mut computing, &path)?;
    // Twice what the queue has room for, in turns: a place must be free soon after its client is gone, long before the
    // operation ahead of it ends.
    for _ in 0..2 {
        let mut queued = admitted(&server, QUEUE)?;
        asking(&mut queued, LONGEST[0])?;
        server.until("the queue is full", || Ok(server.operations_in_flight()? == 1 + QUEUE as u64))?;
        reset_all(queued)?;
        server.until("operations whose clients are gone leave the queue", || {
            Ok(server.operations_in_flight()? <= 1)
        })?;
    }
    if has_input(&computing)? {
        receive_200(&mut computing, &path)?;
        return Err(Failure::Unable("the operation ended before its followers could leave".to_owned()));
    }
    receive_200(&mut computing, &path)?;
    // None of what was left behind runs: each would take longer than the server has patience for.
    exchange(&mut computing, "/complex?iterations=1000")?;
    server.until("no operation is in flight", || Ok(server.operations_in_flight()? == 0))?;
    drop(computing);
    server.comes_through()?;
    Ok(format!("{WAITING} delays and {} waiting operations dropped", 2 * QUEUE))
}

fn closed(_row: &Row, server: Server) -> Seen {
    let delays = server.answers_of("delay")?;
    let mut clients = admitted(&server, WAITING)?;
    asking(&mut clients, &format!("/delay?ms={DELAY_MS}"))?;
    drop(clients);
    runs_to_its_end(&server, "delay", delays + WAITING as u64)?;
    server.lets_go()?;

    let path = occupying(&server, WASTED)?;
    let computed = server.answers_of("complex")?;
    let mut clients = admitted(&server, WASTED_OPERATIONS)?;
    let cpu = server.footprint().cpu;
    asking(&mut clients, &path)?;
    drop(clients);
    runs_to_its_end(&server, "complex", computed + WASTED_OPERATIONS as u64)?;
    let cpu = server.footprint().cpu.saturating_sub(cpu);
    server.comes_through()?;
    Ok(format!(
        "{WAITING} delays and {WASTED_OPERATIONS} operations of some {WASTED:?} each ran for nobody: {cpu:.1?} of CPU time"
    ))
}

/// Waits until the endpoint has given `wanted` answers.
fn runs_to_its_end(server: &Server, endpoint: &str, wanted: u64) -> Result<(), Failure> {
    server.until("all is answered", || Ok(server.answers_of(endpoint)? >= wanted)).map_err(|failure| {
        Failure::weak(format!("{endpoint} for clients that have closed plainly: {failure}"))
    })
}
