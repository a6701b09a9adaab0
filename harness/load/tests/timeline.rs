//! What happened when, in slices of 10 ms; and a window whose end is known only when it has come.

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::{Duration, Instant},
};

use load::{Exactly, Observer, Pacing, Plan, StopHandle, Timeline, TimelineSlice};
use rustix::net::sockopt::set_socket_linger;
use support::{Peer, Scripted, answer, plan, run_until, stream};

const ANSWER: &str = "right";

fn expected() -> Exactly {
    Exactly { status: 200, body: ANSWER.into() }
}

fn constant(server: &Scripted, per_second: f64, connections: u32) -> Plan {
    let pacing = Pacing::Constant { per_second: per_second.into() };
    let mut plan = plan(server.address, stream(server.address, pacing, connections, expected()), 0);
    // Nobody knows yet when it ends.
    plan.window = Duration::from_secs(3600);
    plan.timeline = true;
    // One that dozed would send its next request on a connection that was closed meanwhile.
    plan.reads_promptly = true;
    plan
}

fn sum(timeline: &Timeline, of: impl Fn(&TimelineSlice) -> u32) -> u64 {
    timeline.slices().map(|slice| u64::from(of(slice))).sum()
}

#[derive(Default)]
struct Started(Mutex<Option<Instant>>);

impl Observer for Started {
    fn run_starts(&self, at: Instant) {
        *self.0.lock().expect("nobody panics") = Some(at);
    }
}

#[test]
fn a_window_that_is_asked_to_close_closes_and_waits_for_what_is_under_way() {
    let stop = StopHandle::new();
    let told = stop.clone();
    let asked = Arc::new(AtomicU64::new(0));
    let counter = Arc::clone(&asked);
    let server = Scripted::start(move |peer| {
        while peer.read_request() {
            if counter.fetch_add(1, SeqCst) == 100 {
                told.close();
            }
            std::thread::sleep(Duration::from_millis(20));
            if !peer.write(answer(ANSWER).as_bytes()) {
                return;
            }
        }
    });
    let started = Started::default();
    let before = Instant::now();
    let outcome = run_until(&constant(&server, 500.0, 32), &started, &stop);
    let at = started.0.lock().unwrap().expect("it was told");
    assert!(at >= before && at <= Instant::now());
    let stream = &outcome.streams[0];
    assert!(!outcome.interrupted && outcome.window_s < 60.0, "{}", outcome.window_s);
    assert!(stream.counts.due > 100);
    assert_eq!((stream.counts.ok, stream.censored()), (stream.counts.due, 0));
    let timeline = stream.timeline.as_ref().expect("it was asked for");
    assert_eq!(timeline.slices().count() as u64, (outcome.window_s * 100.0).ceil() as u64);
    assert_eq!(sum(timeline, |slice| slice.due), stream.counts.due);
    assert_eq!(sum(timeline, |slice| slice.latency.count), stream.counts.due);
    let p99 = timeline.slices().filter_map(|slice| slice.quantile_ns(0.99)).min();
    assert!(p99.expect("times") >= 20_000_000, "an answer took 20 ms at least");
}

/// Ends the connection with a reset.
fn reset(peer: &Peer) {
    set_socket_linger(&peer.stream, Some(Duration::ZERO)).expect("an open socket");
}

#[test]
fn connections_that_are_lost_are_counted_by_how_they_were_and_no_other() {
    const RESET: u64 = 7;
    const CLOSED: u64 = 5;
    let stop = StopHandle::new();
    let told = stop.clone();
    let number = AtomicU64::new(0);
    let after = AtomicU64::new(0);
    let server = Scripted::start(move |peer| {
        let own = number.fetch_add(1, SeqCst);
        if own < CLOSED {
            // While nothing is asked: behind a whole answer that does not say so, long before the next request is due.
            peer.read_request();
            peer.write(answer(ANSWER).as_bytes());
            return;
        }
        if own < CLOSED + RESET {
            // With a request under way.
            peer.read_request();
            return reset(peer);
        }
        while peer.read_request() && peer.write(answer(ANSWER).as_bytes()) {
            if after.fetch_add(1, SeqCst) == 10 {
                told.close();
            }
        }
    });
    let outcome = run_until(&constant(&server, 20.0, 1), &(), &stop);
    let stream = &outcome.streams[0];
    let timeline = stream.timeline.as_ref().expect("it was asked for");
    assert_eq!(sum(timeline, |slice| slice.reset), RESET);
    assert_eq!(sum(timeline, |slice| slice.closed_idle), CLOSED);
    assert_eq!(sum(timeline, |slice| slice.errors.requests() as u32), RESET);
    assert_eq!((stream.errors.requests(), stream.counts.ok), (RESET, stream.counts.due - RESET));
}
