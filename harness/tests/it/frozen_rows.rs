//! What can happen to a server while it stands still between its windows: each is a fault of its start, by name, and nothing else.

use std::{collections::BTreeMap, time::Instant};

use host::{cpu_clock, cpus::CpuSet, members, members::Member, ready::Profile};
use race::{
    plan::{cpu_plan::CpuPlan, run_plan::Entry, scenario::Placement},
    programs::{builder::Built, context::Context},
    registry::{Registry, Row},
    start::server::Server,
};
use rustix::process::{Pid, Signal, kill_process};
use terminal::interrupt::Interrupt;

use crate::{
    lap::{Lap, PATIENCE, scripted_server},
    support::harness_guard,
};

/// A row of a scripted server, and what it takes to start it.
struct Field {
    row: Row,
    context: Context,
    cpus: CpuPlan,
}

impl Field {
    fn of(mode: &str) -> Self {
        let lap = Lap::with_rows(&[("row", mode)]);
        let row = Registry::read(&lap.folder.path().join("servers.toml")).unwrap().rows()[0].clone();
        let mut context = Context::new(Interrupt::never()).unwrap();
        context.guard = harness_guard();
        let built = Built {
            program: scripted_server(),
            leading_args: vec![mode.to_owned()],
            args: Vec::new(),
            folder: None,
            uses: BTreeMap::new(),
            profile: Profile::Release,
        };
        context.programs.insert("row".to_owned(), built);
        let cpu = CpuSet::allowed().unwrap().iter().next().unwrap();
        let one = CpuSet::from_iter([cpu]);
        let cpus = CpuPlan { placement: Placement::Shared, server: one.clone(), generator: one };
        Self { row, context, cpus }
    }

    /// A server that was started and stands still.
    fn frozen(&self) -> Server<'_> {
        let mut server = Server::start(&self.context, Entry { row: &self.row, twin: false }, &self.cpus);
        assert_eq!(server.while_thawed(|_| Ok(())), Some(()), "{:?}", server.fault());
        server
    }
}

fn tree(server: &Server<'_>) -> Vec<Member> {
    members::below(server.guard().unwrap()).unwrap().living
}

fn signal(member: &Member, signal: Signal) {
    kill_process(Pid::from_raw(i32::try_from(member.pid).unwrap()).unwrap(), signal).unwrap();
}

/// Ends the process of that name, and waits until it is dead.
fn end(server: &Server<'_>, name: &str) {
    let is_it = |member: &&Member| member.name == name;
    signal(tree(server).iter().find(is_it).unwrap(), Signal::KILL);
    let deadline = Instant::now() + PATIENCE;
    while tree(server).iter().any(|member| member.name == name) {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
}

#[test]
fn a_server_that_stood_still_goes_on_as_if_nothing_had_been_and_ends_cleanly() {
    let field = Field::of("right");
    let mut server = field.frozen();
    for _ in 0..3 {
        let address = server.while_thawed(|instance| Ok(instance.address())).unwrap();
        assert_eq!(server.while_thawed(|instance| Ok(instance.address())), Some(address));
    }
    let record = server.stop(3, vec!["open".to_owned()]);
    assert_eq!((record.fault, record.unclean_end, record.start), (None, None, 3));
    assert!(record.life.is_some_and(|life| life.peak_rss_kib > 0));
}

#[test]
fn one_that_dies_while_it_stands_still_is_measured_no_further() {
    let field = Field::of("right");
    let mut server = field.frozen();
    end(&server, "scripted_server");
    assert_eq!(server.while_thawed(|_| Ok(())), None);
    let fault = server.fault().unwrap().to_owned();
    assert!(fault.contains("died while frozen") || fault.contains("nothing runs"), "{fault}");
    assert!(fault.contains("KILL"), "{fault}");
    // It stays so.
    assert_eq!(server.while_thawed(|_| Ok(())), None);
    assert_eq!(server.stop(0, Vec::new()).fault, Some(fault));
}

#[test]
fn one_that_somebody_lets_go_on_is_measured_no_further() {
    let field = Field::of("right");
    let mut server = field.frozen();
    let member = &tree(&server)[0];
    let used = || cpu_clock::of_process(member.pid).unwrap();
    let (before, deadline) = (used(), Instant::now() + PATIENCE);
    signal(member, Signal::CONT);
    while used() == before {
        assert!(Instant::now() < deadline);
        std::thread::yield_now();
    }
    assert_eq!(server.while_thawed(|_| Ok(())), None);
    let fault = server.fault().unwrap();
    assert!(fault.contains("while frozen: somebody let it go on"), "{fault}");
}

#[test]
fn one_whose_part_dies_while_it_stands_still_is_measured_no_further() {
    // Its child is a part of it.
    let field = Field::of("daemonises");
    let mut server = field.frozen();
    end(&server, "sleep");
    assert_eq!(server.while_thawed(|_| Ok(())), None);
    let fault = server.fault().unwrap();
    assert!(fault.contains("(sleep) died while frozen"), "{fault}");
}
