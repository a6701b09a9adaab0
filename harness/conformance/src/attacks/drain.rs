//! Stops in the middle of work: what SIGTERM may cost a client, and how long a server may take to end.
//!
//! What a client may rely on: a request that it had written whole before the signal was sent is answered, on every
//! connection that the server had not announced to close. What it writes later is answered, or the connection
//! closes before the first byte of an answer. Never half an answer, never a wrong one.

use std::{
    ops::RangeInclusive,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    thread,
    time::{Duration, Instant},
};

use host::{guard::Ended, launch::Exit};

use super::{
    attack::Attack,
    failure::{Failure, Seen},
    operations::computing,
    row::Row,
    server::{Server, receive_200, send_get},
};
use crate::{
    room::Takes,
    wire::{Broken, Client},
};

/// Clients that send one request after the other, what they ask for in turns, and what each answer must contain.
const CLIENTS: usize = 16;
const ASKED: [(&str, &str); 4] = [
    ("/simple", "\"payload\":499500"),
    ("/complex?iterations=10000", "\"payload\":49995000"),
    ("/delay?ms=5", "\"payload\":5"),
    ("/healthz", ""),
];
/// Answers between all of them before the delays begin, and as many again until the signal is sent: by then every worker
/// has read the delays.
const WARM_UP: usize = 200;
/// The delays are this many times as long as the first answers took, so that they are under way at the signal on a busy machine
/// too, and at least and at most so long.
const TIMES_THE_WARM_UP: u32 = 8;
const DELAY: RangeInclusive<Duration> = Duration::from_millis(500)..=Duration::from_secs(10);
/// Connections that wait out a delay when the signal comes, and such that do nothing.
const WAITING: usize = 8;
const IDLE: usize = 8;

pub(super) const UNDER_LOAD: Attack = Attack {
    name: "a stop under load loses no request and answers what is under way",
    arguments: &["--workers", "2", "--drain-timeout", "20s"],
    short_queue: false,
    takes: |_| Takes::Much,
    run: under_load,
};

/// How one client fared.
#[derive(Default)]
struct Fared {
    answered: usize,
    after_the_signal: usize,
}

fn under_load(_row: &Row, mut server: Server) -> Seen {
    let mut waiting = (0..WAITING).map(|_| server.admitted()).collect::<Result<Vec<_>, _>>()?;
    let mut idle = (0..IDLE).map(|_| server.admitted()).collect::<Result<Vec<_>, _>>()?;
    let loaders = (0..CLIENTS).map(|_| server.admitted()).collect::<Result<Vec<_>, _>>()?;
    let (signalled, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    let outcomes = thread::scope(|scope| {
        let clients: Vec<_> =
            loaders.into_iter().map(|client| scope.spawn(|| load(client, &signalled, &answered))).collect();
        let warm = begin_delays(&server, &mut waiting, &answered);
        // Raised first: whoever still finds it down has written before the signal is sent.
        signalled.store(true, SeqCst);
        server.terminate();
        let mut outcomes: Vec<Result<Fared, Failure>> = vec![warm.map(|()| Fared::default())];
        outcomes.extend(clients.into_iter().map(|client| {
            client.join().unwrap_or_else(|_| Err(Failure::Unable("a client panicked".to_owned())))
        }));
        outcomes
    });
    let fared = outcomes.into_iter().collect::<Result<Vec<_>, _>>()?;
    for client in &mut waiting {
        let response = receive_200(client, "a delay that was under way at the signal")?;
        if !response.has_token("connection", "close") {
            return Err(Failure::weak("an answer while it drains does not announce the close"));
        }
        client.closes().map_err(Failure::Weak)?;
    }
    for client in &mut idle {
        client.closes().map_err(|what| Failure::weak(format!("an idle connection at a stop: {what}")))?;
    }
    ends_with(server, 0)?;
    let sum = |of: fn(&Fared) -> usize| fared.iter().map(of).sum::<usize>();
    Ok(format!("{} answers, {} of them after the signal", sum(|f| f.answered), sum(|f| f.after_the_signal)))
}

/// Has `waiting` ask for delays in the middle of the load, and returns when they are under way.
fn begin_delays(server: &Server, waiting: &mut [Client], answered: &AtomicUsize) -> Result<(), Failure> {
    let started = Instant::now();
    server.until("the load is answered", || Ok(answered.load(SeqCst) >= WARM_UP))?;
    let delay = (started.elapsed() * TIMES_THE_WARM_UP).clamp(*DELAY.start(), *DELAY.end());
    for client in waiting {
        send_get(client, &format!("/delay?ms={}", delay.as_millis()))?;
    }
    let begun = answered.load(SeqCst);
    server.until("the load is answered beside the delays", || Ok(answered.load(SeqCst) >= begun + WARM_UP))
}

/// One request after the other until the server ends the connection, which it may do only after the signal.
fn load(mut client: Client, signalled: &AtomicBool, total: &AtomicUsize) -> Result<Fared, Failure> {
    let mut fared = Fared::default();
    for (path, wanted) in ASKED.iter().cycle() {
        let written = send_get(&mut client, path);
        let before_the_signal = written.is_ok() && !signalled.load(SeqCst);
        match (written, client.receive(false)) {
            (_, Ok(response)) => {
                let body = String::from_utf8_lossy(&response.body).into_owned();
                // A draining server says so.
                let draining = *path == "/healthz" && response.status == 503 && signalled.load(SeqCst);
                if !(draining || response.status == 200 && body.contains(wanted)) {
                    return Err(Failure::weak(format!("GET {path}: {} {body}", response.status)));
                }
                fared.answered += 1;
                fared.after_the_signal += usize::from(signalled.load(SeqCst));
                total.fetch_add(1, SeqCst);
                if response.has_token("connection", "close") {
                    let announced = client
                        .closes()
                        .map_err(|what| Failure::weak(format!("after an announced close: {what}")));
                    return announced.map(|()| fared);
                }
            }
            (Ok(()), Err(Broken::Closed)) if before_the_signal => {
                return Err(Failure::weak(format!("GET {path}, written before the signal, is lost")));
            }
            (Err(_), Err(Broken::Closed)) | (Ok(()), Err(Broken::Closed)) if signalled.load(SeqCst) => {
                return Ok(fared);
            }
            (_, Err(broken)) => return Err(Failure::weak(format!("GET {path}: {broken}"))),
        }
    }
    Ok(fared)
}

pub(super) fn ends_with(server: Server, code: i32) -> Result<Exit, Failure> {
    let exit = server.ends()?;
    if exit.ended == Ended::Code(code) {
        Ok(exit)
    } else {
        Err(Failure::weak(format!("{} instead of code {code}: {:?}", exit.ended, exit.stderr.last())))
    }
}

pub(super) const BACKLOG: Attack = Attack {
    name: "connections that wait in the backlog at a stop are served",
    arguments: &["--workers", "1", "--max-connections", "1", "--drain-timeout", "20s"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: backlog,
};

fn backlog(_row: &Row, mut server: Server) -> Seen {
    let mut inside = server.admitted()?;
    send_get(&mut inside, "/delay?ms=500")?;
    let mut queued = Vec::with_capacity(CLIENTS);
    for _ in 0..CLIENTS {
        let mut client = server.connect()?;
        send_get(&mut client, "/simple")?;
        queued.push(client);
    }
    server.terminate();
    receive_200(&mut inside, "a delay that was under way at the signal")?;
    for client in &mut queued {
        receive_200(client, "from the backlog")?;
    }
    ends_with(server, 0)?;
    Ok(format!("{CLIENTS} served from the backlog"))
}

pub(super) const CLOSES: Attack = Attack {
    name: "at a stop nobody listens any more while requests under way are answered",
    arguments: &["--workers", "2", "--drain-timeout", "20s"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: |_row, mut server| {
        let mut client = stopped_during_a_delay(&mut server, 1_500)?;
        server.until("connections are refused", || Ok(server.refuses_connections()))?;
        if client.has_input().map_err(Failure::unable("look for an answer"))? {
            receive_200(&mut client, "a delay that was under way at the signal")?;
            return Err(Failure::Unable("the delay ended before the listener closed".to_owned()));
        }
        receive_200(&mut client, "a delay that was under way at the signal")?;
        ends_with(server, 0)?;
        Ok("connections were refused before the last answer".to_owned())
    },
};

/// A client whose delay is under way when the stop signal is sent.
pub(super) fn stopped_during_a_delay(server: &mut Server, milliseconds: u32) -> Result<Client, Failure> {
    let mut client = server.admitted()?;
    send_get(&mut client, &format!("/delay?ms={milliseconds}"))?;
    // Its request must have been read: what is only in the backlog would be served as well, but later. A server of several
    // processes counts in each of them, and one asks whichever accepts.
    server.until("the delay is under way", || Ok(server.operations_in_flight()? >= 1))?;
    server.terminate();
    Ok(client)
}

pub(super) const DEADLINE: Attack = Attack {
    name: "requests that outlast --drain-timeout are cut with a warning",
    arguments: &["--workers", "1", "--drain-timeout", "300ms"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: |_row, mut server| {
        let mut client = stopped_during_a_delay(&mut server, 60_000)?;
        warned(&ends_with(server, 0)?)?;
        client.closes().map_err(Failure::Weak)?;
        Ok("ended before a delay of a minute did".to_owned())
    },
};

pub(super) const COMPUTING: Attack = Attack {
    name: "operations that compute beyond --drain-timeout do not keep a server from ending",
    arguments: &["--workers", "1", "--drain-timeout", "300ms"],
    short_queue: false,
    takes: computing,
    run: |_row, mut server| {
        // Several, one behind the other: together they take longer than anybody's patience in any build.
        let mut clients = (0..CLIENTS).map(|_| server.admitted()).collect::<Result<Vec<_>, _>>()?;
        let cpu = server.footprint().cpu;
        for client in &mut clients {
            send_get(client, "/complex?iterations=5000000000")?;
        }
        server.until("an operation begins", || {
            Ok(server.footprint().cpu.saturating_sub(cpu) >= Duration::from_millis(50))
        })?;
        server.terminate();
        warned(&ends_with(server, 0)?)?;
        Ok("ended while the longest operations ran and waited".to_owned())
    },
};

fn warned(exit: &Exit) -> Result<(), Failure> {
    if exit.stderr.iter().any(|line| line.contains("--drain-timeout")) {
        return Ok(());
    }
    Err(Failure::weak(format!("no word of what was cut at --drain-timeout: {:?}", exit.stderr)))
}

pub(super) const SECOND_SIGNAL: Attack = Attack {
    name: "a second stop signal ends a draining server at once, with 128 and its number",
    arguments: &["--workers", "1", "--drain-timeout", "2m"],
    short_queue: false,
    takes: |_| Takes::Little,
    run: |_row, mut server| {
        let mut client = stopped_during_a_delay(&mut server, 60_000)?;
        server.until("connections are refused", || Ok(server.refuses_connections()))?;
        server.terminate();
        ends_with(server, 128 + 15)?;
        client.closes().map_err(Failure::Weak)?;
        Ok("exit code 143".to_owned())
    },
};
