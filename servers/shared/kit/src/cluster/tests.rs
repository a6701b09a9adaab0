//! One memory, mapped several times in one process: what one of them writes the others read. Processes are in
//! `tests/cluster.rs`.

use std::{
    collections::BTreeMap,
    fs::File,
    os::unix::fs::FileExt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::SeqCst},
    },
    thread,
};

use app::Endpoint;
use proptest::prelude::*;
use rustix::fs::{MemfdFlags, SealFlags, fcntl_add_seals, ftruncate, memfd_create};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter};

use super::{layout::BYTES, *};
use crate::metrics::Metrics;

const FIRST: Member = Member { place: 0, side: 0 };

/// A cluster of `places`, as its primary has it, and its memory to be opened again.
fn cluster(places: usize) -> (Arc<Cluster>, OwnedFd) {
    let (cluster, memory) = Cluster::new().unwrap();
    cluster.set_places(places).unwrap();
    (Arc::new(cluster), memory)
}

/// A worker's view of the same memory.
fn opened(memory: &OwnedFd) -> Arc<Cluster> {
    Arc::new(Cluster::open(memory.try_clone().unwrap()).unwrap())
}

fn worker(memory: &OwnedFd, member: Member) -> Metrics {
    Metrics::in_cluster(opened(memory), member)
}

/// The samples of a text, by name and labels.
fn samples(text: &str) -> BTreeMap<&str, u64> {
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    lines
        .map(|line| line.rsplit_once(' ').unwrap())
        .map(|(name, value)| (name, value.parse().unwrap()))
        .collect()
}

fn sample(text: &str, name: &str) -> u64 {
    *samples(text).get(name).unwrap_or_else(|| panic!("{name} is not in\n{text}"))
}

#[test]
fn what_one_worker_counts_every_other_one_tells() {
    let (primary, memory) = cluster(2);
    let [first, second] = [0, 1].map(|place| worker(&memory, Member { place, side: 0 }));
    first.accepted();
    first.answered(Some(Endpoint::Simple), 200);
    second.accepted();
    second.closed();
    second.answered(None, 404);
    second.operation_started();
    primary.add_restart(1);
    primary.add_lost(0, 3);
    primary.set_state(0, PlaceState::Ready);
    let text = second.text("s");
    assert_eq!(first.text("s"), text);
    for (name, count) in [
        ("server_requests_total{server=\"s\",worker=\"p0\",endpoint=\"simple\",status=\"200\"}", 1),
        ("server_requests_total{server=\"s\",worker=\"p1\",endpoint=\"none\",status=\"404\"}", 1),
        ("server_connections_accepted_total{server=\"s\",worker=\"p0\"}", 1),
        ("server_connections_accepted_total{server=\"s\",worker=\"p1\"}", 1),
        ("server_connections_open{server=\"s\"}", 1),
        ("server_operations_in_flight{server=\"s\"}", 1),
        ("server_workers{server=\"s\",state=\"ready\"}", 1),
        ("server_workers{server=\"s\",state=\"failed\"}", 0),
        ("server_worker_restarts_total{server=\"s\",worker=\"p0\"}", 0),
        ("server_worker_restarts_total{server=\"s\",worker=\"p1\"}", 1),
        ("server_connections_lost_total{server=\"s\",worker=\"p0\"}", 3),
        ("server_connections_lost_total{server=\"s\",worker=\"p1\"}", 0),
    ] {
        assert_eq!(sample(&text, name), count, "{name}");
    }
}

#[test]
fn every_metric_says_its_type_once_and_before_its_samples() {
    let (_primary, memory) = cluster(3);
    let text = worker(&memory, FIRST).text("s");
    let mut typed = Vec::new();
    for line in text.lines() {
        match line.strip_prefix("# TYPE ").and_then(|rest| rest.split(' ').next()) {
            Some(name) => {
                assert!(!typed.contains(&name), "{text}");
                typed.push(name);
            }
            None if line.starts_with('#') => {}
            None => assert_eq!(line.split('{').next(), typed.last().copied(), "{text}"),
        }
    }
    assert!(typed.contains(&"server_workers") && typed.contains(&"server_worker_restarts_total"), "{text}");
}

#[test]
fn what_a_worker_had_open_when_it_ended_is_over_and_its_totals_stay() {
    let (primary, memory) = cluster(1);
    primary.occupy(FIRST, 7);
    let first = worker(&memory, FIRST);
    let successor = Member { side: 1, ..FIRST };
    primary.occupy(successor, 8);
    let second = worker(&memory, successor);
    for metrics in [&first, &second] {
        metrics.accepted();
        metrics.operation_started();
        metrics.answered(Some(Endpoint::Complex), 200);
    }
    let now = primary.place(0);
    assert_eq!((now.pids, now.latest), ([Some(7), Some(8)], 1));
    assert_eq!((now.connections_open, now.operations_in_flight, now.requests), (2, 2, 2));
    primary.vacate(FIRST);
    let now = primary.place(0);
    assert_eq!((now.pids, now.processes().collect::<Vec<_>>()), ([None, Some(8)], vec![8]));
    assert_eq!((now.connections_open, now.operations_in_flight), (1, 1), "those of the successor");
    assert_eq!((now.connections_accepted, now.requests), (2, 2));

    primary.occupy(FIRST, 9);
    let third = worker(&memory, FIRST);
    third.accepted();
    let now = primary.place(0);
    assert_eq!(
        (now.connections_open, now.connections_accepted),
        (2, 3),
        "it goes on where the first one stopped"
    );
    assert_eq!(now.processes().collect::<Vec<_>>(), [8, 9], "in the order in which they came");
}

#[test]
fn a_place_that_is_no_longer_there_keeps_its_totals_and_goes_on_when_it_is_back() {
    let (primary, memory) = cluster(2);
    let last = Member { place: 1, side: 0 };
    worker(&memory, last).answered(Some(Endpoint::Simple), 200);
    primary.set_state(1, PlaceState::Draining);
    primary.set_places(1).unwrap();
    let reader = worker(&memory, FIRST);
    let name = "server_requests_total{server=\"s\",worker=\"p1\",endpoint=\"simple\",status=\"200\"}";
    let states = "server_workers{server=\"s\",state=\"draining\"}";
    assert_eq!(
        (primary.places(), sample(&reader.text("s"), name), sample(&reader.text("s"), states)),
        (1, 1, 1)
    );
    primary.set_state(1, PlaceState::Empty);
    assert_eq!(sample(&reader.text("s"), states), 0);
    primary.set_places(2).unwrap();
    worker(&memory, last).answered(Some(Endpoint::Simple), 200);
    assert_eq!(sample(&reader.text("s"), name), 2);
}

#[test]
fn more_places_than_there_can_be_are_refused_and_written_nowhere() {
    let (primary, memory) = cluster(1);
    let error = primary.set_places(PLACES + 1).unwrap_err().to_string();
    assert_eq!(error, "there can be 1024 places for workers, not 1025");
    assert_eq!(primary.places(), 1);
    primary.set_places(PLACES).unwrap();
    worker(&memory, Member { place: PLACES - 1, side: 1 }).accepted();
    assert_eq!(primary.place(PLACES - 1).connections_accepted, 1);
    // What no place has is written nowhere.
    for place in [PLACES, usize::MAX] {
        primary.set_state(place, PlaceState::Failed);
        primary.add_restart(place);
        primary.occupy(Member { place, side: 0 }, 7);
        primary.vacate(Member { place, side: 0 });
        assert_eq!(primary.place(place), NOWHERE);
    }
    assert_eq!(primary.failed(), Vec::<usize>::new());
}

#[test]
fn only_the_memory_that_places_need_is_taken() {
    let (primary, memory) = cluster(2);
    let taken = || rustix::fs::fstat(&memory).unwrap().st_blocks as u64 * 512;
    assert_eq!(taken(), bytes_for(2));
    primary.set_places(1).unwrap();
    primary.set_places(3).unwrap();
    assert_eq!(taken(), bytes_for(3));
}

/// Memory of `bytes` zeros under `seals`.
fn memfd(bytes: u64, seals: SealFlags) -> OwnedFd {
    let memory = memfd_create("test", MemfdFlags::CLOEXEC | MemfdFlags::ALLOW_SEALING).unwrap();
    ftruncate(&memory, bytes).unwrap();
    fcntl_add_seals(&memory, seals).unwrap();
    memory
}

#[test]
fn a_worker_refuses_what_is_not_its_clusters_memory() {
    let refusal = |memory: OwnedFd| Cluster::open(memory).unwrap_err().to_string();
    let null = File::options().read(true).write(true).open("/dev/null").unwrap();
    assert!(refusal(null.into()).starts_with("read the seals of what was handed over"));
    let unsealed = refusal(memfd(BYTES, SealFlags::empty()));
    assert_eq!(unsealed, "what was handed over as shared memory could be shrunk");
    for bytes in [0, BYTES - 4096, BYTES + 4096] {
        let other = refusal(memfd(bytes, SealFlags::SHRINK));
        assert!(other.starts_with(&format!("the shared memory has {bytes} bytes")), "{other}");
        assert!(other.ends_with("its primary is another version, and is to be restarted"), "{other}");
    }
    let other = refusal(memfd(BYTES, SealFlags::SHRINK));
    assert!(other.contains("laid out otherwise") && other.contains("is to be restarted"), "{other}");
    let (_primary, memory) = cluster(1);
    assert!(ftruncate(&memory, 0).is_err(), "nobody can take it away from the others");
    assert!(Cluster::open(memory).is_ok());
}

/// Does `work` where the kernel answers `errno` to a system call.
fn without<T: Send + 'static>(call: i64, errno: i32, work: impl FnOnce() -> T + Send + 'static) -> T {
    let here = std::env::consts::ARCH.try_into().unwrap();
    let errno = SeccompAction::Errno(errno.unsigned_abs());
    let forbidden = BTreeMap::from([(call, Vec::new())]);
    let filter = SeccompFilter::new(forbidden, SeccompAction::Allow, errno, here).unwrap();
    let filter = BpfProgram::try_from(filter).unwrap();
    // A filter is a thread's, for good.
    let confined = thread::spawn(move || {
        seccompiler::apply_filter(&filter).unwrap();
        work()
    });
    confined.join().unwrap()
}

#[test]
fn memory_that_the_system_refuses_is_said_with_the_call_and_its_reason() {
    for (call, errno, said) in [
        (
            libc::SYS_memfd_create,
            libc::EPERM,
            "make memory to be shared (memfd_create): Operation not permitted",
        ),
        (
            libc::SYS_memfd_create,
            libc::EMFILE,
            "make memory to be shared (memfd_create): Too many open files",
        ),
        (
            libc::SYS_ftruncate,
            libc::EFBIG,
            "give shared memory its size, which `ulimit -f` bounds (ftruncate): File too large",
        ),
        (libc::SYS_fallocate, libc::ENOSPC, "reserve shared memory (fallocate): No space left on device"),
    ] {
        let error = without(call, errno, || Cluster::new().map(drop).unwrap_err().to_string());
        assert!(error.starts_with(said), "{error}");
    }
    // Not every kernel can reserve, and not every one knows every flag.
    without(libc::SYS_fallocate, libc::EOPNOTSUPP, || Cluster::new().unwrap().0.set_places(3).unwrap());

    let (primary, _memory) = cluster(1);
    let scaled = Arc::clone(&primary);
    let error =
        without(libc::SYS_fallocate, libc::ENOSPC, move || scaled.set_places(9).unwrap_err().to_string());
    assert!(error.contains("No space left on device"), "{error}");
    assert_eq!(
        (primary.places(), primary.places_ever()),
        (1, 1),
        "one that is refused more goes on with what it has"
    );
}

#[test]
fn a_primary_without_shared_memory_knows_its_places_as_ever() {
    let primary = Cluster::unshared().unwrap();
    primary.set_places(PLACES).unwrap();
    let last = Member { place: PLACES - 1, side: 1 };
    primary.occupy(last, 7);
    primary.set_state(last.place, PlaceState::Failed);
    let now = primary.place(last.place);
    assert_eq!(
        (now.state, now.pids, primary.failed()),
        (PlaceState::Failed, [None, Some(7)], vec![last.place])
    );
}

#[test]
fn whatever_the_memory_holds_a_worker_reads_it_and_goes_on() {
    let (primary, memory) = cluster(PLACES);
    let file = File::from(memory.try_clone().unwrap());
    let reader = worker(&memory, FIRST);
    for byte in [0xff, 0x80, 0x01] {
        file.write_all_at(&vec![byte; BYTES as usize], 0).unwrap();
        assert_eq!((primary.places(), primary.places_ever()), (PLACES, PLACES));
        let now = primary.place(PLACES - 1);
        assert_eq!((now.state, now.pids[0].is_some()), (PlaceState::Empty, true));
        assert!(reader.text("s").contains("server_workers"));
        assert!(primary.failed().is_empty());
        reader.accepted();
        reader.answered(None, 404);
        primary.vacate(FIRST);
    }
    assert!(Cluster::open(memory).is_err(), "nobody joins such a cluster");
}

#[test]
fn no_total_goes_back_or_is_lost_while_two_workers_count_and_one_is_replaced_again_and_again() {
    const EACH: u64 = 20_000;
    let (primary, memory) = cluster(2);
    let counting = AtomicBool::new(true);
    thread::scope(|scope| {
        let writers = [0, 1].map(|place| {
            let (own, primary) = (opened(&memory), &primary);
            scope.spawn(move || {
                for count in 0..EACH {
                    let member = Member { place, side: (count / 1000 % 2) as usize };
                    if count % 1000 == 0 {
                        primary.occupy(member, 7);
                    }
                    let metrics = Metrics::in_cluster(Arc::clone(&own), member);
                    metrics.accepted();
                    metrics.answered(Some(Endpoint::Simple), 200);
                    // Every tenth is cut off by the end of its process.
                    if count % 10 > 0 {
                        metrics.closed();
                    }
                    if count % 1000 == 999 {
                        primary.vacate(member);
                    }
                }
            })
        });
        let reader = scope.spawn(|| {
            let reader = worker(&memory, FIRST);
            let mut before = BTreeMap::<String, u64>::new();
            while counting.load(SeqCst) {
                let text = reader.text("s");
                for (name, value) in samples(&text).into_iter().filter(|(name, _)| name.contains("_total{")) {
                    let old = before.insert(name.to_owned(), value).unwrap_or(0);
                    assert!(value >= old, "{name} went from {old} to {value}");
                }
            }
        });
        for writer in writers {
            writer.join().unwrap();
        }
        counting.store(false, SeqCst);
        reader.join().unwrap();
    });
    for place in 0..2 {
        let now = opened(&memory).place(place);
        assert_eq!((now.requests, now.connections_accepted, now.connections_open), (EACH, EACH, 0));
    }
}

/// What may happen to a cluster.
#[derive(Clone, Copy, Debug)]
enum Step {
    Accept(Member),
    Close(Member),
    Answer(Member, usize),
    /// The process on that side ends, and the next one takes its place.
    Replace(Member),
    Scale(usize),
}

const MOST: usize = 4;

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let member = (0..MOST, 0..2_usize).prop_map(|(place, side)| Member { place, side });
    let step = prop_oneof![
        4 => member.clone().prop_map(Step::Accept),
        2 => member.clone().prop_map(Step::Close),
        4 => (member.clone(), 0..Endpoint::ALL.len()).prop_map(|(member, endpoint)| Step::Answer(member, endpoint)),
        1 => member.prop_map(Step::Replace),
        1 => (1..=MOST).prop_map(Step::Scale),
    ];
    proptest::collection::vec(step, 1..60)
}

proptest! {
    #[test]
    fn totals_never_go_back_and_sum_up_whatever_happens(steps in steps()) {
        let (primary, memory) = cluster(MOST);
        let open_at = |member: Member| member.place * 2 + member.side;
        let (mut open, mut accepted, mut answered) = ([0_u64; MOST * 2], 0, 0);
        let mut before = BTreeMap::<String, u64>::new();
        for step in steps {
            match step {
                Step::Accept(member) => {
                    worker(&memory, member).accepted();
                    open[open_at(member)] += 1;
                    accepted += 1;
                }
                // A process closes none but its own.
                Step::Close(member) if open[open_at(member)] > 0 => {
                    worker(&memory, member).closed();
                    open[open_at(member)] -= 1;
                }
                Step::Close(_) => {}
                Step::Answer(member, endpoint) => {
                    worker(&memory, member).answered(Some(Endpoint::ALL[endpoint]), 200);
                    answered += 1;
                }
                Step::Replace(member) => {
                    primary.vacate(member);
                    primary.add_restart(member.place);
                    primary.occupy(member, 7);
                    open[open_at(member)] = 0;
                }
                Step::Scale(count) => primary.set_places(count).unwrap(),
            }
            let text = worker(&memory, FIRST).text("s");
            let now = samples(&text);
            let total = |name: &str| -> u64 {
                now.iter().filter(|(sample, _)| sample.starts_with(name)).map(|(_, value)| value).sum()
            };
            prop_assert_eq!(total("server_requests_total{"), answered);
            prop_assert_eq!(total("server_connections_accepted_total{"), accepted);
            prop_assert_eq!(total("server_connections_open{"), open.iter().sum::<u64>());
            for (name, value) in now.iter().filter(|(name, _)| name.contains("_total{")) {
                let old = before.insert((*name).to_owned(), *value).unwrap_or(0);
                prop_assert!(*value >= old, "{} went from {} to {}", name, old, value);
            }
            prop_assert!(before.keys().all(|name| now.contains_key(name.as_str())), "a series is gone: {}", text);
            let places: u64 = (0..MOST).map(|place| primary.place(place).requests).sum();
            prop_assert_eq!(places, answered);
        }
    }
}
