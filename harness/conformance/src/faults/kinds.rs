//! Each fault, and what must be left of the server.

use std::collections::BTreeSet;

use app::Fault;
use host::guard::Ended;
use serde_json::Value;

use super::{
    row::{Ends, Faulty},
    server::{Outcome, Server, ask, ends_unanswered, expect, send},
};

const SIGABRT: i32 = 6;
const SIGSEGV: i32 = 11;

/// Connections of others, on each server. With two processes to choose from, that all come to one of them is as likely as that
/// 32 tosses of a coin show the same side.
const BYSTANDERS: usize = 32;
/// Panics, one after the other: more than there are workers, so that one which is lost with each would be missed.
const PANICS: usize = 8;
/// As many executors as there are workers: where none were replaced, one more than that would end the last.
const EXECUTORS: usize = 2;
/// New connections that must be answered afterwards.
const AFTERWARDS: usize = 10;

/// Switches faults on.
const ON: &[&str] = &["--faults"];

pub(super) struct Kind {
    pub(super) name: &'static str,
    pub(super) play: fn(&Faulty) -> Outcome,
}

pub(super) const ALL: &[Kind] = &[
    Kind { name: "faults are off unless they are switched on", play: off },
    Kind { name: "a panic is a 500 and costs nobody else anything", play: panic },
    Kind {
        name: "an abort ends what it must, and no more",
        play: |row| uncaught(row, Fault::Abort, row.abort),
    },
    Kind {
        name: "a stack overflow ends what it must, and no more",
        play: |row| uncaught(row, Fault::Overflow, row.overflow),
    },
    Kind { name: "an operation that hangs does not keep a server from ending", play: hang },
];

/// Neither the index nor the description names it.
fn is_unlisted(server: &Server) -> Outcome {
    for line in ["GET /", "GET /openapi.yaml"] {
        let response = server.ask(line)?;
        expect(200, line, &response)?;
        if String::from_utf8_lossy(&response.body).contains("/fault") {
            return Err(format!("{line} names /fault"));
        }
    }
    Ok(())
}

fn off(row: &Faulty) -> Outcome {
    let server = Server::launch(row, &[])?;
    for line in
        ["POST /fault?kind=abort", "POST /fault?kind=panic", "POST /fault", "GET /fault", "OPTIONS /fault"]
    {
        expect(404, line, &server.ask(line)?)?;
    }
    is_unlisted(&server)?;
    server.stops().map(drop)
}

fn panic(row: &Faulty) -> Outcome {
    let server = Server::launch(row, ON)?;
    is_unlisted(&server)?;
    refuses_what_is_no_fault(&server)?;
    let mut bystanders = server.bystanders(BYSTANDERS)?;
    let line = format!("POST {}", Fault::Panic.target());
    for _ in 0..PANICS {
        let mut client = server.connect()?;
        let response = ask(&mut client, &line)?;
        expect(500, &line, &response)?;
        let body: Value = serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
        if !body["error"].is_string() {
            return Err(format!("a 500 without an error: {body}"));
        }
        // Where it does not say that it closes.
        if !response.has_token("connection", "close") {
            expect(200, "GET /simple", &ask(&mut client, "GET /simple")?)?;
        }
    }
    server.serves(AFTERWARDS)?;
    bystanders.iter_mut().try_for_each(|one| one.goes_on())?;
    let metrics = String::from_utf8_lossy(&server.ask("GET /metrics")?.body).into_owned();
    let in_flight = metrics.lines().find(|line| line.starts_with("server_operations_in_flight"));
    if !in_flight.is_some_and(|line| line.ends_with(" 0")) {
        return Err(format!("after panics alone there is {in_flight:?}"));
    }
    drop(bystanders);
    let exit = server.stops()?;
    // What was reported of each panic; what came before may no longer be among the lines that are kept.
    if !exit.stderr.iter().any(|line| line.contains("asked for this panic")) {
        return Err(format!("no word of a panic: {:?}", exit.stderr));
    }
    Ok(())
}

fn refuses_what_is_no_fault(server: &Server) -> Outcome {
    for line in
        ["POST /fault", "POST /fault?kind=", "POST /fault?kind=exit", "POST /fault?kind=panic&kind=panic"]
    {
        let response = server.ask(line)?;
        expect(400, line, &response)?;
        let body: Value = serde_json::from_slice(&response.body).map_err(|error| error.to_string())?;
        if body["parameter"] != "kind" || !body["expected"].is_string() {
            return Err(format!("{line}: a refusal that names no parameter: {body}"));
        }
    }
    let line = "GET /fault?kind=abort";
    let response = server.ask(line)?;
    expect(405, line, &response)?;
    match response.header("allow") {
        Some("POST, OPTIONS") => {}
        other => return Err(format!("{line}: Allow is {other:?}")),
    }
    Ok(())
}

fn uncaught(row: &Faulty, fault: Fault, ends: Ends) -> Outcome {
    let server = Server::launch(row, ON)?;
    match ends {
        Ends::Server => ends_the_server(server, fault),
        Ends::Worker => ends_a_worker(server, fault),
        Ends::Executor => ends_an_executor(server, fault),
        Ends::Coroutine => ends_a_coroutine(server, fault),
    }
}

fn ends_the_server(server: Server, fault: Fault) -> Outcome {
    let mut client = server.connect()?;
    let line = format!("POST {}", fault.target());
    send(&mut client, &line)?;
    ends_unanswered(&mut client, &line)?;
    let exit = server.ends()?;
    // An overflow that Rust knows for one it reports, and aborts; another one is the kernel's SIGSEGV.
    let expected = match exit.ended {
        Ended::Signal(SIGABRT) => true,
        Ended::Signal(SIGSEGV) => fault == Fault::Overflow,
        _ => false,
    };
    if !expected {
        return Err(format!("{line}: it ended otherwise: {exit:?}"));
    }
    if !exit.stderr.iter().any(|line| line.contains("--faults is on")) {
        return Err(format!("no warning that faults are on: {:?}", exit.stderr));
    }
    Ok(())
}

fn ends_a_worker(server: Server, fault: Fault) -> Outcome {
    let mut bystanders = server.bystanders(BYSTANDERS)?;
    let processes: BTreeSet<u64> = bystanders.iter().map(|one| one.pid).collect();
    let mut asking = bystanders.swap_remove(0);
    let line = format!("POST {}", fault.target());
    send(asking.client(), &line)?;
    ends_unanswered(asking.client(), &line)?;
    // New connections as well, those for the worker that has ended among them: they wait for whoever takes its place.
    server.serves(AFTERWARDS)?;
    let mut others = bystanders.into_iter().filter(|one| one.pid != asking.pid);
    others.try_for_each(|mut one| one.goes_on())?;
    let mut seen = BTreeSet::new();
    server.until("another process serves in its place", || {
        seen.insert(server.bystanders(1)?[0].pid);
        Ok(seen.iter().any(|pid| !processes.contains(pid)))
    })?;
    if seen.contains(&asking.pid) {
        return Err(format!("process {} ended, and serves", asking.pid));
    }
    server.stops().map(drop)
}

fn ends_an_executor(server: Server, fault: Fault) -> Outcome {
    const WORK: &str = "GET /complex?iterations=1000";
    let mut bystanders = server.bystanders(BYSTANDERS)?;
    let mut client = server.connect()?;
    let line = format!("POST {}", fault.target());
    for _ in 0..EXECUTORS + 1 {
        expect(500, &line, &ask(&mut client, &line)?)?;
        expect(200, WORK, &ask(&mut client, WORK)?)?;
    }
    server.serves(AFTERWARDS)?;
    bystanders.iter_mut().try_for_each(|one| one.goes_on())?;
    drop((bystanders, client));
    server.stops().map(drop)
}

fn ends_a_coroutine(server: Server, fault: Fault) -> Outcome {
    let mut bystanders = server.bystanders(BYSTANDERS)?;
    let line = format!("POST {}", fault.target());
    // More than there are workers: none may go with its coroutine.
    let mut asking = server.bystanders(PANICS)?;
    asking.iter_mut().try_for_each(|one| send(one.client(), &line))?;
    server.serves(AFTERWARDS)?;
    bystanders.iter_mut().try_for_each(|one| one.goes_on())?;
    for one in &mut asking {
        if one.client().has_input().map_err(|error| error.to_string())? {
            return Err(format!("{line} has an answer or an end"));
        }
    }
    drop(bystanders);
    // They hold their places until --drain-timeout.
    server.stops().map(drop)
}

fn hang(row: &Faulty) -> Outcome {
    let server = Server::launch(row, ON)?;
    let mut client = server.connect()?;
    let line = format!("POST {}", Fault::Hang.target());
    send(&mut client, &line)?;
    // Whether it hangs already at the signal or is read during the drain: it has no end.
    server.stops()?;
    ends_unanswered(&mut client, &line)
}
