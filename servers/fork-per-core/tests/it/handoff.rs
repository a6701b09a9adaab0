//! Where the primary accepts and hands over: who gets a connection, and that none is lost that could be served.

use std::{
    io::{Read, Write},
    net::TcpStream,
};

use host::{processes::send, tether};
use rustix::process::Signal;

use crate::{
    LEAST_CONNECTIONS, ROUND_ROBIN,
    played::{Client, Load, PATIENCE, PROGRAM, Server, eventually},
};

/// Which place's worker answers.
fn place(client: &mut Client) -> String {
    let answer = client.get("/simple").unwrap();
    let after = answer.split("\"worker\":\"").nth(1).unwrap_or_else(|| panic!("{answer}"));
    after.split('"').next().unwrap().to_owned()
}

/// The value of the one sample of `/metrics` that begins so.
fn sample(server: &Server, beginning: &str) -> u64 {
    let metrics = server.connect().get("/metrics").unwrap();
    let line =
        metrics.lines().find(|line| line.starts_with(beginning)).unwrap_or_else(|| panic!("{metrics}"));
    line.rsplit(' ').next().unwrap().parse().unwrap()
}

/// The worker of a place, and the other one of two.
fn workers(server: &Server) -> [u32; 2] {
    let mut pids = [0; 2];
    while pids.contains(&0) {
        let mut client = server.connect();
        let index = usize::from(place(&mut client) == "p1");
        pids[index] = client.pid();
    }
    pids
}

/// Connections with a request each that nobody has waited for.
fn asked(server: &Server, count: usize) -> Vec<TcpStream> {
    let ask = |_| {
        let mut stream = TcpStream::connect_timeout(&server.address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.write_all(b"GET /simple HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
        stream
    };
    (0..count).map(ask).collect()
}

/// Waits until all but `left` of them were answered, and gives those that were not.
fn all_but(mut waiting: Vec<TcpStream>, left: usize) -> Vec<TcpStream> {
    eventually("the answers", || {
        waiting.retain(|stream| {
            stream.set_nonblocking(true).unwrap();
            let waits =
                stream.peek(&mut [0]).is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
            stream.set_nonblocking(false).unwrap();
            waits || {
                assert!(read(stream).contains("499500"));
                false
            }
        });
        (waiting.len() == left).then_some(())
    });
    waiting
}

fn read(mut stream: &TcpStream) -> String {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn connections_are_handed_over_in_turn() {
    let server = Server::start(ROUND_ROBIN);
    // Both have asked, and a worker that answers asks for the next one before it does.
    workers(&server);
    let places: Vec<String> = (0..6).map(|_| place(&mut server.connect())).collect();
    assert_eq!(places.iter().filter(|place| *place == "p0").count(), 3, "{places:?}");
    assert!(places.windows(2).all(|pair| pair[0] != pair[1]), "{places:?}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn the_worker_with_the_fewest_connections_gets_the_next() {
    let server = Server::start(LEAST_CONNECTIONS);
    workers(&server);
    eventually("their end", || (sample(&server, "server_connections_open{") == 1).then_some(()));
    let mut held: Vec<(String, Client)> = Vec::new();
    for _ in 0..8 {
        let mut client = server.connect();
        held.push((place(&mut client), client));
    }
    let count =
        |held: &[(String, Client)], name: &str| held.iter().filter(|(place, _)| place == name).count();
    assert_eq!((count(&held, "p0"), count(&held, "p1")), (4, 4));
    held.retain(|(place, _)| place == "p0");
    // With the one that asks.
    eventually("their end", || (sample(&server, "server_connections_open{") == 5).then_some(()));
    for _ in 0..3 {
        let mut client = server.connect();
        let place = place(&mut client);
        assert_eq!(place, "p1");
        held.push((place, client));
    }
    drop(held);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_worker_that_takes_nothing_delays_nobody_but_the_one_it_had_asked_for() {
    for choice in [ROUND_ROBIN, LEAST_CONNECTIONS] {
        let server = Server::start(choice);
        let [stopped, _] = workers(&server);
        assert!(send(stopped, Signal::STOP));
        let waiting = all_but(asked(&server, 20), 1);
        // However long it takes.
        all_but(asked(&server, 20), 0);
        assert!(send(stopped, Signal::CONT));
        all_but(waiting, 0);
        assert_eq!(server.stop().0, Some(0));
    }
}

#[test]
fn what_is_on_its_way_to_a_worker_that_dies_is_closed_and_counted() {
    let mut server = Server::start(ROUND_ROBIN);
    let [victim, _] = workers(&server);
    assert!(send(victim, Signal::STOP));
    let waiting = all_but(asked(&server, 8), 1);
    assert!(send(victim, Signal::KILL));
    server.until("ended with 1 connections that it had not taken");
    server.until("worker p0 accepts");
    // An end, or a reset.
    let mut end = [0; 64];
    assert!(!matches!((&waiting[0]).read(&mut end), Ok(count) if count > 0));
    assert_eq!(sample(&server, "server_connections_lost_total{server=\"fork-per-core\",worker=\"p0\"}"), 1);
    assert_eq!(sample(&server, "server_connections_lost_total{server=\"fork-per-core\",worker=\"p1\"}"), 0);
    all_but(asked(&server, 8), 0);
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn what_waits_in_the_backlog_at_a_stop_is_given_out_and_served() {
    let server = Server::start(ROUND_ROBIN);
    assert_eq!(server.command(&["scale", "1"]).0, Some(0));
    let [worker] = server.workers()[..] else { panic!("one worker is left") };
    assert!(send(worker, Signal::STOP));
    let asked = asked(&server, 40);
    server.signal(Signal::TERM);
    // Its listener is closed when it has given out what was there.
    eventually("the end of the listener", || TcpStream::connect(server.address).is_err().then_some(()));
    assert!(send(worker, Signal::CONT));
    all_but(asked, 0);
    let (code, log) = server.end();
    assert_eq!(code, Some(0), "{log}");
    assert!(!log.contains("closed"), "{log}");
}

#[test]
fn a_worker_that_somebody_else_tells_to_end_loses_nothing() {
    for choice in [ROUND_ROBIN, LEAST_CONNECTIONS] {
        let mut server = Server::start(choice);
        let load = Load::churning(server.address, 4);
        for _ in 0..3 {
            load.more(50);
            assert!(send(server.workers()[0], Signal::TERM));
            server.until("accepts");
        }
        load.more(50);
        assert_eq!(load.end(), Vec::<String>::new());
        assert_eq!(server.stop().0, Some(0));
    }
}

#[test]
fn a_killed_worker_costs_what_it_had_and_the_others_go_on() {
    let mut server = Server::start(&[ROUND_ROBIN, &["--max-crashes", "1000"]].concat());
    let load = Load::churning(server.address, 4);
    for _ in 0..3 {
        load.more(50);
        assert!(send(server.workers()[0], Signal::KILL));
        server.until("accepts");
    }
    load.more(50);
    // Of each worker what it was serving, and the one that it had asked for.
    let failed = load.end();
    assert!(failed.len() <= 3 * 4, "{failed:?}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_place_that_has_failed_is_not_chosen() {
    let mut server = Server::start(&[ROUND_ROBIN, &["--max-crashes", "1"]].concat());
    let [victim, _] = workers(&server);
    assert!(send(victim, Signal::KILL));
    server.until("its place has failed");
    for _ in 0..16 {
        assert_eq!(place(&mut server.connect()), "p1");
    }
    assert_eq!(server.command(&["reload"]).0, Some(0));
    let places: Vec<String> = (0..4).map(|_| place(&mut server.connect())).collect();
    assert!(places.contains(&"p0".to_owned()), "{places:?}");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn scaling_changes_who_is_chosen_and_loses_nothing() {
    let server = Server::start(LEAST_CONNECTIONS);
    let load = Load::churning(server.address, 4);
    for (count, places) in [("4", 4), ("1", 1), ("3", 3)] {
        assert_eq!(server.command(&["scale", count]).0, Some(0));
        load.more(20);
        let mut held: Vec<Client> = (0..64).map(|_| server.connect()).collect();
        let mut seen: Vec<String> = held.iter_mut().map(place).collect();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), places, "{seen:?}");
    }
    assert_eq!(load.end(), Vec::<String>::new());
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn arguments_that_contradict_each_other_are_refused() {
    for accept in ["reuseport", "shared"] {
        let mut command = tether::command(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--accept", accept, "--handoff", "round-robin"]);
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{said}");
        assert!(said.contains("--accept handoff") && said.contains("--handoff"), "{said}");
    }
}
