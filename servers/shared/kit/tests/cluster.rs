//! Counters that outlive the process that counted: a primary, and workers that are killed.
//!
//! A program of its own, since it is both. A worker gets the memory as its standard input, counts, says so, and waits to be
//! killed.

#![expect(clippy::disallowed_macros, reason = "what a test prints is what it is for")]

use std::{
    env,
    io::{self, BufRead, BufReader},
    os::fd::{AsFd, OwnedFd},
    process::{Child, ExitCode, Stdio, exit},
    sync::Arc,
    thread,
    time::Duration,
};

use app::Endpoint;
use kit::{
    cluster::{Cluster, Member, PlaceState},
    metrics::Metrics,
};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// After which a worker counts as stuck.
const PATIENCE: Duration = Duration::from_secs(60);
const STUCK: i32 = 99;

/// How this program is told that it is a worker, and on which side of which place.
const WORKER: &str = "--worker";
/// That it is a worker without address space to spare; that it is a primary whose files may not grow.
const CRAMPED: &str = "--cramped";
const FILELESS: &str = "--fileless";

/// How often each worker counts each thing.
const EACH: u64 = 10_000;

fn main() -> ExitCode {
    let arguments: Vec<_> = env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [WORKER, place, side] => work(place.parse().unwrap(), side.parse().unwrap()),
        [CRAMPED] => cramped(),
        [FILELESS] => fileless(),
        // Whatever else cargo says to a test.
        _ => {
            workers_that_are_killed_leave_what_they_counted_and_nothing_open();
            a_worker_without_address_space_says_which_call_was_refused();
            a_primary_whose_files_may_not_grow_is_told_so_and_can_go_on();
        }
    }
    ExitCode::SUCCESS
}

fn memory() -> OwnedFd {
    io::stdin().as_fd().try_clone_to_owned().unwrap()
}

fn work(place: usize, side: usize) {
    let metrics = Metrics::in_cluster(Arc::new(Cluster::open(memory()).unwrap()), Member { place, side });
    for _ in 0..EACH {
        metrics.accepted();
        metrics.answered(Some(Endpoint::Simple), 200);
        metrics.operation_started();
    }
    println!("counted");
    thread::sleep(PATIENCE);
    exit(STUCK);
}

fn cramped() {
    let memory = memory();
    let own = std::fs::read_to_string("/proc/self/statm").unwrap();
    let pages: u64 = own.split(' ').next().unwrap().parse().unwrap();
    limit(Resource::As, pages * rustix::param::page_size() as u64 + (1 << 20));
    println!("{}", Cluster::open(memory).unwrap_err());
}

fn fileless() {
    // As every server has it (`kit::start`): otherwise the signal is the end.
    signal_hook::flag::register(signal_hook::consts::SIGXFSZ, Arc::default()).unwrap();
    limit(Resource::Fsize, 0);
    let error = Cluster::new().unwrap_err();
    Cluster::unshared().unwrap().set_places(2).unwrap();
    println!("{error}");
}

fn limit(resource: Resource, bytes: u64) {
    setrlimit(resource, Rlimit { current: Some(bytes), ..getrlimit(resource) }).unwrap();
}

/// This program again, and the first line that it says.
fn start(arguments: &[String], memory: &OwnedFd) -> (Child, String) {
    let mut child = host::tether::command(env::current_exe().unwrap())
        .args(arguments)
        .stdin(memory.try_clone().unwrap())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line)
}

fn workers_that_are_killed_leave_what_they_counted_and_nothing_open() {
    let (cluster, memory) = Cluster::new().unwrap();
    let cluster = Arc::new(cluster);
    cluster.set_places(2).unwrap();
    let mut lives = 0;
    // Twice on one side, so that one goes on with the block of another, and on the other side as well.
    for sides in [[0, 0], [1, 0], [0, 0]] {
        let workers = [0, 1].map(|place| {
            let member = Member { place, side: sides[place] };
            let arguments = [WORKER.to_owned(), place.to_string(), member.side.to_string()];
            let (child, said) = start(&arguments, &memory);
            assert_eq!(said, "counted\n");
            cluster.occupy(member, child.id());
            cluster.set_state(place, PlaceState::Ready);
            (member, child)
        });
        lives += 1;
        for (member, mut child) in workers {
            let now = cluster.place(member.place);
            assert_eq!((now.connections_open, now.operations_in_flight), (EACH, EACH));
            assert_eq!(now.processes().collect::<Vec<_>>(), [child.id()]);
            child.kill().unwrap();
            child.wait().unwrap();
            cluster.vacate(member);
            let now = cluster.place(member.place);
            assert_eq!((now.connections_open, now.operations_in_flight), (0, 0));
            assert_eq!((now.connections_accepted, now.requests), (lives * EACH, lives * EACH));
            assert_eq!(now.processes().count(), 0);
        }
    }
    let text = Metrics::in_cluster(cluster, Member { place: 0, side: 0 }).text("s");
    for worker in ["p0", "p1"] {
        let total = format!("worker=\"{worker}\",endpoint=\"simple\",status=\"200\"}} {}\n", lives * EACH);
        assert!(text.contains(&total), "{text}");
    }
    assert!(text.contains("server_connections_open{server=\"s\"} 0\n"), "{text}");
}

fn a_worker_without_address_space_says_which_call_was_refused() {
    let (_cluster, memory) = Cluster::new().unwrap();
    let (mut child, said) = start(&[CRAMPED.to_owned()], &memory);
    assert_eq!(said, "map shared memory (mmap): Cannot allocate memory (os error 12)\n");
    assert!(child.wait().unwrap().success());
}

fn a_primary_whose_files_may_not_grow_is_told_so_and_can_go_on() {
    let (_cluster, memory) = Cluster::new().unwrap();
    let (mut child, said) = start(&[FILELESS.to_owned()], &memory);
    let refused =
        "give shared memory its size, which `ulimit -f` bounds (ftruncate): File too large (os error 27)\n";
    assert_eq!(said, refused);
    assert!(child.wait().unwrap().success());
}
