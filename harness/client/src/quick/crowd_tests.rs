use std::{
    io::{Read, Write},
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::Arc,
    thread,
    time::Duration,
};

use load::{Afterwards, Opening, Pacing, StopHandle};

use super::*;
use crate::{
    quick::plan::{QuickOptions, plan},
    target::Target,
};

const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const LAST_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

/// Serves each connection on a thread: `answer` is called with the number of the request on its connection, from
/// 1, and returns whether the connection stays open.
fn server(answer: fn(&mut TcpStream, u32) -> bool) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            thread::spawn(move || (1..).all(|n| asked(&mut stream) && answer(&mut stream, n)));
        }
    });
    address
}

/// Reads a request's head. False at the end of the connection.
fn asked(stream: &mut TcpStream) -> bool {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return false,
        }
    }
    true
}

fn args(address: SocketAddr, count: u32, num: u32) -> QuickOptions {
    let url = format!("http://{address}/simple");
    QuickOptions { url, count, num, output: None, max_head: 64 * 1024, quiet: true }
}

/// The report, and how many users arrived and were still under way at the end.
fn run(address: SocketAddr, count: u32, num: u32) -> (Run, (u32, u32)) {
    let args = args(address, count, num);
    let crowd = Arc::new(Crowd::new("/simple"));
    let mut plan = plan(&args, &Target::parse(&args.url).unwrap(), &crowd).unwrap();
    plan.timeout = Duration::from_millis(300);
    let outcome = load::run(&plan, &(), &StopHandle::new()).unwrap();
    assert!(!outcome.interrupted);
    (crowd.conclude(false).0, crowd.numbers())
}

/// Requests, answers, users that completed, users that failed, and the causes.
fn counted(run: &Run) -> (u64, u64, u64, u64, Vec<(&str, u64)>) {
    let of = |name| run.aggregate.counter(name).unwrap_or(0);
    let errors = run.aggregate.counters.iter();
    let errors = errors.filter_map(|(name, n)| Some((name.strip_prefix("errors.")?, *n))).collect();
    (of("http.requests"), of("http.responses"), of("vusers.completed"), of("vusers.failed"), errors)
}

#[test]
fn every_user_sends_its_requests_and_completes() {
    let address = server(|stream, _| stream.write_all(ANSWER).is_ok());
    let (run, numbers) = run(address, 20, 7);
    assert_eq!(counted(&run), (140, 140, 20, 0, vec![]));
    assert_eq!(numbers, (20, 0));
    assert_eq!(run.aggregate.counter("http.downloaded_bytes"), Some(280));
}

#[test]
fn a_user_whose_connection_is_reset_sends_no_more() {
    let address = server(|stream, n| {
        if n == 3 {
            // Closing with unread bytes would do as well; this is certain.
            rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO)).unwrap();
            return false;
        }
        stream.write_all(ANSWER).is_ok()
    });
    assert_eq!(counted(&run(address, 4, 5).0), (12, 8, 0, 4, vec![("ECONNRESET", 4)]));
}

#[test]
fn an_announced_close_costs_a_connection_and_an_unannounced_one_the_user() {
    let announced =
        server(|stream, n| stream.write_all(if n == 3 { LAST_ANSWER } else { ANSWER }).is_ok() && n < 3);
    assert_eq!(counted(&run(announced, 4, 5).0), (20, 20, 4, 0, vec![]));
    // Unannounced, the connection is half closed with the third answer: the fourth request finds its end.
    let unannounced = server(|stream, n| {
        let sent = stream.write_all(ANSWER).is_ok();
        sent && (n < 3 || stream.shutdown(Shutdown::Write).is_ok())
    });
    assert_eq!(counted(&run(unannounced, 4, 5).0), (16, 12, 0, 4, vec![("ECONNRESET", 4)]));
}

#[test]
fn content_until_the_close_is_an_answer() {
    let address = server(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nabc").unwrap();
        false
    });
    let (run, _) = run(address, 2, 3);
    assert_eq!(counted(&run), (6, 6, 2, 0, vec![]));
    assert_eq!(run.aggregate.counter("http.downloaded_bytes"), Some(18));
}

#[test]
fn what_is_no_answer_fails_the_user_by_its_cause() {
    let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    assert_eq!(counted(&run(refused, 3, 5).0), (3, 0, 0, 3, vec![("ECONNREFUSED", 3)]));
    let garbled = server(|stream, _| stream.write_all(b"NOT HTTP\r\n\r\n").is_ok());
    assert_eq!(counted(&run(garbled, 2, 5).0), (2, 0, 0, 2, vec![("MALFORMED_RESPONSE", 2)]));
    let truncated = server(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").unwrap();
        false
    });
    assert_eq!(counted(&run(truncated, 2, 5).0), (2, 0, 0, 2, vec![("ECONNRESET", 2)]));
    let silent = server(|_, _| true);
    assert_eq!(counted(&run(silent, 2, 5).0), (2, 0, 0, 2, vec![("ETIMEDOUT", 2)]));
}

#[test]
fn any_status_is_an_answer() {
    let address = server(|stream, n| {
        let status = if n % 2 == 0 { 404 } else { 500 };
        write!(stream, "HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n").is_ok()
    });
    let (run, _) = run(address, 2, 5);
    assert_eq!(counted(&run), (10, 10, 2, 0, vec![]));
    let of_class = |class| run.aggregate.answers_with(|status| status / 100 == class);
    assert_eq!((of_class(4), of_class(5)), (4, 6));
}

#[test]
fn the_generator_is_asked_for_users_who_arrive_over_a_second_and_follow_what_the_server_says() {
    let args = args(([127, 0, 0, 1], 1).into(), 40, 50);
    let crowd = Arc::new(Crowd::new("/simple"));
    let plan = plan(&args, &Target::parse(&args.url).unwrap(), &crowd).unwrap();
    let stream = &plan.streams[0];
    assert_eq!((stream.connections, stream.policy.requests_each), (40, Some(50)));
    assert_eq!(stream.policy.opening, Opening::Over(Duration::from_secs(1)));
    assert_eq!(stream.policy.then, Afterwards::ReopenIfAnnounced);
    assert_eq!((stream.pacing, stream.requests, plan.cpus.len()), (Pacing::Closed, None, 0));
    assert!(plan.first_byte && plan.warm_up.is_zero() && plan.window > 1_000 * plan.timeout);
}
