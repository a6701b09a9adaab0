//! In the steady state nothing is allocated: an allocator would be part of what is measured.
#![expect(unsafe_code, reason = "an allocator that counts must be one")]

mod support;

use std::{
    alloc::{GlobalAlloc, Layout, System},
    cell::Cell,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering::SeqCst},
    },
    time::Duration,
};

use load::{AnySuccess, Event, Exactly, Observer, Pacing, StopHandle, Witness};
use support::{Scripted, answer, plan, run_until, stream};

/// Allocations made on engine threads.
static ALLOCATIONS: AtomicU64 = AtomicU64::new(0);

/// The largest of them, in bytes.
static LARGEST: AtomicU64 = AtomicU64::new(0);

thread_local! {
    static IS_ENGINE: Cell<bool> = const { Cell::new(false) };
}

struct Counting;

fn count(bytes: usize) {
    if IS_ENGINE.get() {
        ALLOCATIONS.fetch_add(1, SeqCst);
        LARGEST.fetch_max(bytes as u64, SeqCst);
    }
}

// SAFETY: every call is passed on unchanged; counting neither allocates nor unwinds.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size());
        // SAFETY: the caller's promise about `layout` is the one that is needed.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: `pointer` came from `System` with this layout.
        unsafe { System.dealloc(pointer, layout) }
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        count(size);
        // SAFETY: `pointer` came from `System` with this layout, and `size` is the caller's promise.
        unsafe { System.realloc(pointer, layout, size) }
    }
}

#[global_allocator]
static ALLOCATOR: Counting = Counting;

/// Notes how many allocations there had been at both edges of the window.
#[derive(Default)]
struct Edges {
    opened: AtomicU64,
    closed: AtomicU64,
}

impl Observer for Edges {
    fn window_opened(&self) {
        self.opened.store(ALLOCATIONS.load(SeqCst), SeqCst);
    }

    fn window_closed(&self) {
        self.closed.store(ALLOCATIONS.load(SeqCst), SeqCst);
    }
}

/// Reading the kernel's counters at an edge takes a few, however many requests there are.
const AT_THE_EDGES: u64 = 40;

/// Counts answers.
#[derive(Default)]
struct Answers(AtomicU64);

impl Witness for Answers {
    fn happened(&self, _connection: u32, _at_ns: u64, event: Event) {
        self.0.fetch_add(u64::from(matches!(event, Event::Answered(_))), SeqCst);
    }
}

/// Right answers within a window, and allocations.
fn allocations_of(pacing: Pacing, answer: &str, is_witnessed: bool, window_ms: u64) -> (u64, u64) {
    let server = Scripted::answering(answer);
    let body = answer.split_once("\r\n\r\n").expect("an empty line").1.as_bytes().to_vec();
    let mut stream = stream(server.address, pacing, 8, AnySuccess);
    if answer.contains("content-length") {
        stream.check = Arc::new(Exactly { status: 200, body });
    }
    let mut plan = plan(server.address, stream, window_ms);
    plan.warm_up = Duration::from_millis(200);
    plan.on_thread_start = Some(Arc::new(|_| IS_ENGINE.set(true)));
    let answers = Arc::new(Answers::default());
    if is_witnessed {
        plan.witness = Some(answers.clone());
    }
    let edges = Edges::default();
    let outcome = run_until(&plan, &edges, &StopHandle::new());
    assert_eq!(outcome.streams[0].errors.total(), 0);
    assert_eq!(answers.0.load(SeqCst) > outcome.streams[0].counts.ok, is_witnessed);
    (outcome.streams[0].counts.ok, edges.closed.load(SeqCst) - edges.opened.load(SeqCst))
}

/// One test, since the counter is one for the process.
#[test]
fn no_request_allocates() {
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    for (pacing, bytes, is_witnessed) in [
        (Pacing::Closed, answer("hello"), false),
        (Pacing::Closed, answer("hello"), true),
        (Pacing::Poisson { per_second: 4_000.0.into() }, answer("hello"), false),
        (Pacing::Closed, chunked.to_owned(), false),
        (Pacing::Closed, answer(&"x".repeat(200_000)), true),
    ] {
        // As long as it takes to have enough of them.
        let windows = [500, 5_000, 50_000].into_iter();
        let mut counted = windows.map(|window_ms| allocations_of(pacing, &bytes, is_witnessed, window_ms));
        let counted = counted.find(|(requests, _)| *requests > 2 * AT_THE_EDGES);
        let (requests, allocations) = counted.unwrap_or_else(|| panic!("{pacing:?}: too few requests"));
        assert!(allocations <= AT_THE_EDGES, "{pacing:?}: {allocations} allocations for {requests} requests");
    }

    // Nor does memory grow with an answer's length.
    let largest_for = |body: &str| {
        LARGEST.store(0, SeqCst);
        allocations_of(Pacing::Closed, &answer(body), false, 500);
        LARGEST.load(SeqCst)
    };
    let short = largest_for("hello");
    assert_eq!(largest_for(&"x".repeat(40 * 1024 * 1024)), short);
}
