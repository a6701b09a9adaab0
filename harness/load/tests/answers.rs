//! What right answers look like, whatever way they come.

mod support;

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    thread,
    time::{Duration, Instant},
};

use load::{AnySuccess, Exactly, Observer, Pacing, Phase, Plan, Progress, Rate, Request, StopHandle, Wait};
use support::{Scripted, answer, plan, run, run_until, stream};

const RATE: Pacing = Pacing::Constant { per_second: Rate::Steady(500.0) };

fn exactly(body: &str) -> Exactly {
    Exactly { status: 200, body: body.as_bytes().to_vec() }
}

#[test]
fn right_answers_are_counted_exactly() {
    let server = Scripted::answering(answer("hello"));
    let outcome = run(&plan(server.address, stream(server.address, RATE, 4, exactly("hello")), 400));
    let stream = &outcome.streams[0];
    assert_eq!((stream.counts.due, stream.counts.sent, stream.counts.ok), (200, 200, 200));
    assert_eq!(stream.errors.total(), 0);
    assert_eq!((stream.response.len(), stream.service.len(), stream.lag.len()), (200, 200, 200));
    assert_eq!(server.requests(), 200);
    assert!((stream.offered_per_second() - 500.0).abs() < 1e-9);
    assert!(!outcome.interrupted && !stream.connections.unreachable);
}

#[test]
fn a_closed_loop_counts_what_the_server_counted() {
    let server = Scripted::answering(answer("hello"));
    let outcome =
        run(&plan(server.address, stream(server.address, Pacing::Closed, 3, exactly("hello")), 200));
    let counts = outcome.streams[0].counts;
    assert_eq!((counts.ok, counts.sent), (server.requests(), server.requests()));
    assert!(counts.ok > 0);
    let connections = outcome.streams[0].connections;
    assert_eq!((connections.planned, connections.open_at_start, connections.reopened), (3, 3, 0));
    assert!(connections.least_answers > 0 && connections.most_answers <= counts.ok);
}

#[test]
fn warm_up_is_sent_and_not_recorded() {
    let server = Scripted::answering(answer("x"));
    let mut plan = plan(server.address, stream(server.address, RATE, 4, AnySuccess), 200);
    plan.warm_up = Duration::from_millis(200);
    let counts = run(&plan).streams[0].counts;
    assert_eq!((counts.due, counts.ok, counts.ok_in_all), (100, 100, 200));
    assert_eq!(server.requests(), 200);
}

#[test]
fn chunked_and_interim_answers_are_right_answers() {
    let server = Scripted::answering(
        "HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhe\r\n3\r\nllo\r\n0\r\n\r\n",
    );
    let outcome = run(&plan(server.address, stream(server.address, RATE, 2, exactly("hello")), 100));
    assert_eq!((outcome.streams[0].counts.ok, outcome.streams[0].errors.total()), (50, 0));
}

#[test]
fn answers_that_come_in_pieces_are_right_answers() {
    let server = Scripted::start(|peer| {
        while peer.read_request() {
            for piece in answer(&"z".repeat(500)).as_bytes().chunks(100) {
                peer.write(piece);
                thread::yield_now();
            }
        }
    });
    let outcome = run(&plan(server.address, stream(server.address, RATE, 2, exactly(&"z".repeat(500))), 100));
    assert_eq!(outcome.streams[0].counts.ok, 50);
}

#[test]
fn a_server_that_closes_after_each_answer_is_connected_to_again_without_an_error() {
    let server = Scripted::start(|peer| {
        if peer.read_request() {
            peer.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok");
        }
    });
    let outcome = run(&plan(server.address, stream(server.address, RATE, 4, exactly("ok")), 200));
    let stream = &outcome.streams[0];
    assert_eq!((stream.counts.ok, stream.errors.total()), (100, 0));
    assert!(stream.connections.reopened > 0 && stream.connections.closed_by_server > 0);
}

#[test]
fn content_that_ends_with_the_connection_is_a_right_answer() {
    let server = Scripted::start(|peer| {
        if peer.read_request() {
            peer.write(b"HTTP/1.0 200 OK\r\n\r\nuntil the end");
        }
    });
    let outcome = run(&plan(server.address, stream(server.address, RATE, 2, exactly("until the end")), 100));
    assert_eq!((outcome.streams[0].counts.ok, outcome.streams[0].errors.total()), (50, 0));
}

#[test]
fn requests_and_answers_larger_than_any_buffer_get_through() {
    const BYTES: usize = 3_000_000;
    let server = Scripted::start(|peer| {
        use std::io::Read;
        let mut body = vec![0; BYTES];
        while peer.stream.read_exact(&mut [0; 1]).is_ok() {
            let mut head = vec![0];
            while !head.ends_with(b"\r\n\r\n") {
                let mut byte = [0];
                if peer.stream.read_exact(&mut byte).is_err() {
                    return;
                }
                head.push(byte[0]);
            }
            if peer.stream.read_exact(&mut body).is_err() {
                return;
            }
            peer.write(format!("HTTP/1.1 200 OK\r\ncontent-length: {BYTES}\r\n\r\n").as_bytes());
            peer.write(&body);
        }
    });
    let body: Vec<u8> = (0..BYTES).map(|index| (index % 251) as u8).collect();
    let mut upload = stream(
        server.address,
        Pacing::Constant { per_second: 20.0.into() },
        2,
        Exactly { status: 200, body: body.clone() },
    );
    upload.request = Request::new("POST", "/echo", "h", &[], &body).expect("a valid request");
    let mut plan = plan(server.address, upload, 200);
    plan.timeout = Duration::from_secs(20);
    let outcome = run(&plan);
    assert_eq!((outcome.streams[0].counts.ok, outcome.streams[0].counts.due), (4, 4));
}

#[test]
fn no_answer_is_reported_faster_than_the_server_gave_it() {
    const DELAY: Duration = Duration::from_millis(5);
    let logged_ns = Arc::new(AtomicU64::new(0));
    let log = logged_ns.clone();
    let server = Scripted::start(move |peer| {
        while peer.read_request() {
            let read = Instant::now();
            thread::sleep(DELAY);
            log.fetch_add(u64::try_from(read.elapsed().as_nanos()).expect("short"), SeqCst);
            peer.write(answer("slow").as_bytes());
        }
    });
    let outcome = run(&plan(server.address, stream(server.address, RATE, 4, exactly("slow")), 300));
    let stream = &outcome.streams[0];
    assert_eq!(stream.counts.ok, 150);
    // The histogram rounds down to its cell: 0.1%.
    assert!(stream.service.min_ns().is_some_and(|ns| ns as f64 >= DELAY.as_nanos() as f64 * 0.999));
    let logged_mean = logged_ns.load(SeqCst) as f64 / 150.0;
    let (service, response) =
        (stream.service.mean_ns().expect("150"), stream.response.mean_ns().expect("150"));
    assert!(service >= logged_mean * 0.999, "{service} reported, {logged_mean} logged");
    assert!(response >= service * 0.999);
}

#[test]
fn a_stall_shows_in_an_open_loop_and_hides_in_a_closed_one() {
    let stalling = || {
        let served = AtomicU64::new(0);
        Scripted::start(move |peer| {
            while peer.read_request() {
                if served.fetch_add(1, SeqCst) == 49 {
                    thread::sleep(Duration::from_millis(300));
                }
                peer.write(answer("x").as_bytes());
            }
        })
    };
    let beyond_100_ms = |pacing| {
        let server = stalling();
        let outcome = run(&plan(server.address, stream(server.address, pacing, 1, exactly("x")), 600));
        outcome.streams[0]
            .response
            .recorded()
            .filter(|(ns, _)| *ns > 100_000_000)
            .map(|(_, n)| n)
            .sum::<u64>()
    };
    // The 50th request is due after 49 ms and answered no earlier than after 349 ms, and with one connection all that
    // are due until 249 ms wait behind it.
    assert!(beyond_100_ms(Pacing::Constant { per_second: 1_000.0.into() }) >= 199);
    assert!(beyond_100_ms(Pacing::Closed) < 10);
}

#[test]
fn streams_on_several_threads_are_kept_apart_and_merged() {
    let server = Scripted::start(|peer| while peer.read_request() && peer.write(answer("a").as_bytes()) {});
    let cpu = first_cpu();
    let mut simple = stream(server.address, RATE, 5, exactly("a"));
    let mut other = stream(server.address, Pacing::Constant { per_second: 100.0.into() }, 1, exactly("b"));
    simple.name = "one".to_owned();
    other.name = "two".to_owned();
    let mut plan = Plan::new(server.address, vec![simple, other]);
    plan.warm_up = Duration::ZERO;
    plan.window = Duration::from_millis(200);
    plan.cpus = vec![cpu, cpu];
    let started = Arc::new(Mutex::new(Vec::new()));
    let starting = started.clone();
    plan.on_thread_start = Some(Arc::new(move |index| starting.lock().expect("no panic").push(index)));
    let outcome = run(&plan);
    let [one, two] = outcome.streams.as_slice() else { panic!("two streams") };
    assert_eq!((one.counts.due, one.counts.ok, one.connections.planned), (100, 100, 5));
    assert_eq!(
        (two.counts.due, two.errors.of(load::ErrorKind::WrongAnswer), two.connections.planned),
        (20, 20, 1)
    );
    assert_eq!(
        two.first_wrong.as_ref().map(|wrong| (wrong.status, wrong.excerpt.as_str())),
        Some((200, "a"))
    );
    assert_eq!(outcome.threads.iter().map(|thread| thread.cpu).collect::<Vec<_>>(), [Some(cpu), Some(cpu)]);
    let mut started = started.lock().expect("no panic").clone();
    started.sort_unstable();
    assert_eq!(started, [0, 1]);
}

#[test]
fn a_spinning_engine_sees_the_same_as_a_sleeping_one() {
    let server = Scripted::answering(answer("x"));
    let mut plan = plan(server.address, stream(server.address, RATE, 2, exactly("x")), 100);
    plan.wait = Wait::Spin;
    let outcome = run(&plan);
    assert_eq!(outcome.streams[0].counts.ok, 50);
    assert!(
        outcome.threads[0].busy_share <= 1.0 && outcome.threads[0].empty_waits <= outcome.threads[0].waits
    );
}

#[test]
fn one_read_and_one_write_are_made_for_each_request() {
    let server = Scripted::answering(answer("x"));
    let outcome = run(&plan(server.address, stream(server.address, Pacing::Closed, 8, exactly("x")), 200));
    let (thread, sent) = (&outcome.threads[0], outcome.streams[0].counts.sent);
    // At the edges of the window up to one request for each connection has been written and not read.
    assert!(thread.writes <= sent && thread.writes + 8 >= sent, "{thread:?}");
    assert!(thread.reads <= sent && thread.reads + 8 >= sent, "{thread:?}");
    assert!(thread.waits <= sent + 200, "{thread:?}");
}

#[derive(Default)]
struct Log(Mutex<Vec<&'static str>>);

impl Observer for Log {
    fn window_opened(&self) {
        self.0.lock().expect("no panic").push("opened");
    }

    fn window_closed(&self) {
        self.0.lock().expect("no panic").push("closed");
    }

    fn progress(&self, progress: &Progress) {
        assert!(progress.phase != Phase::Drain || progress.elapsed >= progress.planned);
        self.0.lock().expect("no panic").push("progress");
    }
}

#[test]
fn an_observer_is_told_of_both_edges_once_and_of_progress_in_between() {
    let server = Scripted::answering(answer("x"));
    let mut plan = plan(server.address, stream(server.address, RATE, 2, exactly("x")), 200);
    plan.warm_up = Duration::from_millis(50);
    plan.progress_every = Duration::from_millis(20);
    let log = Log::default();
    run_until(&plan, &log, &StopHandle::new());
    let log = log.0.into_inner().expect("no panic");
    assert_eq!(log.iter().filter(|word| **word != "progress").collect::<Vec<_>>(), [&"opened", &"closed"]);
    assert!(log.contains(&"progress"));
}

struct StopAtOpening(StopHandle);

impl Observer for StopAtOpening {
    fn window_opened(&self) {
        self.0.stop();
    }
}

#[test]
fn a_stopped_run_hands_back_what_it_has_and_says_so() {
    let server = Scripted::answering(answer("x"));
    let mut plan = plan(server.address, stream(server.address, RATE, 2, exactly("x")), 600_000);
    plan.warm_up = Duration::from_millis(20);
    let stop = StopHandle::new();
    let outcome = run_until(&plan, &StopAtOpening(stop.clone()), &stop);
    assert!(outcome.interrupted && outcome.window_s < 600.0);
    let counts = outcome.streams[0].counts;
    assert_eq!(counts.due, counts.sent + counts.unsent_at_end);
}

#[test]
fn a_cpu_that_does_not_exist_is_named() {
    let server = Scripted::answering(answer("x"));
    let mut plan = plan(server.address, stream(server.address, RATE, 2, exactly("x")), 100);
    plan.cpus = vec![first_cpu(), 99_999];
    let error = load::run(&plan, &(), &StopHandle::new()).expect_err("no machine has that many");
    assert!(error.to_string().contains("CPU 99999"), "{error}");
}

/// The first CPU that this test may use.
fn first_cpu() -> usize {
    let allowed = rustix::thread::sched_getaffinity(None).expect("this thread's own mask");
    (0..rustix::thread::CpuSet::MAX_CPU).find(|cpu| allowed.is_set(*cpu)).expect("it runs on one")
}
