//! Stops that find each connection in a state of its own: accepted and silent, idle, with a request in its socket, with half of one, with a pipeline.
//!
//! What a client may rely on: what has come when the signal does is answered, wherever it lies; what has begun is waited for within
//! its own timeout; and a connection without a request is kept for `--linger`, in case one is on its way. The last answer of
//! each says that the connection closes. Lingers are none or longer than any test takes, so that nothing is timed.

use std::{
    collections::VecDeque,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread::{self, ScopedJoinHandle},
    time::Duration,
};

use super::{
    attack::Attack,
    drain::{ends_with, stopped_during_a_delay},
    failure::{Failure, Seen},
    operations::{begin, computing, occupying},
    row::Row,
    server::{Server, receive_200, send_get},
};
use crate::{
    response::Response,
    room::Takes,
    wire::{Broken, Client, PIECE_GAP},
};

/// Connections in each state.
const CLIENTS: usize = 8;
const REQUEST: &[u8] = b"GET /simple HTTP/1.1\r\nHost: attack\r\n\r\n";

pub(super) const ON_ITS_WAY: Attack = Attack {
    name: "at a stop a request that comes within --linger is answered, on idle connections and on silent ones",
    arguments: &["--workers", "2", "--linger", "30s", "--drain-timeout", "1m"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: on_its_way,
};

fn on_its_way(_row: &Row, mut server: Server) -> Seen {
    let mut clients = silent(&server)?;
    for _ in 0..CLIENTS {
        clients.push(server.admitted()?);
    }
    server.terminate();
    server.until("connections are refused", || Ok(server.refuses_connections()))?;
    for client in &mut clients {
        send_get(client, "/simple")?;
    }
    for client in &mut clients {
        is_the_last_answer(client, "sent within --linger")?;
    }
    ends_with(server, 0)?;
    Ok(format!("{} answered after the signal", clients.len()))
}

/// Connections that were accepted and have sent nothing: each is a descriptor that the server has open.
fn silent(server: &Server) -> Result<Vec<Client>, Failure> {
    let clients = (0..CLIENTS).map(|_| server.connect()).collect::<Result<Vec<_>, _>>()?;
    let files = server.before.open_files + CLIENTS;
    server.until("silent connections are accepted", || Ok(server.footprint().open_files >= files))?;
    Ok(clients)
}

fn is_the_last_answer(client: &mut Client, what: &str) -> Result<(), Failure> {
    let response = receive_200(client, what)?;
    if !announces(&response) {
        return Err(Failure::weak(format!(
            "{what}: the last answer while it drains does not announce the close"
        )));
    }
    client.closes().map_err(|problem| Failure::weak(format!("{what}, after an announced close: {problem}")))
}

fn announces(response: &Response) -> bool {
    response.has_token("connection", "close")
}

pub(super) const UNDER_LOAD: Attack = Attack {
    name: "at a stop under load no request is lost at all, and each client is told of the close with its first answer",
    arguments: &["--workers", "2", "--linger", "30s", "--drain-timeout", "1m"],
    short_queue: false,
    takes: |_| Takes::Much,
    run: under_load,
};

/// What each client has answered before the signal is sent.
const WARM_UP: usize = 50;

fn under_load(_row: &Row, mut server: Server) -> Seen {
    let clients = (0..2 * CLIENTS).map(|_| server.admitted()).collect::<Result<Vec<_>, _>>()?;
    let (is_stopping, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let warm = WARM_UP * clients.len();
    let mut outcomes = Vec::with_capacity(clients.len() + 1);
    thread::scope(|scope| {
        let load: Vec<_> = clients
            .into_iter()
            .map(|client| scope.spawn(|| until_it_is_told(client, &is_stopping, &answered)))
            .collect();
        outcomes.push(server.until("the load is answered", || Ok(answered.load(SeqCst) >= warm)));
        server.terminate();
        outcomes.push(server.until("connections are refused", || Ok(server.refuses_connections())));
        is_stopping.store(true, SeqCst);
        let joined = load.into_iter().map(ScopedJoinHandle::join);
        outcomes.extend(
            joined.map(|end| end.unwrap_or_else(|_| Err(Failure::Unable("a client panicked".to_owned())))),
        );
    });
    outcomes.into_iter().collect::<Result<(), _>>()?;
    ends_with(server, 0)?;
    Ok(format!("{} answers, none lost", answered.into_inner()))
}

/// One request after the other, until an answer says that it is the last.
fn until_it_is_told(
    mut client: Client,
    is_stopping: &AtomicBool,
    answered: &AtomicUsize,
) -> Result<(), Failure> {
    loop {
        let is_late = is_stopping.load(SeqCst);
        send_get(&mut client, "/simple")?;
        let response = receive_200(&mut client, "of a load")?;
        answered.fetch_add(1, SeqCst);
        if announces(&response) {
            return client
                .closes()
                .map_err(|what| Failure::weak(format!("after an announced close: {what}")));
        }
        if is_late {
            return Err(Failure::weak(
                "an answer to what was sent after the signal does not announce the close",
            ));
        }
    }
}

pub(super) const IN_THE_SOCKET: Attack = Attack {
    name: "at a stop what lies in a socket is answered, though its worker computes and there is no --linger",
    arguments: &["--workers", "1", "--linger", "0", "--drain-timeout", "1m"],
    short_queue: false,
    takes: computing,
    run: in_the_socket,
};

/// How long the worker computes, in CPU time: the signal comes meanwhile.
const COMPUTES: Duration = Duration::from_millis(500);

fn in_the_socket(_row: &Row, mut server: Server) -> Seen {
    let mut computing = server.admitted()?;
    let mut idle = (0..CLIENTS).map(|_| server.admitted()).collect::<Result<Vec<_>, _>>()?;
    let path = occupying(&server, COMPUTES)?;
    begin(&server, &mut computing, &path)?;
    let mut queued = Vec::with_capacity(CLIENTS);
    for client in &mut idle {
        send_get(client, "/simple")?;
    }
    for _ in 0..CLIENTS {
        let mut client = server.connect()?;
        send_get(&mut client, "/simple")?;
        queued.push(client);
    }
    // Behind the operation, on its own connection.
    send_get(&mut computing, "/simple")?;
    server.terminate();
    if announces(&receive_200(&mut computing, "the operation under way at the signal")?) {
        return Err(Failure::weak("a close is announced before a request that was sent before the signal"));
    }
    is_the_last_answer(&mut computing, "sent behind an operation")?;
    for client in idle.iter_mut().chain(&mut queued) {
        // A worker that does not compute may have answered it before the signal.
        receive_200(client, "in a socket at the signal")?;
        client.closes().map_err(|what| Failure::weak(format!("in a socket at the signal: {what}")))?;
    }
    ends_with(server, 0)?;
    Ok(format!("{} answered that lay in sockets", 2 * CLIENTS + 1))
}

pub(super) const HALF: Attack = Attack {
    name: "at a stop half a head and half a body are waited for byte by byte, without a --linger",
    arguments: &["--workers", "2", "--linger", "0", "--header-timeout", "1m", "--drain-timeout", "2m"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: half,
};

fn half(_row: &Row, mut server: Server) -> Seen {
    let head: &[u8] = b"POST /echo HTTP/1.1\r\nHost: attack\r\nContent-Length: 10\r\n\r\n";
    let whole = [head, b"0123456789"].concat();
    // In the request line, in a field, before the last byte of the head, at the beginning of the body, and in it.
    let ends = [1, 9, 25, head.len() - 1, head.len(), head.len() + 5];
    let mut clients = Vec::with_capacity(2 * ends.len());
    for end in ends {
        for mut client in [server.connect()?, server.admitted()?] {
            client.send(&whole[..end]).map_err(Failure::on_socket("send"))?;
            clients.push((client, end));
        }
    }
    server.terminate();
    server.until("connections are refused", || Ok(server.refuses_connections()))?;
    for at in 0..whole.len() {
        for (client, end) in &mut clients {
            if at >= *end {
                let sent = client.send(&whole[at..=at]);
                sent.map_err(|error| {
                    Failure::weak(format!("half a request of {end} bytes at a stop: {error}"))
                })?;
            }
        }
        thread::sleep(PIECE_GAP);
    }
    for (client, end) in &mut clients {
        is_the_last_answer(client, &format!("of which {end} bytes were there"))?;
    }
    ends_with(server, 0)?;
    Ok(format!("{} answered that were half there", clients.len()))
}

pub(super) const PIPELINED: Attack = Attack {
    name: "at a stop a pipeline that came whole is answered to its end, and its last answer closes",
    arguments: &["--workers", "1", "--drain-timeout", "1m"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: pipelined,
};

fn pipelined(_row: &Row, mut server: Server) -> Seen {
    let mut waiting = server.admitted()?;
    let delay = b"GET /delay?ms=300 HTTP/1.1\r\nHost: attack\r\n\r\n";
    waiting.send(&[delay, REQUEST, delay, REQUEST].concat()).map_err(Failure::on_socket("send"))?;
    let mut other = stopped_during_a_delay(&mut server, 300)?;
    for number in 1..=3 {
        if announces(&receive_200(&mut waiting, &format!("request {number} of a pipeline"))?) {
            return Err(Failure::weak(format!("answer {number} of 4 announces the close")));
        }
    }
    is_the_last_answer(&mut waiting, "the end of a pipeline")?;
    is_the_last_answer(&mut other, "a delay that was under way at the signal")?;
    ends_with(server, 0)?;
    Ok("4 of 4 answered".to_owned())
}

pub(super) const ENDLESS: Attack = Attack {
    name: "at a stop a pipeline without end is told that it ends, and what was sent before the signal is answered",
    arguments: &["--workers", "1", "--linger", "200ms", "--drain-timeout", "2m"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: endless,
};

/// Requests that are always on their way.
const AHEAD: usize = 8;

fn endless(_row: &Row, mut server: Server) -> Seen {
    let mut client = server.admitted()?;
    // Whether each was written before the signal.
    let mut outstanding = VecDeque::new();
    let (mut is_stopped, mut answered) = (false, 0);
    loop {
        while outstanding.len() < AHEAD
            && client.send(b"GET /delay?ms=5 HTTP/1.1\r\nHost: attack\r\n\r\n").is_ok()
        {
            outstanding.push_back(!is_stopped);
        }
        match client.receive(false) {
            Ok(response) if response.status == 200 => {
                outstanding.pop_front();
                answered += 1;
                if announces(&response) {
                    break;
                }
            }
            Ok(response) => return Err(Failure::weak(format!("of a pipeline: status {}", response.status))),
            Err(Broken::Closed) => {
                return Err(Failure::weak("a pipeline without end is closed without a word"));
            }
            Err(broken) => return Err(Failure::weak(format!("of a pipeline: {broken}"))),
        }
        if !is_stopped && answered == 2 * AHEAD {
            server.terminate();
            is_stopped = true;
        }
    }
    if outstanding.contains(&true) {
        return Err(Failure::weak("a request of a pipeline, written before the signal, is lost"));
    }
    client.closes().map_err(|what| Failure::weak(format!("after an announced close: {what}")))?;
    ends_with(server, 0)?;
    Ok(format!("told after {answered} answers"))
}

pub(super) const IDLE: Attack = Attack {
    name: "at a stop connections without a request are closed after --linger, and long before --drain-timeout",
    arguments: &["--workers", "2", "--linger", "100ms", "--header-timeout", "2m", "--drain-timeout", "5m"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: |_row, server| {
        let count = stopped_with_idle_ones(server)?;
        Ok(format!("{count} closed"))
    },
};

pub(super) const OUTLASTED: Attack = Attack {
    name: "at a stop a --linger that is longer than --drain-timeout keeps no server from ending",
    arguments: &["--workers", "2", "--linger", "5m", "--header-timeout", "5m", "--drain-timeout", "300ms"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: |_row, server| {
        let count = stopped_with_idle_ones(server)?;
        Ok(format!("{count} closed"))
    },
};

/// Stops a server that has silent and idle connections, which nobody closes on this side; how many.
fn stopped_with_idle_ones(mut server: Server) -> Result<usize, Failure> {
    let mut clients = silent(&server)?;
    for _ in 0..CLIENTS {
        clients.push(server.admitted()?);
    }
    server.terminate();
    for client in &mut clients {
        client.closes().map_err(|what| Failure::weak(format!("an idle connection at a stop: {what}")))?;
    }
    ends_with(server, 0)?;
    Ok(clients.len())
}
