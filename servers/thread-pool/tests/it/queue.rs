//! What becomes of connections that find all threads occupied: they wait in the order in which they came.

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

use host::launch::{Launch, Process};

/// How long each wait may last.
const PATIENCE: Duration = Duration::from_secs(30);
const SIMPLE: &str = "GET /simple HTTP/1.1\r\nHost: a\r\n\r\n";
const LAST: &str = "GET /simple HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n";

fn launch(arguments: &[&str]) -> (Process, SocketAddr) {
    let mut process = Launch::new(env!("CARGO_BIN_EXE_thread-pool"))
        .args(["--listen", "127.0.0.1:0"])
        .args(arguments)
        .spawn()
        .unwrap();
    let address = process.ready(PATIENCE).unwrap().address;
    (process, address)
}

fn stops(server: Process) {
    let exit = server.stop(PATIENCE).unwrap();
    assert!(exit.is_clean(), "{exit:?}");
}

fn knock(address: SocketAddr, request: &str) -> TcpStream {
    let mut client = TcpStream::connect(address).unwrap();
    client.set_read_timeout(Some(PATIENCE)).unwrap();
    client.write_all(request.as_bytes()).unwrap();
    client
}

/// One answer of a client that keeps its connection; it comes in one piece.
fn answer(client: &mut TcpStream) -> String {
    let mut bytes = [0; 4096];
    let count = client.read(&mut bytes).unwrap();
    String::from_utf8_lossy(&bytes[..count]).into_owned()
}

fn rest(client: &mut TcpStream) -> String {
    let mut text = String::new();
    client.read_to_string(&mut text).unwrap();
    text
}

#[track_caller]
fn is_answer(text: &str) {
    assert!(text.starts_with("HTTP/1.1 200 ") && text.contains("499500"), "{text:?}");
}

#[test]
fn connections_beyond_the_threads_are_served_when_others_end() {
    for queue in ["0", "2", "100"] {
        let (server, address) = launch(&["--threads", "2", "--queue", queue]);
        let mut inside = [knock(address, SIMPLE), knock(address, SIMPLE)];
        inside.iter_mut().for_each(|client| is_answer(&answer(client)));
        let mut waiting: Vec<_> = (0..20).map(|_| knock(address, LAST)).collect();
        // Those who have a thread keep it meanwhile.
        for client in &mut inside {
            client.write_all(SIMPLE.as_bytes()).unwrap();
            is_answer(&answer(client));
        }
        for client in &waiting {
            client.set_nonblocking(true).unwrap();
            assert!(client.peek(&mut [0]).is_err(), "with a queue of {queue} a third connection is served");
            client.set_nonblocking(false).unwrap();
        }
        drop(inside);
        waiting.iter_mut().for_each(|client| is_answer(&rest(client)));
        stops(server);
    }
}

#[test]
fn who_waited_longer_than_the_header_timeout_is_answered_if_the_request_is_there_and_closed_if_not() {
    let (server, address) = launch(&["--threads", "1", "--header-timeout", "300ms"]);
    let occupant = knock(address, "GET /delay?ms=1000 HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n");
    let (mut punctual, mut silent, mut slow) =
        (knock(address, LAST), knock(address, ""), knock(address, "GET /"));
    assert!(rest(&mut { occupant }).starts_with("HTTP/1.1 200 "));
    is_answer(&rest(&mut punctual));
    assert_eq!(rest(&mut silent), "");
    assert!(rest(&mut slow).starts_with("HTTP/1.1 408 "));
    stops(server);
}

#[test]
fn who_waits_at_a_stop_is_answered() {
    let (mut server, address) = launch(&["--threads", "1", "--queue", "3", "--drain-timeout", "20s"]);
    let mut inside = knock(address, SIMPLE);
    is_answer(&answer(&mut inside));
    inside.write_all(b"GET /delay?ms=500 HTTP/1.1\r\nHost: a\r\n\r\n").unwrap();
    let mut waiting: Vec<_> = (0..10).map(|_| knock(address, SIMPLE)).collect();
    server.terminate();
    assert!(rest(&mut inside).starts_with("HTTP/1.1 200 "));
    waiting.iter_mut().for_each(|client| is_answer(&rest(client)));
    let exit = server.wait(PATIENCE).unwrap();
    assert!(exit.is_clean(), "{exit:?}");
}

#[test]
fn threads_are_workers_and_win_over_workers() {
    for (arguments, threads) in [
        (&[][..], 256),
        (&["--workers", "3"], 3),
        (&["--threads", "5"], 5),
        (&["--workers", "3", "--threads", "5"], 5),
    ] {
        let mut server = Launch::new(env!("CARGO_BIN_EXE_thread-pool"))
            .args(["--listen", "127.0.0.1:0"])
            .args(arguments)
            .spawn()
            .unwrap();
        assert_eq!(server.ready(PATIENCE).unwrap().workers, threads, "{arguments:?}");
        stops(server);
    }
}
