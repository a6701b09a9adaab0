//! When answers were received, beside servers that note their own clock before and after each write.

mod support;

use std::{
    io::Read,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, SystemTime},
};

use load::{
    AnySuccess, ErrorKind, Event, Outcome, Pacing, Plan, Rate, ReadBecause, ReceivedBy, StreamOutcome,
    WholeAnswer, Witness,
};
use support::{Peer, Scripted, answer, plan, run, stream};

/// Keeps all that it is told, with the run's start.
#[derive(Default)]
struct Notes {
    start: Mutex<Option<SystemTime>>,
    /// By connection: when answers were received.
    answers: Mutex<Vec<(u32, u64)>>,
}

impl Witness for Notes {
    fn run_starts(&self, at: SystemTime) {
        *self.start.lock().expect("no panic") = Some(at);
    }

    fn happened(&self, connection: u32, at_ns: u64, event: Event) {
        if let Event::Answered(WholeAnswer { status: 200, .. }) = event {
            self.answers.lock().expect("no panic").push((connection, at_ns));
        }
    }
}

impl Notes {
    /// When a connection's answers were received, in their order.
    fn received(&self, connection: u32) -> Vec<SystemTime> {
        let start = self.start.lock().expect("no panic").expect("the run has started");
        let answers = self.answers.lock().expect("no panic");
        let own = answers.iter().filter(|(number, _)| *number == connection);
        own.map(|(_, at_ns)| start + Duration::from_nanos(*at_ns)).collect()
    }
}

/// The server's clock before and after the write that completed an answer.
type Written = (SystemTime, SystemTime);

/// What a server wrote, by connection in the order in which they were accepted.
type Log = Arc<Mutex<Vec<Vec<Written>>>>;

/// A server whose every answer is written by `write`, which returns the clock before and after its last write.
fn noting(write: impl Fn(&mut Peer) -> Option<Written> + Send + Sync + 'static) -> (Scripted, Log) {
    let log = Log::default();
    let kept = log.clone();
    let server = Scripted::start(move |peer| {
        let mut own = Vec::new();
        while peer.read_request() {
            own.extend(write(peer));
        }
        kept.lock().unwrap_or_else(PoisonError::into_inner).push(own);
    });
    (server, log)
}

/// Writes, and notes the clock before and after.
fn noted(peer: &mut Peer, bytes: &[u8]) -> Option<Written> {
    let before = SystemTime::now();
    let written = peer.write(bytes);
    written.then(|| (before, SystemTime::now()))
}

/// Runs a plan until nothing is in flight; returns the part of the answers that were received between the server's clock
/// before and after its write, and how many there were.
fn share_between(plan: &Plan, server: Scripted, log: &Log) -> (f64, usize, Outcome) {
    let notes = Arc::new(Notes::default());
    let mut plan = plan.clone();
    plan.witness = Some(notes.clone());
    let outcome = run(&plan);
    drop(server);
    let log = log.lock().expect("no panic");
    let logs: usize = log.iter().map(Vec::len).sum();
    // Threads of the server end in any order; a connection's answers lie in one of its logs, and in no other.
    let mut between = 0;
    let mut all = 0;
    for connection in 0..plan.streams[0].connections {
        let received = notes.received(connection);
        let fits = |written: &Vec<Written>| {
            let pairs = received.iter().zip(written);
            pairs.filter(|(at, (before, after))| (before..=after).contains(at)).count()
        };
        between += log.iter().map(fits).max().unwrap_or(0);
        all += received.len();
    }
    assert_eq!(all, logs, "as many answers were read as were written");
    (between as f64 / all as f64, all, outcome)
}

fn assert_stamped(stream: &StreamOutcome) {
    let clocked = stream.clocked;
    assert_eq!(clocked.received_by, ReceivedBy::Stamp);
    assert_eq!((clocked.by_stamp, clocked.by_read), (stream.counts.completed, 0), "{clocked:?}");
}

/// Ends after so many requests, so that both sides have seen the same.
fn counted(server: &Scripted, pacing: Pacing, connections: u32, requests: u64) -> Plan {
    let mut stream = stream(server.address, pacing, connections, AnySuccess);
    stream.requests = Some(requests);
    plan(server.address, stream, 60_000)
}

/// The part that is asked for.
const NEARLY_ALL: f64 = 0.999;

#[test]
fn whole_answers_are_received_while_they_are_written() {
    let whole = answer("right");
    let (server, log) = noting(move |peer| noted(peer, whole.as_bytes()));
    let plan = counted(&server, Pacing::Closed, 4, 4_000);
    let (share, all, outcome) = share_between(&plan, server, &log);
    assert!(all == 4_000 && share >= NEARLY_ALL, "{share} of {all}");
    assert_stamped(&outcome.streams[0]);
    assert!(!outcome.clock_was_set(), "{:?}", outcome.clock_step_ns);
}

#[test]
fn split_answers_are_received_while_their_last_piece_is_written() {
    let whole = answer(&"x".repeat(300));
    let (server, log) = noting(move |peer| {
        let (first, rest) = whole.as_bytes().split_at(100);
        let (second, last) = rest.split_at(100);
        // What is read in one piece and what in three is left to chance.
        (peer.write(first) && peer.write(second)).then(thread::yield_now);
        noted(peer, last)
    });
    let plan = counted(&server, Pacing::Closed, 4, 4_000);
    let (share, all, outcome) = share_between(&plan, server, &log);
    assert!(all == 4_000 && share >= NEARLY_ALL, "{share} of {all}");
    assert_stamped(&outcome.streams[0]);
}

#[test]
fn answers_that_lie_unread_in_pieces_are_received_while_the_last_is_written() {
    // An open loop reads when the next request is due: two pieces that came long before are one by then.
    let whole = answer("in two pieces");
    let (server, log) = noting(move |peer| {
        let (first, last) = whole.as_bytes().split_at(20);
        peer.write(first).then(|| noted(peer, last))?
    });
    let pacing = Pacing::Constant { per_second: Rate::Steady(4_000.0) };
    let mut plan = counted(&server, pacing, 8, 1);
    plan.streams[0].requests = None;
    plan.window = Duration::from_millis(1_000);
    let (share, all, outcome) = share_between(&plan, server, &log);
    assert!(all == 4_000 && share >= NEARLY_ALL, "{share} of {all}");
    assert_stamped(&outcome.streams[0]);
    let (thread, stream) = (&outcome.threads[0], &outcome.streams[0]);
    // Fewer reads than pieces, and hardly more than answers: what was unread was read at once.
    assert!(thread.dozes > 0 && thread.reads < stream.counts.ok + stream.counts.ok / 2, "{thread:?}");
}

/// Holds the engine when the run's second request is sent, until the first has been answered and for 100 ms more.
struct Sleeper {
    written: Mutex<Receiver<()>>,
    /// The connections of the requests so far.
    asked: Mutex<Vec<u32>>,
    notes: Notes,
}

impl Sleeper {
    fn until(written: Receiver<()>) -> Arc<Self> {
        Arc::new(Self { written: Mutex::new(written), asked: Mutex::default(), notes: Notes::default() })
    }

    fn first_asked(&self) -> u32 {
        self.asked.lock().expect("no panic")[0]
    }
}

/// How long the reader sleeps.
const SLEEP: Duration = Duration::from_millis(100);

impl Witness for Sleeper {
    fn run_starts(&self, at: SystemTime) {
        self.notes.run_starts(at);
    }

    fn happened(&self, connection: u32, at_ns: u64, event: Event) {
        let mut asked = self.asked.lock().expect("no panic");
        asked.extend((event == Event::Sent).then_some(connection));
        if event == Event::Sent && asked.len() == 2 {
            let written = self.written.lock().expect("no panic");
            written.recv_timeout(Duration::from_secs(20)).expect("the first request was answered");
            thread::sleep(SLEEP);
        }
        self.notes.happened(connection, at_ns, event);
    }
}

/// Two connections that are asked once each; the first is read 100 ms after it was answered.
fn read_by_a_sleeper(stamps: bool) -> (Written, SystemTime, Outcome) {
    let (told, written): (Sender<()>, _) = channel();
    let whole = answer("right");
    let (server, log) = noting(move |peer| {
        let clock = noted(peer, whole.as_bytes());
        // Nobody listens any more when the second is answered.
        let _ = told.send(());
        clock
    });
    let mut plan = counted(&server, Pacing::Closed, 2, 2);
    let sleeper = Sleeper::until(written);
    plan.stamps = stamps;
    plan.witness = Some(sleeper.clone());
    let outcome = run(&plan);
    drop(server);
    let mut log: Vec<Written> = log.lock().expect("no panic").concat();
    log.sort_unstable();
    (log[0], sleeper.notes.received(sleeper.first_asked())[0], outcome)
}

#[test]
fn a_reader_that_sleeps_still_learns_when_the_answer_came() {
    let ((before, after), received, outcome) = read_by_a_sleeper(true);
    assert!((before..=after).contains(&received), "{before:?} {received:?} {after:?}");
    assert_stamped(&outcome.streams[0]);
}

#[test]
fn without_stamps_a_sleeper_takes_its_sleep_for_the_servers_and_the_outcome_says_by_what_it_timed() {
    let ((_, after), received, outcome) = read_by_a_sleeper(false);
    assert!(received >= after + SLEEP, "{after:?} {received:?}");
    let clocked = outcome.streams[0].clocked;
    assert_eq!(clocked.received_by, ReceivedBy::Read(ReadBecause::NotAsked));
    assert_eq!((clocked.by_stamp, clocked.by_read, outcome.clock_step_ns), (0, 2, None));
}

#[test]
fn an_end_has_no_stamp_and_is_counted_as_read() {
    let server = Scripted::start(|peer| {
        if peer.read_request() {
            peer.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end");
        }
    });
    let outcome = run(&counted(&server, Pacing::Closed, 2, 40));
    let clocked = outcome.streams[0].clocked;
    assert_eq!(clocked.received_by, ReceivedBy::Stamp);
    assert_eq!((clocked.by_stamp, clocked.by_read, clocked.ended), (0, 40, 40), "{clocked:?}");
}

#[test]
fn an_answer_with_a_length_is_stamped_even_if_the_server_closes_after_it() {
    let server = Scripted::start(|peer| {
        if peer.read_request() {
            peer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let outcome = run(&counted(&server, Pacing::Closed, 2, 40));
    assert_stamped(&outcome.streams[0]);
}

#[test]
fn what_shares_stamps_or_reads_slowly_on_purpose_falls_back_and_says_why() {
    // Answers as many as were asked at once.
    let server = Scripted::start(|peer| {
        let mut bytes = [0; 4096];
        let mut head = Vec::new();
        while let Ok(read @ 1..) = peer.stream.read(&mut bytes) {
            for byte in &bytes[..read] {
                head.push(*byte);
                if head.ends_with(b"\r\n\r\n") {
                    head.clear();
                    peer.write(answer("right").as_bytes());
                }
            }
        }
    });
    let because = |change: fn(&mut Plan)| {
        let mut plan = counted(&server, Pacing::Closed, 2, 100);
        change(&mut plan);
        let outcome = run(&plan);
        let clocked = outcome.streams[0].clocked;
        assert_eq!((clocked.by_stamp, clocked.by_read), (0, 100), "{clocked:?}");
        clocked.received_by
    };
    let pipelined = because(|plan| plan.streams[0].policy.pipeline = 4);
    assert_eq!(pipelined, ReceivedBy::Read(ReadBecause::Pipelining));
    assert_eq!(because(|plan| plan.first_byte = true), ReceivedBy::Read(ReadBecause::FirstByte));
    let slow = because(|plan| plan.streams[0].policy.read_bytes_per_second = Some(100_000));
    assert_eq!(slow, ReceivedBy::Read(ReadBecause::SlowReader));
}

#[test]
fn an_answer_that_came_in_time_and_is_read_after_the_deadline_is_an_answer() {
    // The engine is held for longer than a request may take, while the answer lies unread.
    let (told, written): (Sender<()>, _) = channel();
    let server = Scripted::start(move |peer| {
        while peer.read_request() && peer.write(answer("right").as_bytes()) {
            let _ = told.send(());
        }
    });
    let mut plan = counted(&server, Pacing::Closed, 2, 2);
    plan.timeout = SLEEP / 2;
    plan.witness = Some(Sleeper::until(written));
    let outcome = run(&plan);
    let stream = &outcome.streams[0];
    // The second was held back after the clock had been read for it, and is late in any case.
    assert_eq!((stream.counts.ok, stream.errors.of(ErrorKind::Timeout)), (1, 1), "{:?}", stream.errors);
}

#[test]
fn an_open_loop_reads_before_it_says_that_no_connection_is_free() {
    // One connection, and answers that come long before the next request is due.
    let server = Scripted::answering(answer("right"));
    let pacing = Pacing::Constant { per_second: Rate::Steady(200.0) };
    let mut plan = counted(&server, pacing, 1, 1);
    plan.streams[0].requests = None;
    plan.window = Duration::from_millis(500);
    let outcome = run(&plan);
    let stream = &outcome.streams[0];
    assert_eq!(stream.counts.ok, 100);
    // Whatever the machine did, a request that found its connection's answer unread did not wait for the connection.
    let waited_ns = stream.queue_wait.max_ns().expect("a hundred");
    let longest_ns = stream.service.max_ns().expect("a hundred");
    assert!(waited_ns <= longest_ns, "waited {waited_ns} ns, and the longest answer took {longest_ns} ns");
    assert_stamped(stream);
}

#[test]
fn answers_too_long_to_lie_unread_are_read_as_they_come() {
    let server = Scripted::answering(answer(&"x".repeat(300_000)));
    let pacing = Pacing::Constant { per_second: Rate::Steady(50.0) };
    let mut plan = counted(&server, pacing, 4, 1);
    plan.streams[0].requests = None;
    plan.window = Duration::from_millis(400);
    let outcome = run(&plan);
    let (thread, stream) = (&outcome.threads[0], &outcome.streams[0]);
    assert_eq!((stream.counts.ok, stream.clocked.by_stamp), (20, 20));
    // It dozed until the first of them had come, and never again: not once a request.
    assert!(thread.dozes < 10, "{thread:?}");
}
