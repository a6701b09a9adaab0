//! Several generators as one: when a run starts that has to start with others, and which part of the load it makes.

mod support;

use std::{
    sync::{Arc, OnceLock},
    time::{Duration, Instant, SystemTime},
};

use load::{Exactly, Pacing, PlanError, RunError, Share, StopHandle};
use support::{Scripted, answer, plan, run, run_until, stream};

/// Longer than any run here takes that ends by itself.
const LONG_MS: u64 = 20_000;

fn right() -> Exactly {
    Exactly { status: 200, body: b"right".to_vec() }
}

#[test]
fn a_run_starts_when_it_was_told_to() {
    const AHEAD: Duration = Duration::from_millis(300);
    /// How far the two clocks may run apart meanwhile: adjtimex(2) slews by at most 0.05%.
    const SLEWED: Duration = Duration::from_millis(1);
    let arrived = Arc::new(OnceLock::new());
    let noted = arrived.clone();
    let server = Scripted::start(move |peer| {
        while peer.read_request() {
            noted.get_or_init(Instant::now);
            peer.write(answer("right").as_bytes());
        }
    });
    let mut stream = stream(server.address, Pacing::Closed, 1, right());
    stream.requests = Some(1);
    let mut plan = plan(server.address, stream, LONG_MS);
    // In this order: a busy machine can only make the request later.
    let told = Instant::now();
    plan.start_at = Some(SystemTime::now() + AHEAD);
    run(&plan);
    let waited = arrived.get().expect("a request").duration_since(told);
    assert!(waited + SLEWED >= AHEAD, "the request came after {waited:?}");
    plan.start_at = Some(SystemTime::now() - Duration::from_secs(1));
    let refused = load::run(&plan, &(), &StopHandle::new());
    assert!(matches!(refused, Err(RunError::Plan(PlanError::Past(_)))), "{refused:?}");
}

#[test]
fn a_run_whose_connections_are_not_open_at_its_start_is_refused_and_starts_at_no_other_time() {
    let server = Scripted::answering(answer("right"));
    let mut plan = plan(server.address, stream(server.address, Pacing::Closed, 1, right()), LONG_MS);
    let start = SystemTime::now() + Duration::from_millis(300);
    plan.start_at = Some(start);
    // The thread that is to connect has something else to do until then.
    plan.on_thread_start = Some(Arc::new(move |_| {
        while SystemTime::now() <= start {
            std::thread::sleep(Duration::from_millis(1));
        }
    }));
    let refused = load::run(&plan, &(), &StopHandle::new());
    assert!(matches!(refused, Err(RunError::Plan(PlanError::TooSoon(_)))), "{refused:?}");
    assert_eq!(server.requests(), 0);
}

#[test]
fn the_parts_of_a_load_send_together_what_the_whole_would() {
    let counted = |part: Share| {
        let server = Scripted::answering(answer("right"));
        let mut stream = stream(server.address, Pacing::Constant { per_second: 1_000.0.into() }, 5, right());
        stream.requests = Some(50);
        let mut plan = plan(server.address, stream, LONG_MS);
        plan.part = part;
        let outcome = run(&plan);
        let stream = &outcome.streams[0];
        assert_eq!(server.requests(), stream.counts.ok);
        let rate = stream.pacing.rate().expect("an open loop").mean_per_second();
        (stream.counts.ok, stream.connections.planned, rate.round() as u64)
    };
    assert_eq!(counted(Share::WHOLE), (50, 5, 1_000));
    let parts = [0, 1, 2].map(|index| counted(Share { index, of: 3 }));
    assert_eq!(parts, [(17, 2, 333), (17, 2, 333), (16, 1, 333)]);
}

#[test]
fn a_run_that_waits_for_its_start_can_be_stopped() {
    let server = Scripted::answering(answer("right"));
    let mut plan = plan(server.address, stream(server.address, Pacing::Closed, 1, right()), LONG_MS);
    plan.start_at = Some(SystemTime::now() + Duration::from_secs(600));
    let stop = StopHandle::new();
    stop.stop();
    assert!(run_until(&plan, &(), &stop).interrupted);
}
