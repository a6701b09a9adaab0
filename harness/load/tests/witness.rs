//! What a witness is told of connections is what the server did to them.

mod support;

use std::{
    net::{Shutdown, TcpListener},
    sync::{
        Arc, Mutex,
        mpsc::{Receiver, channel},
    },
    time::{Duration, SystemTime},
};

use load::{
    Afterwards, AnySuccess, End, ErrorKind, Event, Opening, Outcome, Pacing, Plan, WholeAnswer, Witness,
};
use rustix::io::Errno;
use support::{Peer, Scripted, answer, plan, run, stream};

/// Longer than any run here takes that ends by itself.
const LONG_MS: u64 = 20_000;

/// Keeps all that it is told.
#[derive(Default)]
struct Notes {
    starts: Mutex<Vec<SystemTime>>,
    events: Mutex<Vec<(u32, u64, Event)>>,
}

impl Witness for Notes {
    fn run_starts(&self, at: SystemTime) {
        self.starts.lock().expect("no panic").push(at);
    }

    fn happened(&self, connection: u32, at_ns: u64, event: Event) {
        self.events.lock().expect("no panic").push((connection, at_ns, event));
    }
}

impl Notes {
    fn of(&self, connection: u32) -> Vec<(u64, Event)> {
        let events = self.events.lock().expect("no panic");
        let own = events.iter().filter(|(number, _, _)| *number == connection);
        own.map(|(_, at_ns, event)| (*at_ns, *event)).collect()
    }
}

fn witnessed(mut plan: Plan) -> (Outcome, Arc<Notes>) {
    let notes = Arc::new(Notes::default());
    plan.witness = Some(notes.clone());
    (run(&plan), notes)
}

/// Users who send `each` requests and follow an announced close.
fn users(server: &Scripted, count: u32, each: u32) -> Plan {
    let mut stream = stream(server.address, Pacing::Closed, count, AnySuccess);
    stream.policy.requests_each = Some(each);
    stream.policy.then = Afterwards::ReopenIfAnnounced;
    stream.policy.opening = Opening::Over(Duration::from_millis(50));
    let mut plan = plan(server.address, stream, LONG_MS);
    plan.first_byte = true;
    plan
}

/// The story of a single user with `each` requests, without instants.
fn story(each: u32, script: impl Fn(&mut Peer) + Send + Sync + 'static) -> Vec<Event> {
    let server = Scripted::start(script);
    let mut plan = users(&server, 1, each);
    plan.timeout = Duration::from_millis(500);
    let (_, notes) = witnessed(plan);
    notes.of(0).into_iter().map(|(_, event)| event).collect()
}

/// The same, where an answer is only its status.
#[derive(Debug, PartialEq)]
enum Told {
    Answered(u16),
    Other(Event),
}

fn told(events: Vec<Event>) -> Vec<Told> {
    let told = |event| match event {
        Event::Answered(WholeAnswer { status, .. }) => Told::Answered(status),
        other => Told::Other(other),
    };
    events.into_iter().map(told).collect()
}

#[test]
fn a_users_story_is_told_from_its_first_handshake_to_its_last_answer() {
    let closing = "HTTP/1.1 404 No\r\nconnection: close\r\ncontent-length: 4\r\n\r\ngone";
    let server = Scripted::start(move |peer| {
        if peer.read_request() && peer.write(answer("right").as_bytes()) && peer.read_request() {
            peer.write(closing.as_bytes());
        }
    });
    let (outcome, notes) = witnessed(users(&server, 2, 3));
    let whole = [(200, answer("right").len() - 5, 5, true), (404, closing.len() - 4, 4, false)];
    for connection in 0..2 {
        let events = notes.of(connection);
        assert!(events.is_sorted_by_key(|(at_ns, _)| *at_ns), "{events:?}");
        let mut answers = Vec::new();
        for (at_ns, event) in &events {
            if let Event::Answered(answer) = event {
                let first_byte_ns = answer.first_byte_ns.expect("the plan asks for it");
                assert!(answer.sent_ns <= first_byte_ns && first_byte_ns <= *at_ns, "{answer:?}");
                let sizes = (answer.head_bytes as usize, answer.content_bytes as usize);
                answers.push((answer.status, sizes.0, sizes.1, answer.keep_alive));
            }
        }
        assert_eq!(answers, [whole[0], whole[1], whole[0]]);
        let expected = [
            Told::Other(Event::Opening),
            Told::Other(Event::Open),
            Told::Other(Event::Sent),
            Told::Answered(200),
            Told::Other(Event::Sent),
            Told::Answered(404),
            Told::Other(Event::Ended(End::Announced)),
            Told::Other(Event::Opening),
            Told::Other(Event::Open),
            Told::Other(Event::Sent),
            Told::Answered(200),
            Told::Other(Event::Ended(End::Completed)),
            Told::Other(Event::Retired),
        ];
        let share_ns = u64::from(connection) * 25_000_000;
        assert!(events[0].0 >= share_ns, "user {connection} came {} ns after the start", events[0].0);
        assert_eq!(told(events.into_iter().map(|(_, event)| event).collect()), expected);
    }
    assert_eq!((outcome.streams[0].counts.completed, outcome.streams[0].connections.completed), (6, 2));
}

#[test]
fn content_in_pieces_is_as_long_as_it_is_whole() {
    let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let events = story(1, move |peer| {
        if peer.read_request() {
            let interim = "HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n";
            [interim, head, "5\r\nhello\r\n", "6\r\n world\r\n0\r\n\r\n"]
                .iter()
                .all(|piece| peer.write(piece.as_bytes()));
            peer.wait_for_close();
        }
    });
    let Some(Event::Answered(whole)) = events.get(3) else { panic!("{events:?}") };
    assert_eq!((whole.head_bytes, whole.content_bytes), (head.len() as u64, 11));
}

/// What follows the first request, when it fails.
fn failure(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> (ErrorKind, Option<i32>) {
    let events = story(5, script);
    match events[..] {
        [
            Event::Opening,
            Event::Open,
            Event::Sent,
            Event::Failed { kind, os_error },
            Event::Ended(End::Failed),
            Event::Retired,
        ] => (kind, os_error),
        _ => panic!("{events:?}"),
    }
}

#[test]
fn a_request_without_an_answer_is_told_with_its_cause() {
    let reset = failure(|peer| {
        peer.read_request();
        rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO)).expect("a socket");
    });
    assert_eq!(reset, (ErrorKind::Reset, Some(Errno::CONNRESET.raw_os_error())));
    let truncated = failure(|peer| {
        peer.read_request();
        peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc");
    });
    assert_eq!(truncated, (ErrorKind::ClosedEarly, None));
    let garbled = failure(|peer| {
        peer.read_request();
        peer.write(b"NOT HTTP\r\n\r\n");
        peer.wait_for_close();
    });
    assert_eq!(garbled, (ErrorKind::Malformed, None));
    let silent = failure(|peer| {
        peer.read_request();
        peer.wait_for_close();
    });
    assert_eq!(silent, (ErrorKind::Timeout, None));
}

/// Holds the engine when the second connection is opened, until the server has closed the first.
struct Holding {
    closed: Mutex<Receiver<()>>,
    notes: Notes,
}

impl Witness for Holding {
    fn happened(&self, connection: u32, at_ns: u64, event: Event) {
        if (connection, event) == (1, Event::Opening) {
            let closed = self.closed.lock().expect("no panic");
            closed.recv_timeout(Duration::from_secs(20)).expect("the first was accepted and closed");
        }
        self.notes.happened(connection, at_ns, event);
    }
}

#[test]
fn a_close_that_is_seen_together_with_the_handshakes_end_is_not_overlooked() {
    let (told, closed) = channel();
    let server = Scripted::start(move |peer| {
        // Goes on reading, so that nothing else will ever come.
        peer.stream.shutdown(Shutdown::Write).expect("an open socket");
        // The test may have ended.
        let _ = told.send(());
        peer.wait_for_close();
    });
    let mut plan = users(&server, 2, 5);
    plan.streams[0].policy.opening = Opening::Over(Duration::from_nanos(1));
    let witness = Arc::new(Holding { closed: Mutex::new(closed), notes: Notes::default() });
    plan.witness = Some(witness.clone());
    let outcome = run(&plan);
    let failed = Event::Failed { kind: ErrorKind::ClosedEarly, os_error: None };
    let first: Vec<_> = witness.notes.of(0).into_iter().map(|(_, event)| event).collect();
    let ended = Event::Ended(End::Failed);
    assert_eq!(first, [Event::Opening, Event::Open, Event::Sent, failed, ended, Event::Retired]);
    assert_eq!(outcome.streams[0].errors.iter().collect::<Vec<_>>(), [(ErrorKind::ClosedEarly, 2)]);
}

#[test]
fn a_refused_connection_is_told_with_the_systems_error() {
    let refusing = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = refusing.expect("a free port");
    let mut stream = stream(address, Pacing::Closed, 1, AnySuccess);
    stream.policy.then = Afterwards::ReopenIfAnnounced;
    stream.policy.opening = Opening::Over(Duration::from_millis(1));
    let (outcome, notes) = witnessed(plan(address, stream, LONG_MS));
    let os_error = Errno::CONNREFUSED.raw_os_error();
    let events: Vec<_> = notes.of(0).into_iter().map(|(_, event)| event).collect();
    assert_eq!(events, [Event::Opening, Event::OpenFailed { os_error }, Event::Retired]);
    assert_eq!(outcome.streams[0].errors.of(ErrorKind::Connect), 1);
}

#[test]
fn connections_are_numbered_over_all_streams_and_threads() {
    let server = Scripted::answering(answer("right"));
    let allowed = rustix::thread::sched_getaffinity(None).expect("an affinity");
    let cpus = (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).take(2);
    let mut plan = users(&server, 3, 2);
    plan.cpus = cpus.collect();
    plan.streams.push(plan.streams[0].clone());
    plan.streams[1].connections = 4;
    let before = SystemTime::now();
    let (outcome, notes) = witnessed(plan);
    for connection in 0..7 {
        let answers = notes.of(connection).iter().filter(|(_, e)| matches!(e, Event::Answered(_))).count();
        assert_eq!(answers, 2, "connection {connection}");
    }
    assert!(notes.of(7).is_empty());
    assert_eq!(outcome.streams.iter().map(|stream| stream.connections.completed).sum::<u64>(), 7);
    let starts = notes.starts.lock().expect("no panic");
    assert!(starts.len() == 1 && starts[0] >= before, "{starts:?}");
}
