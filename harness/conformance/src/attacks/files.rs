//! More connections than the server may have: by its own limit, and by the system's.

use std::{
    thread,
    time::{Duration, Instant},
};

use host::{
    footprint::{own_cpu, tree},
    open_files,
};

use super::{
    attack::Attack,
    failure::{Failure, Seen},
    row::Row,
    server::{Server, exchange, receive_200, send_get},
};
use crate::{room::Takes, wire::Client};

/// How many clients attack at once.
const CLIENTS: usize = 64;
/// The limit of [`FLOOD`]; as text in its arguments.
const MAX_CONNECTIONS: usize = 8;
/// A window in which a server that keeps to its limit does nothing.
const WINDOW: Duration = Duration::from_millis(200);

pub(super) const FLOOD: Attack = Attack {
    name: "connections beyond --max-connections wait in the backlog, and all are served in turn",
    arguments: &["--max-connections", "8", "--workers", "2"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: flood,
};

/// A connection that is open with one request sent, and whether that was answered.
fn knock(server: &Server, clients: usize) -> Result<Vec<Client>, Failure> {
    (0..clients)
        .map(|_| {
            let mut client = server.connect()?;
            send_get(&mut client, "/simple")?;
            Ok(client)
        })
        .collect()
}

/// Parts those who have their answer, which must be a right one, from those who wait.
fn part(waiting: Vec<Client>) -> Result<(Vec<Client>, Vec<Client>), Failure> {
    let (mut served, mut still_waiting) = (Vec::new(), Vec::new());
    for mut client in waiting {
        if client.has_input().map_err(Failure::unable("look for an answer"))? {
            receive_200(&mut client, "/simple")?;
            served.push(client);
        } else {
            still_waiting.push(client);
        }
    }
    Ok((served, still_waiting))
}

fn flood(_row: &Row, server: Server) -> Seen {
    let keeps_to_the_limit = || {
        let held = server.footprint().open_files.saturating_sub(server.before.open_files);
        if held > MAX_CONNECTIONS {
            return Err(Failure::weak(format!("{held} connections are open, {MAX_CONNECTIONS} are allowed")));
        }
        Ok(())
    };
    let mut waiting = knock(&server, CLIENTS)?;
    let mut inside = Vec::new();
    // Nobody leaves until the house is full.
    server.until("as many as are allowed are served", || {
        let (served, still_waiting) = part(std::mem::take(&mut waiting))?;
        inside.extend(served);
        waiting = still_waiting;
        keeps_to_the_limit()?;
        Ok(inside.len() >= MAX_CONNECTIONS)
    })?;
    thread::sleep(WINDOW);
    keeps_to_the_limit()?;
    // Each that leaves makes room for one.
    server.until("all who wait are served as others leave", || {
        inside.clear();
        let (served, still_waiting) = part(std::mem::take(&mut waiting))?;
        inside = served;
        waiting = still_waiting;
        keeps_to_the_limit()?;
        Ok(waiting.is_empty())
    })?;
    drop(inside);
    server.comes_through()?;
    Ok(format!("{CLIENTS} clients served, never more than {MAX_CONNECTIONS} at once"))
}

/// Files that each process of the server may still open when it is starved.
const ROOM: u64 = 8;
/// A starved server is watched while this thread spins for so much CPU time. Whoever spins as well gets about as much,
/// however busy the machine is; a server that pauses uses next to nothing (10 ms in a second were seen), of which a quarter is far more.
const SPUN: Duration = Duration::from_millis(400);
const CPU_SHARE: f64 = 0.25;
/// Clients that leave and so let another one in while the server is starved.
const LEAVERS: usize = 20;
/// Where each worker has a listener of its own, whoever leaves makes room for those that wait at the same one, and the next to
/// leave is the one who came in last: so each of two listeners must get more than the room and those that leave, however
/// the kernel spreads the clients. Of so many one gets fewer than half of its share about never, and they fit a backlog of 128.
const CLIENTS_OF_STARVED: usize = 120;
/// What a starved server may write to stderr: a few warnings for each worker.
const STDERR_LINES: usize = 12;

pub(super) const STARVATION: Attack = Attack {
    name: "out of file descriptors a server pauses without spinning, serves whom it has, and recovers",
    arguments: &["--workers", "2"],
    short_queue: false,
    takes: |_| Takes::Much,
    run: starvation,
};

fn starvation(_row: &Row, server: Server) -> Seen {
    let lines_before = server.stderr().len();
    let limits = tree(server.pid())
        .into_iter()
        .map(|pid| Ok((pid, open_files::starve(pid, ROOM).map_err(Failure::unable("limit its open files"))?)))
        .collect::<Result<Vec<_>, Failure>>()?;
    // A process that is gone is no longer starved; that it is gone shows elsewhere.
    let is_starved =
        || limits.iter().any(|&(pid, limit)| open_files::is_starved(pid, limit).unwrap_or(false));
    let mut waiting = knock(&server, CLIENTS_OF_STARVED)?;
    let mut inside = Vec::new();
    server.until("the server runs out of descriptors", || {
        let (served, still_waiting) = part(std::mem::take(&mut waiting))?;
        inside.extend(served);
        waiting = still_waiting;
        Ok(is_starved())
    })?;

    let cpu = server.footprint().cpu;
    let (spun, given_up) = (own_cpu(), Instant::now() + server.patience);
    while own_cpu() - spun < SPUN && Instant::now() < given_up {}
    let share = server.footprint().cpu.saturating_sub(cpu).as_secs_f64() / (own_cpu() - spun).as_secs_f64();
    if share > CPU_SHARE {
        return Err(Failure::weak(format!(
            "it spins while it is out of descriptors: {:.0}% of what a thread that spins gets",
            share * 100.0
        )));
    }

    // One leaves, another comes in: the server runs out of descriptors again and again.
    for _ in 0..LEAVERS {
        let Some(leaver) = inside.pop() else { break };
        drop(leaver);
        server.until("a starved server lets one in when another leaves", || {
            let (served, still_waiting) = part(std::mem::take(&mut waiting))?;
            waiting = still_waiting;
            let some = !served.is_empty() || waiting.is_empty();
            inside.extend(served);
            Ok(some)
        })?;
        if let Some(client) = inside.last_mut() {
            exchange(client, "/simple")?;
        }
    }
    let lines = server.stderr();
    if lines.len() - lines_before > STDERR_LINES {
        return Err(Failure::weak(format!(
            "{} lines on stderr while it was starved",
            lines.len() - lines_before
        )));
    }
    server.until("all who wait are served when others leave", || {
        inside.clear();
        let (served, still_waiting) = part(std::mem::take(&mut waiting))?;
        inside = served;
        waiting = still_waiting;
        Ok(waiting.is_empty())
    })?;
    drop(inside);
    server.comes_through()?;
    let said = lines.len() - lines_before;
    Ok(format!("{:.1}% of a spinning thread while starved, {said} lines on stderr", share * 100.0))
}
