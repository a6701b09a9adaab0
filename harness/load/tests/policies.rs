//! How connections are used: how many requests each carries, how many at once, how fast, and when they are opened. What
//! the generator says it did is compared with what the server saw.

mod support;

use std::{
    io::Read,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use load::{
    Afterwards, AnySuccess, ErrorKind, Exactly, Observer, Opening, Pacing, Progress, Rate, Request,
    StopHandle, Verify,
};
use support::{Peer, Scripted, answer, plan, run, run_until, stream};

/// Longer than any run here takes that ends by itself.
const LONG_MS: u64 = 20_000;

fn right() -> Exactly {
    Exactly { status: 200, body: b"right".to_vec() }
}

/// One that notes how many requests each connection brought.
fn counting() -> (Scripted, Arc<Mutex<Vec<u64>>>) {
    let carried = Arc::new(Mutex::new(Vec::new()));
    let noted = carried.clone();
    let server = Scripted::start(move |peer| {
        let mut requests = 0;
        while peer.read_request() && peer.write(answer("right").as_bytes()) {
            requests += 1;
        }
        noted.lock().expect("no script panics").push(requests);
    });
    (server, carried)
}

#[test]
fn a_window_opens_and_closes_once_however_short_the_run_is() {
    #[derive(Default)]
    struct Edges([AtomicU64; 2]);
    impl Observer for Edges {
        fn window_opened(&self) {
            self.0[0].fetch_add(1, SeqCst);
        }
        fn window_closed(&self) {
            self.0[1].fetch_add(1, SeqCst);
        }
    }
    let server = Scripted::answering(answer("right"));
    for run in 0..200 {
        let mut stream = stream(server.address, Pacing::Closed, 1, right());
        stream.requests = Some(1);
        let edges = Edges::default();
        run_until(&plan(server.address, stream, LONG_MS), &edges, &StopHandle::new());
        assert_eq!(edges.0.map(AtomicU64::into_inner), [1, 1], "run {run}");
    }
}

#[test]
fn a_limit_on_requests_is_kept_exactly_and_ends_the_run() {
    for pacing in [Pacing::Closed, Pacing::Poisson { per_second: Rate::Steady(5_000.0) }] {
        let server = Scripted::answering(answer("right"));
        let mut stream = stream(server.address, pacing, 7, right());
        stream.requests = Some(501);
        let mut plan = plan(server.address, stream, LONG_MS);
        plan.cpus = host_cpus();
        let outcome = run(&plan);
        let counts = outcome.streams[0].counts;
        assert_eq!(
            (counts.due, counts.sent, counts.ok, server.requests()),
            (501, 501, 501, 501),
            "{pacing:?}"
        );
        assert!(!outcome.interrupted && outcome.window_s < LONG_MS as f64 / 1e3);
    }
}

/// Two threads where this host has two CPUs for them.
fn host_cpus() -> Vec<usize> {
    let allowed = rustix::thread::sched_getaffinity(None).expect("an affinity");
    (0..rustix::thread::CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).take(2).collect()
}

#[test]
fn a_connection_carries_as_many_requests_as_its_policy_says_and_no_more() {
    for each in [1, 3] {
        let (server, carried) = counting();
        let mut stream = stream(server.address, Pacing::Closed, 4, right());
        stream.policy.requests_each = Some(each);
        stream.requests = Some(60);
        let outcome = run(&plan(server.address, stream, LONG_MS));
        drop(server);
        let carried = carried.lock().expect("no script panics");
        assert_eq!(outcome.streams[0].counts.ok, 60);
        assert!(carried.iter().all(|requests| *requests <= u64::from(each)), "{carried:?}");
        assert_eq!(carried.iter().sum::<u64>(), 60);
        let full = carried.iter().filter(|requests| **requests == u64::from(each)).count() as u64;
        assert_eq!(outcome.streams[0].connections.completed, full);
        assert_eq!(outcome.streams[0].errors.total(), 0);
    }
}

#[test]
fn users_who_come_one_by_one_and_leave_are_as_many_as_planned() {
    let (server, carried) = counting();
    let mut stream = stream(server.address, Pacing::Closed, 5, right());
    stream.policy.requests_each = Some(8);
    stream.policy.then = Afterwards::Retire;
    stream.policy.opening = Opening::Over(Duration::from_millis(100));
    let mut plan = plan(server.address, stream, LONG_MS);
    plan.first_byte = true;
    let outcome = run(&plan);
    drop(server);
    let stream = &outcome.streams[0];
    assert_eq!(*carried.lock().expect("no script panics"), [8, 8, 8, 8, 8]);
    assert_eq!((stream.connections.open_at_start, stream.connections.completed), (0, 5));
    assert_eq!(stream.lifetime.as_ref().map(stats::Histogram::len), Some(5));
    assert_eq!(stream.first_byte.as_ref().map(stats::Histogram::len), Some(40));
    // The last user came after four fifths of the time.
    assert!(outcome.window_s >= 0.08, "{}", outcome.window_s);
}

/// Answers every request and closes after number `last` of a connection, with or without a word.
fn closing_after(last: u64, says_so: bool) -> (Scripted, Arc<Mutex<Vec<u64>>>) {
    let carried = Arc::new(Mutex::new(Vec::new()));
    let noted = carried.clone();
    let server = Scripted::start(move |peer| {
        let mut requests = 0;
        while requests < last && peer.read_request() {
            requests += 1;
            let close = if says_so && requests == last { "connection: close\r\n" } else { "" };
            peer.write(format!("HTTP/1.1 200 OK\r\n{close}content-length: 5\r\n\r\nright").as_bytes());
        }
        noted.lock().expect("no script panics").push(requests);
    });
    (server, carried)
}

#[test]
fn a_user_follows_an_announced_close_until_all_its_requests_are_answered() {
    // Eight requests on connections of three, and six, where the last answer announces a close that costs nothing.
    for (each, expected) in [(8, vec![2, 2, 2, 3, 3, 3, 3, 3, 3]), (6, vec![3; 6])] {
        let (server, carried) = closing_after(3, true);
        let mut stream = stream(server.address, Pacing::Closed, 3, right());
        stream.policy.requests_each = Some(each);
        stream.policy.then = Afterwards::ReopenIfAnnounced;
        let outcome = run(&plan(server.address, stream, LONG_MS));
        drop(server);
        let stream = &outcome.streams[0];
        // The server's end is a connection too.
        let mut carried: Vec<_> =
            carried.lock().expect("no script panics").iter().copied().filter(|n| *n > 0).collect();
        carried.sort_unstable();
        assert_eq!(carried, expected);
        assert_eq!((stream.counts.ok, stream.errors.total()), (3 * u64::from(each), 0));
        assert_eq!((stream.connections.completed, stream.connections.closed_by_server), (3, 6));
        assert_eq!(stream.connections.reopened, expected.len() as u64 - 3);
        assert_eq!(stream.lifetime.as_ref().map(stats::Histogram::len), Some(3));
    }
}

#[test]
fn a_user_whose_connection_closes_without_a_word_leaves() {
    let (server, carried) = closing_after(3, false);
    let mut stream = stream(server.address, Pacing::Closed, 3, right());
    stream.policy.requests_each = Some(8);
    stream.policy.then = Afterwards::ReopenIfAnnounced;
    let outcome = run(&plan(server.address, stream, LONG_MS));
    drop(server);
    let stream = &outcome.streams[0];
    let carried = carried.lock().expect("no script panics");
    assert_eq!(carried.iter().filter(|requests| **requests > 0).collect::<Vec<_>>(), [&3, &3, &3]);
    assert_eq!((stream.counts.ok, stream.connections.completed, stream.connections.reopened), (9, 0, 0));
}

#[test]
fn a_user_whose_request_fails_leaves_and_the_run_still_ends() {
    let server = Scripted::start(|peer| {
        peer.read_request();
    });
    for then in [Afterwards::Retire, Afterwards::ReopenIfAnnounced] {
        let mut stream = stream(server.address, Pacing::Closed, 3, right());
        stream.policy.requests_each = Some(8);
        stream.policy.then = then;
        let outcome = run(&plan(server.address, stream, LONG_MS));
        let stream = &outcome.streams[0];
        assert_eq!(stream.errors.iter().collect::<Vec<_>>(), [(ErrorKind::ClosedEarly, 3)]);
        assert_eq!((stream.counts.due, stream.connections.completed), (3, 0));
    }
}

/// Waits for `depth` whole requests before it answers any, so that fewer in flight would stop for ever.
fn answers_in_batches_of(depth: usize) -> Scripted {
    Scripted::start(move |peer| {
        let (mut seen, mut bytes) = (Vec::new(), [0; 4096]);
        loop {
            match peer.stream.read(&mut bytes) {
                Ok(0) | Err(_) => return,
                Ok(read) => seen.extend_from_slice(&bytes[..read]),
            }
            while heads(&seen) >= depth {
                let end = end_of_head(&seen, depth);
                seen.drain(..end);
                // Cut in the middle of an answer, so that answers do not end where reads do.
                let all = answer("right").repeat(depth);
                let (first, rest) = all.as_bytes().split_at(all.len() / 3);
                if !(peer.write(first) && peer.write(rest)) {
                    return;
                }
            }
        }
    })
}

fn heads(bytes: &[u8]) -> usize {
    bytes.windows(4).filter(|four| four == b"\r\n\r\n").count()
}

fn end_of_head(bytes: &[u8], number: usize) -> usize {
    let ends = bytes.windows(4).enumerate().filter(|(_, four)| four == b"\r\n\r\n");
    ends.map(|(start, _)| start + 4).nth(number - 1).expect("it was counted")
}

#[test]
fn as_many_requests_are_in_flight_on_a_connection_as_the_pipeline_is_deep() {
    let server = answers_in_batches_of(4);
    // One connection, since the last requests of several need not come in whole batches.
    let mut stream = stream(server.address, Pacing::Closed, 1, right());
    stream.policy.pipeline = 4;
    stream.requests = Some(240);
    let mut plan = plan(server.address, stream, LONG_MS);
    plan.timeout = Duration::from_secs(10);
    let outcome = run(&plan);
    assert_eq!((outcome.streams[0].counts.ok, outcome.streams[0].errors.total()), (240, 0));
}

#[test]
fn requests_behind_one_that_closes_the_connection_are_counted_as_failed_with_it() {
    let server = Scripted::start(|peer| {
        if peer.read_request() {
            peer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 5\r\n\r\nright");
        }
    });
    let mut stream = stream(server.address, Pacing::Closed, 1, right());
    stream.policy.pipeline = 3;
    stream.requests = Some(30);
    let outcome = run(&plan(server.address, stream, LONG_MS));
    let stream = &outcome.streams[0];
    assert_eq!(stream.counts.ok + stream.errors.requests(), 30);
    assert_eq!((stream.counts.ok, stream.errors.of(ErrorKind::ClosedEarly)), (10, 20));
}

#[test]
fn a_slow_sender_takes_its_time_over_each_request() {
    let pieces = Arc::new(AtomicU64::new(0));
    let counted = pieces.clone();
    let server = Scripted::start(move |peer| {
        let (mut head, mut bytes) = (Vec::new(), [0; 4096]);
        while let Ok(read @ 1..) = peer.stream.read(&mut bytes) {
            counted.fetch_add(1, SeqCst);
            head.extend_from_slice(&bytes[..read]);
            if head.ends_with(b"\r\n\r\n") {
                head.clear();
                peer.write(answer("right").as_bytes());
            }
        }
    });
    let mut stream = stream(server.address, Pacing::Closed, 1, right());
    let request_bytes = stream.request.bytes().len();
    stream.policy.send_bytes_per_second = Some(1_000);
    stream.requests = Some(2);
    let outcome = run(&plan(server.address, stream, LONG_MS));
    let portions = 2 * request_bytes.div_ceil(10) as u64;
    assert_eq!(outcome.streams[0].counts.ok, 2);
    assert!((portions / 2..=portions).contains(&pieces.load(SeqCst)), "{pieces:?} of {portions}");
    assert!(outcome.streams[0].service.min_ns() >= Some((request_bytes as u64 / 10 - 1) * 10_000_000));
}

#[test]
fn a_slow_reader_keeps_the_server_waiting() {
    let body = "x".repeat(2_000);
    let server = Scripted::answering(answer(&body));
    let mut stream =
        stream(server.address, Pacing::Closed, 2, Exactly { status: 200, body: body.clone().into_bytes() });
    stream.policy.read_bytes_per_second = Some(20_000);
    stream.requests = Some(4);
    let outcome = run(&plan(server.address, stream, LONG_MS));
    assert_eq!((outcome.streams[0].counts.ok, outcome.streams[0].errors.total()), (4, 0));
    // Ten portions of 200 bytes, and what the head takes.
    assert!(outcome.streams[0].service.min_ns() >= Some(90_000_000));
}

#[test]
fn streams_that_share_connections_are_sent_by_their_weights() {
    let server = Scripted::answering(answer("right"));
    let stream_of = |name: &str, weight: f64| {
        let mut one = stream(server.address, Pacing::Closed, 1, right());
        (one.name, one.weight) = (name.to_owned(), weight);
        one.request = Request::get(&format!("/{name}"), "h").expect("a valid request");
        one
    };
    let mut plan = plan(server.address, stream_of("often", 0.8), 500);
    plan.streams.push(stream_of("rarely", 0.2));
    plan.shared_connections = Some(6);
    let outcome = run(&plan);
    let (often, rarely) = (&outcome.streams[0], &outcome.streams[1]);
    let all = often.counts.sent + rarely.counts.sent;
    let expected = all as f64 * 0.8;
    // Six standard deviations of a binomial.
    let tolerance = 6.0 * (all as f64 * 0.8 * 0.2).sqrt();
    assert!((often.counts.sent as f64 - expected).abs() < tolerance, "{} of {all}", often.counts.sent);
    assert_eq!((often.connections.planned, rarely.connections.planned), (6, 0));
    assert_eq!(often.errors.total() + rarely.errors.total(), 0);
}

#[test]
fn a_mix_of_heads_and_gets_on_shared_connections_is_parsed_rightly() {
    let server = Scripted::start(|peer: &mut Peer| {
        let mut bytes = [0; 4096];
        while let Ok(read @ 1..) = peer.stream.read(&mut bytes) {
            let whole = answer("right");
            let length = if bytes.starts_with(b"HEAD") { whole.len() - 5 } else { whole.len() };
            assert!(bytes[..read].ends_with(b"\r\n\r\n"));
            if !peer.write(&whole.as_bytes()[..length]) {
                return;
            }
        }
    });
    let get = stream(server.address, Pacing::Closed, 1, right());
    let mut head = stream(server.address, Pacing::Closed, 1, AnySuccess);
    head.request = Request::new("HEAD", "/", "h", &[], b"").expect("a valid request");
    let mut plan = plan(server.address, get, 200);
    plan.streams.push(head);
    plan.shared_connections = Some(3);
    let outcome = run(&plan);
    assert!(outcome.streams.iter().all(|stream| stream.errors.total() == 0 && stream.counts.ok > 0));
}

#[test]
fn only_the_sample_is_compared_but_every_status_counts() {
    let server = Scripted::answering(answer("wrong"));
    for (verify, compared) in [(Verify::All, 100), (Verify::Sample { every: 10 }, 10), (Verify::None, 0)] {
        let mut stream = stream(server.address, Pacing::Closed, 1, right());
        stream.verify = verify;
        stream.requests = Some(100);
        let outcome = run(&plan(server.address, stream, LONG_MS));
        let stream = &outcome.streams[0];
        assert_eq!((stream.counts.completed, stream.counts.compared), (100, compared));
        assert_eq!(stream.errors.of(ErrorKind::WrongAnswer), compared);
        assert_eq!(stream.statuses.iter().collect::<Vec<_>>(), [(200, 100)]);
    }
    let server = Scripted::answering("HTTP/1.1 503 No\r\ncontent-length: 5\r\n\r\nright");
    let mut stream = stream(server.address, Pacing::Closed, 1, right());
    stream.verify = Verify::None;
    stream.requests = Some(10);
    let outcome = run(&plan(server.address, stream, LONG_MS));
    assert_eq!(outcome.streams[0].errors.of(ErrorKind::Status5xx), 10);
    let unexpected: Vec<_> = outcome.streams[0].unexpected.iter().collect();
    assert_eq!((unexpected.len(), unexpected[0].service.len()), (1, 10));
}

/// Notes what it is told, and stops the run when so much of it has happened lately.
struct Seen {
    told: Mutex<Vec<Progress>>,
    enough: usize,
    stop: StopHandle,
}

impl Observer for Seen {
    fn progress(&self, progress: &Progress) {
        let mut told = self.told.lock().expect("no panic");
        told.extend(progress.lately.is_some().then_some(*progress));
        if told.len() >= self.enough {
            self.stop.stop();
        }
    }
}

#[test]
fn the_live_view_counts_everything_once() {
    let server = Scripted::answering(answer("right"));
    let pacing = Pacing::Constant { per_second: Rate::Steady(1_000.0) };
    let mut plan = plan(server.address, stream(server.address, pacing, 8, right()), LONG_MS);
    (plan.live, plan.progress_every) = (true, Duration::from_millis(50));
    let seen = Seen { told: Mutex::default(), enough: 4, stop: StopHandle::new() };
    let outcome = run_until(&plan, &seen, &seen.stop);
    let told = seen.told.into_inner().expect("no panic");
    let lately: Vec<_> = told.iter().filter_map(|one| one.lately).collect();
    assert!(outcome.interrupted && lately.len() >= 4, "{told:?}");
    assert!(lately.iter().map(|one| one.ok).sum::<u64>() <= outcome.streams[0].counts.ok);
    assert!(lately.iter().all(|one| one.p50_ns <= one.p99_ns));
    assert!(lately.iter().any(|one| one.lag_p99_ns.is_some()), "an open loop has a lag");
    assert!(lately.iter().all(|one| one.p50_ns < 60_000_000_000));
}
