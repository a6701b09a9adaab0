//! Servers that fail in every way there is a name for. None of them ends a run, and every request is accounted for.

mod support;

use std::{
    net::{SocketAddr, TcpListener, TcpStream},
    time::Duration,
};

use load::{AnySuccess, ErrorKind, Exactly, Mismatch, OsErrors, Pacing, Rate, StreamOutcome};
use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
use support::{Peer, Scripted, answer, plan, run, stream};

/// 50 requests.
const RATE: Pacing = Pacing::Constant { per_second: Rate::Steady(500.0) };
const WINDOW_MS: u64 = 100;
const DUE: u64 = 50;

fn outcome_of(script: impl Fn(&mut Peer) + Send + Sync + 'static) -> StreamOutcome {
    let server = Scripted::start(script);
    let expected = Exactly { status: 200, body: b"right".to_vec() };
    let mut outcome = run(&plan(server.address, stream(server.address, RATE, 4, expected), WINDOW_MS));
    outcome.streams.remove(0)
}

/// Errors of the system by their names, the most frequent first.
fn named(errors: Option<&OsErrors>) -> Vec<(String, u64)> {
    errors
        .into_iter()
        .flat_map(OsErrors::iter)
        .map(|(error, count)| (error.name().into_owned(), count))
        .collect()
}

/// Every request failed, and in this way.
fn assert_all(outcome: &StreamOutcome, kind: ErrorKind) {
    assert_eq!(outcome.counts.due, DUE);
    assert_eq!(outcome.errors.iter().collect::<Vec<_>>(), [(kind, DUE)]);
    assert_eq!((outcome.counts.ok, outcome.response.len()), (0, 0));
}

#[test]
fn a_wrong_body_is_a_wrong_answer_and_the_first_is_kept() {
    let outcome = outcome_of(|peer| while peer.read_request() && peer.write(answer("wrong").as_bytes()) {});
    assert_all(&outcome, ErrorKind::WrongAnswer);
    assert_eq!(outcome.counts.completed, DUE);
    let first = outcome.first_wrong.expect("there were fifty");
    assert_eq!((first.kind, first.status, first.excerpt.as_str()), (ErrorKind::WrongAnswer, 200, "wrong"));
}

#[test]
fn an_unexpected_status_is_counted_by_its_class() {
    for (line, kind) in [
        ("HTTP/1.1 500 Oops", ErrorKind::Status5xx),
        ("HTTP/1.1 404 Not Found", ErrorKind::Status4xx),
        ("HTTP/1.1 302 Found", ErrorKind::Status3xx),
        ("HTTP/1.1 201 Created", ErrorKind::Status2xx),
        ("HTTP/1.1 999 What", ErrorKind::StatusOther),
    ] {
        let answer = format!("{line}\r\ncontent-length: 5\r\n\r\nright");
        let outcome = outcome_of(move |peer| while peer.read_request() && peer.write(answer.as_bytes()) {});
        assert_all(&outcome, kind);
        assert_eq!(outcome.connections.reopened, 0);
    }
}

#[test]
fn a_truncated_answer_was_closed_early() {
    let outcome = outcome_of(|peer| {
        if peer.read_request() {
            peer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nrig");
        }
    });
    assert_all(&outcome, ErrorKind::ClosedEarly);
}

#[test]
fn half_a_head_was_closed_early() {
    let outcome = outcome_of(|peer| {
        if peer.read_request() {
            peer.write(b"HTTP/1.1 200 OK\r\ncontent-le");
        }
    });
    assert_all(&outcome, ErrorKind::ClosedEarly);
}

#[test]
fn no_answer_at_all_was_closed_early() {
    assert_all(
        &outcome_of(|peer| {
            peer.read_request();
        }),
        ErrorKind::ClosedEarly,
    );
}

#[test]
fn a_reset_is_a_reset() {
    let outcome = outcome_of(|peer| {
        if peer.read_request() {
            // Lingering for no time makes the close a reset.
            let lingering = rustix::net::sockopt::set_socket_linger(&peer.stream, Some(Duration::ZERO));
            assert!(lingering.is_ok());
        }
    });
    assert_all(&outcome, ErrorKind::Reset);
    assert_eq!(named(outcome.causes.of(ErrorKind::Reset)), [("ECONNRESET".to_owned(), DUE)]);
}

#[test]
fn what_is_not_http_is_malformed() {
    let outcome = outcome_of(|peer| {
        if peer.read_request() {
            peer.write(b"SSH-2.0-OpenSSH\r\n");
            peer.wait_for_close();
        }
    });
    assert_all(&outcome, ErrorKind::Malformed);
}

#[test]
fn bytes_after_an_answer_are_malformed() {
    let outcome = outcome_of(|peer| {
        if peer.read_request() {
            peer.write([answer("right"), answer("right")].concat().as_bytes());
            peer.wait_for_close();
        }
    });
    assert_all(&outcome, ErrorKind::Malformed);
}

#[test]
fn an_answer_beyond_the_limits_is_too_large() {
    let server = Scripted::start(|peer| {
        if peer.read_request() {
            peer.write(answer(&"x".repeat(2_000)).as_bytes());
            peer.wait_for_close();
        }
    });
    let mut plan = plan(server.address, stream(server.address, RATE, 4, AnySuccess), WINDOW_MS);
    plan.limits.max_body_bytes = Some(1_000);
    let outcome = run(&plan);
    assert_all(&outcome.streams[0], ErrorKind::TooLarge);
    let first = outcome.streams[0].first_unreadable.as_ref().expect("there were fifty");
    assert_eq!(
        (first.kind, first.reason.as_str()),
        (ErrorKind::TooLarge, "response content of more than 1000 bytes")
    );
}

#[test]
fn an_answer_after_the_timeout_is_no_answer_even_if_nobody_had_given_it_up() {
    let timeout = Duration::from_millis(40);
    let server = Scripted::start(move |peer| {
        while peer.read_request() {
            // Just too late: before the generator next looks for requests that have taken too long.
            std::thread::sleep(timeout + Duration::from_millis(1));
            peer.write(answer("right").as_bytes());
        }
    });
    let mut plan = plan(server.address, stream(server.address, RATE, 50, AnySuccess), WINDOW_MS);
    plan.timeout = timeout;
    let outcome = run(&plan);
    let stream = &outcome.streams[0];
    assert_eq!((stream.counts.due, stream.counts.ok, stream.censored()), (DUE, 0, DUE));
    assert_eq!(stream.errors.requests(), stream.errors.of(ErrorKind::Timeout));
}

#[test]
fn a_server_that_never_answers_leaves_only_censored_requests() {
    let server = Scripted::start(|peer| {
        if peer.read_request() {
            peer.wait_for_close();
        }
    });
    let timeout = Duration::from_millis(40);
    let mut plan = plan(server.address, stream(server.address, RATE, 4, AnySuccess), WINDOW_MS);
    plan.timeout = timeout;
    let outcome = run(&plan);
    let stream = &outcome.streams[0];
    assert_eq!((stream.counts.due, stream.counts.ok, stream.censored()), (DUE, 0, DUE));
    assert!(stream.errors.of(ErrorKind::Timeout) >= 4, "{:?}", stream.errors);
    assert_eq!(stream.errors.requests(), stream.errors.of(ErrorKind::Timeout));
    // The last is due 98 ms after the start, and is given up no earlier than at the end of the drain or after
    // the timeout.
    assert!(stream.unanswered.min_ns().is_some_and(|age| age as f64 >= 0.999 * 40e6));
    assert!(stream.counts.unsent_at_end > 0);
}

#[test]
fn a_drain_that_is_limited_ends_before_requests_time_out_and_leaves_them_censored() {
    let server = Scripted::start(|peer| {
        if peer.read_request() {
            peer.wait_for_close();
        }
    });
    let mut plan = plan(server.address, stream(server.address, RATE, 4, AnySuccess), WINDOW_MS);
    // Longer than anybody would wait for this test.
    plan.timeout = Duration::from_secs(3600);
    plan.drain_within = Some(Duration::from_millis(20));
    let stream = &run(&plan).streams[0];
    assert_eq!((stream.counts.due, stream.counts.ok, stream.censored()), (DUE, 0, DUE));
    assert_eq!((stream.errors.requests(), stream.counts.in_flight_at_end), (0, 4));
}

#[test]
fn timeouts_of_a_closed_loop_are_censored_too() {
    let server = Scripted::start(|peer| {
        if peer.read_request() {
            peer.wait_for_close();
        }
    });
    let mut plan = plan(server.address, stream(server.address, Pacing::Closed, 3, AnySuccess), 200);
    plan.timeout = Duration::from_millis(50);
    let outcome = run(&plan);
    let stream = &outcome.streams[0];
    assert!(stream.counts.due >= 3 && stream.censored() == stream.counts.due, "{:?}", stream.counts);
}

#[test]
fn a_server_that_is_too_slow_is_saturated_and_stays_in_the_distribution() {
    let server = Scripted::start(|peer| {
        while peer.read_request() {
            std::thread::sleep(Duration::from_millis(20));
            peer.write(answer("right").as_bytes());
        }
    });
    let mut plan = plan(server.address, stream(server.address, RATE, 1, AnySuccess), WINDOW_MS);
    plan.timeout = Duration::from_millis(100);
    let outcome = run(&plan);
    let stream = &outcome.streams[0];
    // At most ten fit into the 200 ms until the drain ends.
    assert!(stream.counts.ok <= 10 && stream.counts.unsent_at_end >= 39, "{:?}", stream.counts);
    assert_eq!(stream.response.len() + stream.unanswered.len(), DUE);
    assert!(stream.queue_wait.max_ns() > Some(15_000_000));
}

#[test]
fn an_address_where_nobody_listens_is_unreachable_and_not_hammered() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        listener.local_addr().expect("a bound address")
    };
    let mut plan = plan(address, stream(address, RATE, 2, AnySuccess), WINDOW_MS);
    plan.warm_up = Duration::from_millis(50);
    plan.timeout = Duration::from_millis(50);
    let outcome = run(&plan);
    let stream = &outcome.streams[0];
    assert!(stream.connections.unreachable);
    assert_eq!(stream.connections.open_at_start, 0);
    assert_eq!((stream.counts.due, stream.counts.unsent_at_end), (DUE, DUE));
    // Pauses of 1, 2, 4 ... ms: at most eight attempts in 255 ms on each connection.
    assert!(stream.errors.of(ErrorKind::Connect) <= 16, "{:?}", stream.errors);
    // Those before the window are among the attempts, and not among its errors.
    let causes = named(stream.causes.of(ErrorKind::Connect));
    assert_eq!(causes, [("ECONNREFUSED".to_owned(), stream.errors.of(ErrorKind::Connect))]);
    assert_eq!(named(Some(&stream.failed_attempts))[0].0, "ECONNREFUSED");
    assert!(stream.failed_attempts.total() > stream.errors.of(ErrorKind::Connect), "{stream:?}");
    assert!(stream.connections.lost);
}

#[test]
fn a_listener_whose_queue_is_full_lets_attempts_time_out() {
    let listener = socket(AddressFamily::INET, SocketType::STREAM, None).expect("a socket");
    bind(&listener, &SocketAddr::from(([127, 0, 0, 1], 0))).expect("a free port");
    listen(&listener, 0).expect("it listens");
    let listener = TcpListener::from(listener);
    let address = listener.local_addr().expect("a bound address");
    // A queue of no length holds one; whoever comes when it is full hears nothing.
    let held: Vec<TcpStream> =
        (0..3).map_while(|_| TcpStream::connect_timeout(&address, Duration::from_millis(100)).ok()).collect();
    assert!((1..3).contains(&held.len()), "{held:?}");
    let mut plan = plan(address, stream(address, RATE, 2, AnySuccess), WINDOW_MS);
    plan.timeout = Duration::from_millis(40);
    plan.connect_within = Duration::from_millis(80);
    let outcome = run(&plan);
    let stream = &outcome.streams[0];
    assert_eq!(named(Some(&stream.failed_attempts))[0].0, "ETIMEDOUT", "{stream:?}");
    assert!(stream.connections.unreachable && stream.connections.lost);
    assert_eq!(stream.counts.unsent_at_end, DUE);
}

#[test]
fn a_server_that_goes_away_while_it_is_loaded_is_lost() {
    let server = Scripted::start(|peer| {
        for _ in 0..5 {
            if !peer.read_request() || !peer.write(answer("right").as_bytes()) {
                return;
            }
        }
        peer.stop_listening();
    });
    let mut plan = plan(server.address, stream(server.address, RATE, 1, AnySuccess), WINDOW_MS);
    plan.timeout = Duration::from_millis(100);
    let outcome = run(&plan);
    let stream = &outcome.streams[0];
    assert_eq!((stream.counts.ok, stream.connections.lost, stream.connections.unreachable), (5, true, false));
    assert_eq!(named(Some(&stream.failed_attempts))[0].0, "ECONNREFUSED", "{stream:?}");
}

#[test]
fn a_server_that_accepts_and_closes_is_not_hammered() {
    let server = Scripted::start(|_| {});
    let mut plan = plan(server.address, stream(server.address, RATE, 2, AnySuccess), WINDOW_MS);
    plan.timeout = Duration::from_millis(50);
    let outcome = run(&plan);
    let connections = outcome.streams[0].connections;
    assert!(connections.reopened <= 20, "{connections:?}");
}

#[test]
fn an_error_does_not_spoil_the_requests_after_it() {
    let server = Scripted::start(|peer| {
        for _ in 0..4 {
            if !peer.read_request() || !peer.write(answer("right").as_bytes()) {
                return;
            }
        }
        peer.read_request();
    });
    let check =
        |_: u16, body: &[u8]| if body == b"right" { Ok(()) } else { Err(Mismatch::answer("not right")) };
    let outcome = run(&plan(server.address, stream(server.address, RATE, 1, check), WINDOW_MS));
    let stream = &outcome.streams[0];
    assert_eq!((stream.counts.ok, stream.errors.of(ErrorKind::ClosedEarly)), (40, 10));
    assert_eq!(stream.errors.total(), 10);
}
