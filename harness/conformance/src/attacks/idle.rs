//! Connections that do nothing, in great number.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use host::{footprint::Footprint, open_files};

use super::{
    attack::Attack,
    failure::{Failure, Seen},
    row::Row,
    server::{Server, exchange, receive_200, send_get, settled},
};
use crate::{room::Takes, wire::Client};

/// How many connections the attack keeps.
const CONNECTIONS_WANTED: usize = 10_000;
/// Descriptors of this process, and of a server, that are no connections of the attack, but of others that go on beside it.
const SPARE_FILES: usize = 1_000;
/// With fewer, a figure for each would be that of something else.
const LEAST: usize = 1_000;
/// Less than the backlog, so that no connection waits for a retransmission.
const BATCH: usize = 256;
/// A window in which a server that serves no more than it declares answers nobody else.
const WINDOW: Duration = Duration::from_millis(200);

/// What a connection did before it went idle.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Idle {
    /// Nothing: it was accepted.
    Fresh,
    /// It had one request answered, so that its buffers exist.
    AfterRequest,
}

/// What idle connections cost a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IdleCost {
    /// How many there were: fewer than were asked for where this process may not open as many.
    pub connections: usize,
    /// Resident memory of the server's process tree before, bytes.
    pub rss_before: u64,
    /// And with all of them open.
    pub rss_after: u64,
    /// The difference for each, bytes.
    pub bytes_each: u64,
}

/// Opens `count` connections to the server at `address`, whose process tree has its root at `pid`, leaves them idle and
/// weighs it. On return they are closed on both sides. The server's header and idle timeouts must be longer than this takes, and its
/// `--max-connections` larger than `count`.
///
/// # Errors
/// [`Failure::Weak`] if it does not accept them all or stops serving, [`Failure::Unable`] if this side cannot open them.
pub fn idle_connections(
    address: SocketAddr,
    pid: u32,
    count: usize,
    idle: Idle,
) -> Result<IdleCost, Failure> {
    let limit = open_files::raise().map_err(Failure::unable("raise the limit of open files"))?;
    let allowed = usize::try_from(limit).unwrap_or(usize::MAX).saturating_sub(SPARE_FILES);
    let connections = count.min(allowed);
    if connections < count.min(LEAST) {
        return Err(Failure::Unable(format!(
            "only {limit} files may be open: raise the hard limit (`ulimit -Hn`) above {}",
            LEAST + SPARE_FILES
        )));
    }
    let before = settled(pid);
    let mut clients = Vec::with_capacity(connections);
    while clients.len() < connections {
        for _ in 0..BATCH.min(connections - clients.len()) {
            let client = Client::connect(address, PATIENCE).map_err(Failure::on_socket("connect"))?;
            clients.push(client);
        }
        // Each connection that a server has accepted is a descriptor that it has open.
        let files = before.open_files + clients.len();
        until(|| {
            let missing = files.saturating_sub(Footprint::of_tree(pid).open_files);
            (missing > 0).then(|| format!("{missing} connections are not accepted"))
        })?;
    }
    if idle == Idle::AfterRequest {
        // Not one after the other: the server is to answer one while this side takes the answer of another.
        for batch in clients.chunks_mut(BATCH) {
            batch.iter_mut().try_for_each(|client| send_get(client, "/simple"))?;
            batch.iter_mut().try_for_each(|client| receive_200(client, "/simple").map(drop))?;
        }
    }
    let rss_after = Footprint::of_tree(pid).rss_bytes;
    let mut other = Client::connect(address, PATIENCE).map_err(Failure::on_socket("connect"))?;
    exchange(&mut other, "/healthz")?;
    drop((clients, other));
    until(|| {
        let left = Footprint::of_tree(pid).open_files.saturating_sub(before.open_files);
        (left > 0).then(|| format!("{left} connections that ended are still open"))
    })?;
    let rss_before = before.rss_bytes;
    let bytes_each = rss_after.saturating_sub(rss_before) / (connections.max(1) as u64);
    Ok(IdleCost { connections, rss_before, rss_after, bytes_each })
}

/// How long each step may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Waits until nothing is amiss any more.
fn until(amiss: impl Fn() -> Option<String>) -> Result<(), Failure> {
    let deadline = Instant::now() + PATIENCE;
    while let Some(what) = amiss() {
        if Instant::now() >= deadline {
            return Err(Failure::weak(what));
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

pub(super) const CONNECTIONS: Attack = Attack {
    name: "10,000 idle connections are accepted at little memory each, and others are served",
    arguments: &[
        "--header-timeout",
        "2m",
        "--idle-timeout",
        "2m",
        "--workers",
        "2",
        "--max-connections",
        "20000",
    ],
    short_queue: false,
    takes: |_| Takes::MuchAndFiles,
    run: connections,
};

fn connections(row: &Row, server: Server) -> Seen {
    // Where each occupies what serves another, one place is left for the others who must be served.
    let wanted = row.served_at_once.map_or(CONNECTIONS_WANTED, |most| most.saturating_sub(1));
    let cost = idle_connections(server.address, server.pid(), wanted, Idle::AfterRequest)?;
    if cost.bytes_each > row.idle_bytes_each {
        let (IdleCost { bytes_each, connections, .. }, allowed) = (cost, row.idle_bytes_each);
        return Err(Failure::weak(format!(
            "each of {connections} idle connections costs {bytes_each} bytes, at most {allowed} are allowed"
        )));
    }
    let bound = match row.served_at_once {
        Some(most) => keeps_one_waiting(&server, most)?,
        None => String::new(),
    };
    server.comes_through()?;
    let IdleCost { connections, bytes_each, .. } = cost;
    let fewer = if connections < wanted { ", as many as this process may open" } else { "" };
    Ok(format!("{connections} connections{fewer}, {bytes_each} bytes each{bound}"))
}

/// A row that declares how many it serves at once serves so many, and not one more before one of them leaves.
fn keeps_one_waiting(server: &Server, most: usize) -> Result<String, Failure> {
    let mut inside = (0..most).map(|_| server.admitted()).collect::<Result<Vec<_>, _>>()?;
    let mut waiting = server.connect()?;
    send_get(&mut waiting, "/simple")?;
    std::thread::sleep(WINDOW);
    if waiting.has_input().map_err(Failure::unable("look for an answer"))? {
        return Err(Failure::weak(format!(
            "declared to serve {most} connections at once, it serves one more: it must hold {CONNECTIONS_WANTED}"
        )));
    }
    inside.pop();
    receive_200(&mut waiting, "whoever waited until another left")?;
    Ok(format!("; {most} are served at once, and the next when one leaves"))
}
