//! The whole path of a request without a socket or a runtime: bytes in, bytes out. Benchmarks take the same way.

use std::{
    io,
    pin::Pin,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    task::{Context, Poll, Waker},
    time::{Duration, Instant},
};

use hyper::rt::{Read, ReadBufCursor, Sleep, Timer, Write};
use kit::{
    args::{Config, Limits},
    connection,
    execute::{Done, Execute, Inline, Refused, guarded},
    policy::Policy,
    service::{Service, Site},
    shutdown::Shutdown,
};

/// A stream of given bytes, and what was written to it.
#[derive(Clone, Default)]
struct Stream {
    unread: Arc<Mutex<Vec<u8>>>,
    written: Arc<Mutex<Vec<u8>>>,
    /// The client has ended its sending half.
    ended: Arc<AtomicBool>,
    /// The client has reset the connection, which a read would tell.
    reset: Arc<AtomicBool>,
    /// How often was looked whether it has.
    looks: Arc<AtomicUsize>,
}

impl Stream {
    fn is_gone(&self) -> bool {
        self.looks.fetch_add(1, SeqCst);
        self.reset.load(SeqCst)
    }
}

impl Read for Stream {
    fn poll_read(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
        mut buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        if self.reset.load(SeqCst) {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        let mut unread = self.unread.lock().unwrap();
        if unread.is_empty() {
            return if self.ended.load(SeqCst) { Poll::Ready(Ok(())) } else { Poll::Pending };
        }
        let count = unread.len().min(buffer.remaining());
        buffer.put_slice(&unread[..count]);
        unread.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl Write for Stream {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.written.lock().unwrap().extend_from_slice(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// A clock that stands still until the test moves it; its sleeps wake nobody, since the test polls.
#[derive(Clone)]
struct Clock(Arc<Mutex<Instant>>);

struct Sleeping(Clock, Instant);

impl Future for Sleeping {
    type Output = ();

    fn poll(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.0.now() >= self.1 { Poll::Ready(()) } else { Poll::Pending }
    }
}

impl Sleep for Sleeping {}

impl Timer for Clock {
    fn sleep(&self, duration: Duration) -> Pin<Box<dyn Sleep>> {
        self.sleep_until(self.now() + duration)
    }

    fn sleep_until(&self, deadline: Instant) -> Pin<Box<dyn Sleep>> {
        Box::pin(Sleeping(self.clone(), deadline))
    }

    fn now(&self) -> Instant {
        *self.0.lock().unwrap()
    }
}

impl Clock {
    fn advance(&self, milliseconds: u64) {
        *self.0.lock().unwrap() += Duration::from_millis(milliseconds);
    }
}

/// How long a connection that was refused something is read from.
const LINGER_MILLISECONDS: u64 = 1_000;
const SECOND: Duration = Duration::from_secs(1);
const HEAD: &[u8] = b"GET /simple HTTP/1.1\r\nHost: test\r\n\r\n";

/// One connection, polled by hand.
struct Played<E: Execute> {
    stream: Stream,
    clock: Clock,
    connection: connection::Connection<Stream, E>,
    site: Arc<Site>,
}

impl<E: Execute> Played<E> {
    /// A header timeout of one second, an idle timeout of ten.
    fn new(execute: E) -> Self {
        let limits = Limits {
            max_connections: 1,
            max_body_bytes: 100,
            header_timeout: SECOND,
            body_timeout: 5 * SECOND,
            idle_timeout: 10 * SECOND,
            drain_timeout: SECOND,
        };
        let listen = ([127, 0, 0, 1], 0).into();
        let cpus = [0].into_iter().collect();
        let config = Config { listen, workers: 1, cpus, limits, policy: Policy::Enforced };
        let site = Site::new("test", &config, Shutdown::new());
        let clock = Clock(Arc::new(Mutex::new(Instant::now())));
        let stream = Stream::default();
        let service = Service::new(Arc::clone(&site), execute, clock.clone());
        let connection = connection::serve(stream.clone(), service, Stream::is_gone);
        Self { stream, clock, connection, site }
    }

    /// Lets the client send `bytes`; what is answered, and whether the connection is over.
    fn send(&mut self, bytes: &[u8]) -> (String, bool) {
        self.stream.unread.lock().unwrap().extend_from_slice(bytes);
        let over = Pin::new(&mut self.connection).poll(&mut Context::from_waker(Waker::noop())).is_ready();
        let written = std::mem::take(&mut *self.stream.written.lock().unwrap());
        (String::from_utf8(written).unwrap(), over)
    }

    fn wait(&mut self, milliseconds: u64) -> (String, bool) {
        self.clock.advance(milliseconds);
        self.send(b"")
    }
}

fn nothing() -> (String, bool) {
    (String::new(), false)
}

#[test]
fn a_pipeline_is_answered_in_one_go_and_counted() {
    let mut played = Played::new(Inline);
    let (answers, over) = played.send(&HEAD.repeat(3));
    assert_eq!(answers.matches(r#"{"origin":"test","worker":"t0","payload":499500}"#).count(), 3);
    assert!(!over);
    let metrics = played.site.metrics.text("test");
    assert!(metrics.contains(r#"endpoint="simple",status="200"} 3"#), "{metrics}");
}

#[test]
fn a_head_that_trickles_is_refused_at_the_timeout_counted_from_its_first_byte() {
    let mut played = Played::new(Inline);
    assert!(played.send(HEAD).0.starts_with("HTTP/1.1 200"));
    assert_eq!(played.wait(5_000), nothing(), "idle, which may last longer");
    for byte in &HEAD[..9] {
        assert_eq!(played.send(&[*byte]), nothing());
        assert_eq!(played.wait(100), nothing());
    }
    let (answer, over) = played.wait(100);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"), "{answer}");
    assert!(answer.contains("\r\ndate: ") && answer.contains(" GMT\r\n"), "{answer}");
    assert!(!over, "the client may still be sending");
    assert_eq!(played.wait(LINGER_MILLISECONDS), (String::new(), true));
}

#[test]
fn a_head_that_begins_in_the_same_read_as_another_request_has_its_own_timeout() {
    let mut played = Played::new(Inline);
    let (answer, _) = played.send(&[HEAD, &HEAD[..5]].concat());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(played.wait(999), nothing());
    assert!(played.wait(1).0.starts_with("HTTP/1.1 408 "));
}

#[test]
fn empty_lines_between_requests_are_no_beginning_of_one() {
    let mut played = Played::new(Inline);
    assert!(played.send(HEAD).0.starts_with("HTTP/1.1 200"));
    assert_eq!(played.send(b"\r\n"), nothing());
    assert_eq!(played.wait(9_999), nothing());
    assert_eq!(played.wait(1), (String::new(), true));
}

#[test]
fn what_is_sent_after_a_refusal_is_read_and_not_answered_until_the_client_ends_or_takes_too_long() {
    let mut played = Played::new(Inline);
    let (answer, over) = played.send(b"GET /simple HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 ") && !over, "{answer}");
    assert_eq!(played.send(&HEAD.repeat(9)), nothing());
    assert!(played.stream.unread.lock().unwrap().is_empty());
    assert_eq!(played.wait(LINGER_MILLISECONDS - 1), nothing());
    assert_eq!(played.wait(1), (String::new(), true));
}

#[test]
fn what_hyper_refuses_by_itself_is_answered_and_counted_too() {
    for request in [
        b"GET /\0 HTTP/1.1\r\n\r\n".as_slice(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
    ] {
        for before in [b"".as_slice(), HEAD] {
            let mut played = Played::new(Inline);
            let (answers, _) = played.send(&[before, request].concat());
            let answer = &answers[answers.rfind("HTTP/1.1 ").unwrap()..];
            assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("connection: close"), "{answer}");
            assert!(answer.contains("\r\ndate: "), "{answer}");
            assert_eq!(answers.matches("HTTP/1.1 200 ").count(), usize::from(!before.is_empty()));
            let metrics = played.site.metrics.text("test");
            assert!(metrics.contains(r#"endpoint="none",status="400"} 1"#), "{metrics}");
        }
    }
}

#[test]
fn a_head_that_is_too_long_is_refused_by_its_part_in_its_turn_however_it_arrives() {
    let many = "a".repeat(4 * connection::MAX_HEAD_BYTES);
    let limit = connection::MAX_HEAD_BYTES;
    let fields = "A: b\r\n".repeat(101);
    for (request, status) in [
        (format!("{many} / HTTP/1.1\r\nHost: a\r\n\r\n"), 501),
        (many.clone(), 501),
        (format!("GET /{many} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("GET /{many}"), 414),
        (format!("GET http://a/{many} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("POST /echo?{many} HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello"), 414),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &many[..limit - 5]), 414),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &many[..limit - 20]), 431),
        (format!("GET / HTTP/1.1\r\nHost: {many}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}: b\r\n\r\n"), 431),
        (format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nA: {many}\r\n\r\n"), 431),
        (format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nA: {many}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nExpect: 100-continue\r\nUpgrade: h2c\r\nA: {many}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"), 431),
    ] {
        let whole = [HEAD, request.as_bytes(), HEAD].concat();
        for size in [usize::MAX, 16_384, 1_000, 7] {
            let mut played = Played::new(Inline);
            let answers: String =
                whole.chunks(size.min(whole.len())).map(|piece| played.send(piece).0).collect();
            let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            assert_eq!(statuses, ["200", &status.to_string()], "{} in pieces of {size}", &request[..40]);
            let refusal = &answers[answers.rfind("HTTP/1.1 ").unwrap()..];
            for part in ["connection: close", "\r\ndate: ", "{\"error\":"] {
                assert!(refusal.contains(part), "{part} is missing: {refusal}");
            }
            let metrics = played.site.metrics.text("test");
            assert!(metrics.contains(&format!(r#"endpoint="none",status="{status}"}} 1"#)), "{metrics}");
        }
    }
}

#[test]
fn lengths_beyond_what_can_be_counted_are_no_heads_that_are_too_long() {
    for (length, status) in [
        ("18446744073709551612", 413),
        ("18446744073709551613", 413),
        ("18446744073709551614", 400),
        ("18446744073709551615", 400),
        ("18446744073709551616", 400),
        ("99999999999999999999", 400),
    ] {
        let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nhello");
        let (answer, _) = Played::new(Inline).send(head.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {answer}");
    }
}

#[test]
fn every_version_of_http_1_is_answered_in_1_1_and_kept_as_its_own_rules_say() {
    for (line, fields, kept) in [
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: keep-alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
        ("HTTP/1.1", "Host: a\r\n", true),
        ("HTTP/1.2", "Host: a\r\n", true),
        ("HTTP/1.9", "Host: a\r\nConnection: close\r\n", false),
    ] {
        for (target, status) in [("/simple", "200"), ("/nowhere", "404"), ("/delay?ms=9", "200")] {
            let mut played = Played::new(Inline);
            let request = format!("GET {target} {line}\r\n{fields}\r\n");
            let (mut answers, mut over) = played.send(request.repeat(3).as_bytes());
            for _ in 0..3 {
                if !over {
                    let (more, ended) = played.wait(9);
                    answers += &more;
                    over = ended;
                }
            }
            let answers: Vec<_> = answers.split("HTTP/1.1 ").skip(1).collect();
            assert_eq!(answers.len(), if kept { 3 } else { 1 }, "{request}{answers:?}");
            for answer in answers {
                assert!(answer.starts_with(status) && !answer.contains("HTTP/1."), "{request}{answer}");
                assert_eq!(answer.contains("connection: close\r\n"), !kept, "{request}{answer}");
                let is_told = answer.contains("connection: keep-alive\r\n");
                assert_eq!(is_told, kept && line == "HTTP/1.0", "{request}{answer}");
            }
        }
    }
    let too_long = b"POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 101\r\n\r\nhello";
    for size in [1, 1_000] {
        let mut played = Played::new(Inline);
        let answer: String = too_long.chunks(size).map(|piece| played.send(piece).0).collect();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close\r\n"), "{answer}");
    }
    let (answer, _) = Played::new(Inline).send(b"GET / HTTP/1.2\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "a later version needs a Host too: {answer}");
}

#[test]
fn readiness_that_is_over_is_told_whatever_the_precondition() {
    let mut played = Played::new(Inline);
    let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n";
    assert!(played.send(request).0.starts_with("HTTP/1.1 304 "));
    played.site.stopping.raise();
    assert!(played.send(request).0.starts_with("HTTP/1.1 503 "));
}

#[test]
fn a_body_that_a_precondition_makes_useless_is_not_asked_for() {
    let head = b"POST /echo HTTP/1.1\r\nHost: a\r\nIf-Match: \"a\"\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let (answer, _) = Played::new(Inline).send(head);
    assert!(answer.starts_with("HTTP/1.1 412 ") && answer.contains("connection: close"), "{answer}");
}

#[test]
fn a_request_that_two_readers_could_read_differently_is_refused_in_its_turn() {
    for (before, after) in [
        (
            "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding",
            ": chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5 ",
            "\r\nhello\r\n0\r\n\r\n",
        ),
        ("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0;", "\r\n\r\n"),
        ("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "\n"),
        ("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b", "\n\r\n"),
        (
            "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nContent-Length",
            ": 9\r\n\r\n",
        ),
        ("GET /simple#top", " HTTP/1.1\r\nHost: test\r\n\r\n"),
    ] {
        for cut in [false, true] {
            let mut played = Played::new(Inline);
            let mut answers = String::new();
            let request = [HEAD, before.as_bytes(), after.as_bytes(), HEAD].concat();
            let middle = if cut { HEAD.len() + before.len() } else { request.len() };
            for piece in [&request[..middle], &request[middle..]] {
                answers.push_str(&played.send(piece).0);
            }
            let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            assert_eq!(statuses, ["200", "400"], "{before:?} {cut}\n{answers}");
        }
    }
}

#[test]
fn a_client_that_waits_for_leave_is_told_at_once_that_its_body_is_not_wanted() {
    let mut played = Played::new(Inline);
    let head = b"POST /nowhere HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let (answer, _) = played.send(head);
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("connection: close"), "{answer}");
}

#[test]
fn a_silent_client_is_let_go_without_an_answer() {
    let mut played = Played::new(Inline);
    assert_eq!(played.send(b""), nothing());
    assert_eq!(played.wait(999), nothing());
    assert_eq!(played.wait(1), (String::new(), true));
}

#[test]
fn an_idle_connection_closes_and_each_request_gives_it_its_whole_time_again() {
    let mut played = Played::new(Inline);
    for _ in 0..3 {
        assert!(played.send(HEAD).0.starts_with("HTTP/1.1 200"));
        assert_eq!(played.wait(9_999), nothing());
    }
    assert_eq!(played.wait(1), (String::new(), true));
}

#[test]
fn no_timeout_ends_a_request_that_is_being_answered() {
    let mut played = Played::new(Inline);
    let delay = b"GET /delay?ms=60000 HTTP/1.1\r\nHost: test\r\n\r\n";
    assert_eq!(played.send(delay), nothing());
    assert_eq!(played.wait(59_999), nothing());
    let (answer, over) = played.wait(1);
    assert!(answer.contains(r#""payload":60000"#), "{answer}");
    assert!(!over);
}

#[test]
fn a_body_that_does_not_arrive_in_time_is_refused() {
    let mut played = Played::new(Inline);
    assert_eq!(played.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf"), nothing());
    assert_eq!(played.wait(4_999), nothing());
    let (answer, _) = played.wait(1);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}

#[test]
fn what_came_whole_before_the_end_of_the_clients_half_is_answered_and_nothing_else_is() {
    const DELAY: &[u8] = b"GET /delay?ms=70 HTTP/1.1\r\nHost: test\r\n\r\n";
    const CLOSING: &[u8] = b"GET /simple HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    for (request, answers) in [
        (vec![], 0),
        (HEAD.to_vec(), 1),
        (b"GET /simple HTTP/1.0\r\n\r\n".to_vec(), 1),
        (CLOSING.to_vec(), 1),
        (DELAY.to_vec(), 1),
        ([DELAY, HEAD, DELAY].concat(), 3),
        ([HEAD, DELAY, &HEAD[..9]].concat(), 2),
        ([DELAY, CLOSING, HEAD].concat(), 2),
        (HEAD.repeat(500), 500),
    ] {
        let mut played = Played::new(Inline);
        played.stream.ended.store(true, SeqCst);
        let (mut text, mut over) = played.send(&request);
        // As often as a connection yields in a pipeline, and as the delays take.
        for _ in 0..50 {
            let (more, now) = if over { break } else { played.wait(10) };
            text += &more;
            over = now;
        }
        assert!(over, "{}", request.escape_ascii());
        assert_eq!(text.matches("HTTP/1.1 200 ").count() + text.matches("HTTP/1.0 200 ").count(), answers);
        assert_eq!(text.matches("HTTP/1.").count(), answers, "{text}");
    }
}

#[test]
fn a_client_that_resets_takes_the_operation_along_that_it_waits_for_whatever_it_sent_before() {
    let delay = b"GET /delay?ms=60000 HTTP/1.1\r\nHost: test\r\n\r\n";
    for behind in [&b""[..], HEAD, &HEAD[..5]] {
        for ended in [false, true] {
            let mut played = Played::new(Inline);
            played.stream.ended.store(ended, SeqCst);
            assert_eq!(played.send(&[&delay[..], behind].concat()), nothing());
            assert_eq!(played.wait(5_000), nothing(), "it waits");
            assert_eq!(operations_in_flight(&played.site), "1");
            played.stream.reset.store(true, SeqCst);
            let (answer, over) = played.wait(2_000);
            assert_eq!((answer.as_str(), over), ("", true), "{ended} {}", behind.escape_ascii());
            let Played { connection, site, .. } = played;
            // As a runtime does with a task that has ended.
            drop(connection);
            assert_eq!(operations_in_flight(&site), "0");
        }
    }
}

fn operations_in_flight(site: &Site) -> String {
    let metrics = site.metrics.text("test");
    let line =
        metrics.lines().find_map(|line| line.strip_prefix("server_operations_in_flight{server=\"test\"} "));
    line.unwrap().to_owned()
}

#[test]
fn it_is_looked_for_a_client_seldom_and_not_at_all_for_what_is_answered_soon() {
    let mut played = Played::new(Inline);
    for _ in 0..100 {
        assert!(played.send(HEAD).0.starts_with("HTTP/1.1 200 "));
    }
    let _ = played.send(b"GET /delay?ms=150 HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(played.wait(150).0.starts_with("HTTP/1.1 200 "));
    assert_eq!(played.stream.looks.load(SeqCst), 0);
    let _ = played.send(b"GET /delay?ms=60000 HTTP/1.1\r\nHost: test\r\n\r\n");
    for _ in 0..600 {
        let _ = played.wait(99);
    }
    let looks = played.stream.looks.load(SeqCst);
    assert!((20..40).contains(&looks), "{looks} in a minute");
}

#[test]
fn a_connection_that_closes_as_it_was_asked_waits_for_its_client_only_where_bytes_lie_unread() {
    let closing = b"GET /simple HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    let mut played = Played::new(Inline);
    let (answer, over) = played.send(closing);
    assert!(answer.starts_with("HTTP/1.1 200 ") && over, "{answer}");

    // More behind it than is read at once: closed now, the answer might be reset away.
    let mut played = Played::new(Inline);
    let (answer, over) = played.send(&[closing, &HEAD.repeat(1_000)[..]].concat());
    assert_eq!((answer.matches("HTTP/1.1 ").count(), over), (1, false), "{answer}");
    assert!(played.stream.unread.lock().unwrap().is_empty());
    played.stream.ended.store(true, SeqCst);
    assert_eq!(played.send(b""), (String::new(), true));
}

/// Does what a broken operation would.
struct Broken;

impl Execute for Broken {
    type Future = std::future::Ready<Result<Done, Refused>>;

    fn execute(&self, _: app::Operation) -> Self::Future {
        std::future::ready(guarded(|| panic!("an operation that fails on purpose")))
    }
}

#[test]
fn an_operation_that_panics_costs_one_answer_and_not_the_connection() {
    let mut played = Played::new(Broken);
    for _ in 0..2 {
        let (answer, over) = played.send(HEAD);
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(!over);
    }
}

/// Has always too much to do.
struct Full;

impl Execute for Full {
    type Future = std::future::Ready<Result<Done, Refused>>;

    fn execute(&self, _: app::Operation) -> Self::Future {
        std::future::ready(Err(Refused::Busy { retry_after: SECOND }))
    }
}

#[test]
fn refusals_are_those_that_the_description_gives_as_examples() {
    let post = |length: usize, rest: &str| {
        format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{rest}\r\n")
    };
    let long = "x".repeat(20_000);
    let long_target = format!("GET /{long} HTTP/1.1\r\nHost: test\r\n\r\n");
    let long_head = format!("GET / HTTP/1.1\r\nHost: test\r\nX: {long}\r\n\r\n");
    let slow = |played: &mut Played<Inline>| {
        let _ = played.send(post(9, "").as_bytes());
        played.wait(5_000).0
    };
    let answers = [
        (400, Played::new(Inline).send(b"GET / HTTP/1.1\r\n\r\n").0),
        (408, slow(&mut Played::new(Inline))),
        (412, Played::new(Inline).send(post(0, "If-Match: \"a\"\r\n").as_bytes()).0),
        (413, Played::new(Inline).send(post(101, "").as_bytes()).0),
        (414, Played::new(Inline).send(long_target.as_bytes()).0),
        (417, Played::new(Inline).send(post(1, "Expect: more\r\n").as_bytes()).0),
        (431, Played::new(Inline).send(long_head.as_bytes()).0),
        (500, Played::new(Broken).send(HEAD).0),
        (503, Played::new(Full).send(HEAD).0),
    ];
    for (status, answer) in answers {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status} was due: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert_eq!(head.contains("\r\nconnection: close"), status < 500 && status != 412, "{head}");
        assert_eq!(head.contains("\r\nretry-after: 1"), status == 503, "{head}");
        let reason = body.strip_prefix(r#"{"error":""#).and_then(|rest| rest.strip_suffix(r#""}"#)).unwrap();
        let examples = [format!("value: {{ error: {reason} }}"), format!("value: {{ error: '{reason}' }}")];
        let described = examples.iter().any(|example| app::OPENAPI.contains(example));
        assert!(described, "openapi.yaml has no example {examples:?}");
    }
}
