//! Content of every length and framing is judged while it comes: nothing of it bounds an answer, and no answer bounds others.

mod support;

use std::{sync::mpsc::channel, thread, time::Duration};

use load::{
    AnySuccess, ErrorKind, Exactly, Observer, Outcome, Pacing, Plan, Progress, Rate, StopHandle, Verify,
};
use support::{Peer, Scripted, answer, plan, run, run_until, stream};

/// No run here takes longer.
const PATIENCE: Duration = Duration::from_secs(60);

const MIB: usize = 1024 * 1024;

/// Long content that does not repeat within a read.
fn long(bytes: usize) -> Vec<u8> {
    (0..bytes).map(|index| (index % 65_521 % 251) as u8).collect()
}

/// Answers with the content that `frame` puts between heads, sizes and ends.
fn served(content: &[u8], framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Length => {
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", content.len());
            [head.as_bytes(), content].concat()
        }
        Framing::Chunked => {
            let mut bytes =
                b"HTTP/1.1 200 OK\r\nx: folded\r\n \r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
            for chunk in content.chunks(100_003) {
                bytes.extend(format!("{:x} ;x\r\n", chunk.len()).bytes());
                bytes.extend_from_slice(chunk);
                bytes.extend_from_slice(b"\r\n");
            }
            bytes.extend_from_slice(b"0\r\n\r\n");
            bytes
        }
        Framing::Close => [b"HTTP/1.1 200 OK\r\n\r\n", content].concat(),
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Framing {
    Length,
    Chunked,
    Close,
}

fn serving(bytes: Vec<u8>, framing: Framing) -> Scripted {
    Scripted::start(
        move |peer| {
            while peer.read_request() && peer.write(&bytes) && framing != Framing::Close {}
        },
    )
}

#[test]
fn long_answers_are_compared_to_their_last_byte_in_every_framing() {
    let right = long(20 * MIB);
    let mut wrong = right.clone();
    *wrong.last_mut().expect("it has a last byte") ^= 1;
    for framing in [Framing::Length, Framing::Chunked, Framing::Close] {
        for (content, is_right) in [(&right, true), (&wrong, false)] {
            let server = serving(served(content, framing), framing);
            let expected = Exactly { status: 200, body: right.clone() };
            let mut plan = plan(server.address, stream(server.address, Pacing::Closed, 2, expected), 60_000);
            plan.streams[0].requests = Some(4);
            plan.timeout = PATIENCE;
            let stream = &run(&plan).streams[0];
            let wrong = stream.errors.of(ErrorKind::WrongAnswer);
            let counted = if is_right { (4, 0) } else { (0, 4) };
            assert_eq!(
                (stream.counts.ok, wrong, stream.counts.compared),
                (counted.0, counted.1, 4),
                "{framing:?}"
            );
            let excerpt = stream.first_wrong.as_ref().map(|first| first.excerpt.chars().count());
            assert_eq!(excerpt.is_some(), !is_right);
        }
    }
}

#[test]
fn long_answers_that_are_not_compared_are_right_by_their_status() {
    let server = serving(served(&long(20 * MIB), Framing::Chunked), Framing::Chunked);
    let expected = Exactly { status: 200, body: b"other".to_vec() };
    let mut plan = plan(server.address, stream(server.address, Pacing::Closed, 1, expected), 60_000);
    plan.streams[0].requests = Some(6);
    plan.streams[0].verify = Verify::Sample { every: 3 };
    let stream = &run(&plan).streams[0];
    assert_eq!(
        (stream.counts.ok, stream.errors.of(ErrorKind::WrongAnswer), stream.counts.compared),
        (4, 2, 2)
    );
}

/// Stops the run when progress has been told so often.
struct StopsAfter {
    stop: StopHandle,
    times: std::cell::Cell<u32>,
}

impl Observer for StopsAfter {
    fn progress(&self, _progress: &Progress) {
        let left = self.times.get().saturating_sub(1);
        self.times.set(left);
        if left == 0 {
            self.stop.stop();
        }
    }
}

/// Runs the plan until it is stopped, and fails where that does not end it.
fn stopped_after(mut plan: Plan, times: u32) -> Outcome {
    plan.progress_every = Duration::from_millis(100);
    let (sender, outcome) = channel();
    thread::spawn(move || {
        let stop = StopHandle::new();
        let observer = StopsAfter { stop: stop.clone(), times: times.into() };
        // Whoever waits for it may have given up.
        let _ = sender.send(run_until(&plan, &observer, &stop));
    });
    outcome.recv_timeout(PATIENCE).expect("it hears the stop")
}

/// Writes content for as long as somebody reads it.
fn endless(peer: &mut Peer) {
    if peer.read_request() && peer.write(b"HTTP/1.1 200 OK\r\n\r\n") {
        while peer.write(&[b'x'; 256 * 1024]) {}
    }
}

#[test]
fn an_answer_without_an_end_keeps_neither_others_nor_a_stop_waiting() {
    let flood = Scripted::start(endless);
    let server = Scripted::answering(answer("hello"));
    let rate = Pacing::Constant { per_second: 100.0.into() };
    let mut plan = plan(flood.address, stream(flood.address, Pacing::Closed, 1, AnySuccess), 600_000);
    plan.timeout = Duration::from_secs(600);
    let outcome = stopped_after(plan.clone(), 3);
    assert!(outcome.interrupted);
    assert_eq!((outcome.streams[0].counts.ok, outcome.streams[0].counts.in_flight_at_end), (0, 1));

    // One server for both, since a plan has one target.
    drop((flood, server));
    let both = Scripted::start(|peer| {
        let mut head = [0; 12];
        if matches!(peer.stream.peek(&mut head), Ok(12)) && head.starts_with(b"GET /endless") {
            return endless(peer);
        }
        while peer.read_request() && peer.write(answer("hello").as_bytes()) {}
    });
    let mut flooded = stream(both.address, Pacing::Closed, 1, AnySuccess);
    flooded.request = load::Request::get("/endless", "h").expect("a valid request");
    plan.target = both.address;
    plan.streams = vec![flooded, stream(both.address, rate, 2, AnySuccess)];
    let outcome = stopped_after(plan, 5);
    let [flooded, other] = &outcome.streams[..] else { panic!("two streams") };
    assert_eq!((flooded.counts.ok, flooded.errors.total()), (0, 0));
    assert!(other.counts.ok > 0 && other.errors.total() == 0, "{:?}", other.counts);
}

#[test]
fn an_answer_without_an_end_times_out() {
    let flood = Scripted::start(endless);
    let mut plan = plan(flood.address, stream(flood.address, Pacing::Closed, 1, AnySuccess), 300);
    plan.timeout = Duration::from_millis(100);
    let stream = &run(&plan).streams[0];
    assert!(stream.errors.of(ErrorKind::Timeout) >= 2, "{:?}", stream.errors);
    assert_eq!(stream.counts.ok, 0);
}

#[test]
fn the_highest_rate_is_counted_and_hears_a_stop() {
    let server = Scripted::answering(answer("hello"));
    for pacing in [
        Pacing::Poisson { per_second: Rate::MOST_PER_SECOND.into() },
        Pacing::Constant { per_second: Rate::MOST_PER_SECOND.into() },
    ] {
        let plan = plan(server.address, stream(server.address, pacing, 2, AnySuccess), 600_000);
        let outcome = stopped_after(plan, 4);
        let counts = outcome.streams[0].counts;
        assert!(outcome.interrupted && counts.ok > 0 && counts.unsent_at_end > 1_000_000, "{counts:?}");
    }
}

#[test]
fn the_lowest_rate_ends_with_its_window() {
    let server = Scripted::answering(answer("hello"));
    for pacing in [
        Pacing::Poisson { per_second: Rate::LEAST_PER_SECOND.into() },
        Pacing::Constant { per_second: Rate::LEAST_PER_SECOND.into() },
    ] {
        let outcome = run(&plan(server.address, stream(server.address, pacing, 2, AnySuccess), 100));
        assert!(!outcome.interrupted && outcome.streams[0].counts.due <= 1);
    }
}
