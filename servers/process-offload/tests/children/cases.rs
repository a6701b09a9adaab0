//! What a server owes whose children go wrong, each case by real processes, with children that stay and with one per request.

use std::{
    collections::BTreeSet,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use host::{
    launch::{Exit, Launch, LaunchError, Process},
    processes::{descendants, send},
};
use rustix::process::Signal;

use crate::played::{ILL, PLAY, Play};

const PATIENCE: Duration = Duration::from_secs(40);

/// All of them, by name.
macro_rules! all {
    ($($name:ident),* $(,)?) => { &[$((stringify!($name), $name as fn())),*] };
}

pub(crate) const ALL: &[(&str, fn())] = all![
    operations_are_computed_in_children_and_their_answers_name_them,
    a_child_that_answers_wrongly_costs_one_request_and_is_replaced,
    a_child_that_ends_with_an_operation_costs_that_request_and_is_replaced,
    a_child_that_hangs_is_killed_and_costs_one_request,
    an_operation_that_its_child_never_read_is_computed_by_another,
    an_operation_that_ends_all_who_are_to_read_it_is_answered_in_the_end,
    a_child_that_is_killed_while_it_waits_is_replaced_and_costs_nothing,
    a_reload_replaces_the_children_and_fails_no_request,
    no_descriptor_stays_behind_of_children_that_are_gone,
    children_that_all_crash_too_often_end_the_server_which_says_of_what,
    children_that_cannot_start_are_a_failure_to_start,
    a_tree_that_is_stopped_and_continued_loses_nothing,
    a_stop_ends_children_in_the_middle_of_what_they_compute,
    children_end_with_a_server_that_is_killed,
];

/// Children that stay, and one per request.
const BOTH: [&[&str]; 2] = [&[], &["--per-request"]];

struct Server {
    process: Process,
    address: SocketAddr,
}

fn launch(play: Play, arguments: &[&str]) -> Process {
    let own = std::env::current_exe().unwrap();
    let launch = Launch::new(own).args([PLAY, &play.name(), "--listen", "127.0.0.1:0", "--workers", "1"]);
    launch.args(arguments).env("RUST_BACKTRACE", "0").spawn().unwrap()
}

impl Server {
    /// With one child at a time, unless the arguments say otherwise.
    fn start(play: Play, arguments: &[&str]) -> Self {
        let mut process = launch(play, arguments);
        let address = process.ready(PATIENCE).unwrap().address;
        Self { process, address }
    }

    /// The server's own process, which the launcher guards.
    fn pid(&self) -> u32 {
        let info = self.get("/info").1;
        number_after(&info, "\"pid\":")
    }

    fn children(&self) -> BTreeSet<u32> {
        descendants(self.pid()).into_iter().collect()
    }

    /// Status and body.
    fn get(&self, path: &str) -> (u16, String) {
        receive(ask(self.address, path))
    }

    fn complex(&self, iterations: u64) -> (u16, String) {
        self.get(&format!("/complex?iterations={iterations}"))
    }

    /// What is well is computed, and what needs no child is answered.
    fn is_well(&self) {
        assert_eq!(self.get("/simple").0, 200);
        let (status, body) = self.complex(10);
        assert!(status == 200 && body.contains("\"payload\":45"), "{status} {body}");
        let (status, body) = self.get("/api/randoms?count=2&seed=7");
        assert!(status == 200 && body.contains(r#""frequencies":{"533":1,"691":1}"#), "{status} {body}");
    }

    fn stop(self) -> Exit {
        self.process.stop(PATIENCE).unwrap()
    }

    fn stops_cleanly(self) {
        let exit = self.stop();
        assert!(exit.is_clean(), "{exit:?}");
    }
}

fn ask(address: SocketAddr, path: &str) -> TcpStream {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    write!(stream, "GET {path} HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n").unwrap();
    stream
}

fn receive(mut stream: TcpStream) -> (u16, String) {
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{answer:?}"));
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn number_after(text: &str, what: &str) -> u32 {
    let digits: String = text.split(what).nth(1).unwrap().chars().take_while(char::is_ascii_digit).collect();
    digits.parse().unwrap()
}

fn eventually<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        if let Some(got) = wanted() {
            return got;
        }
        assert!(Instant::now() < deadline, "{what}: not within {PATIENCE:?}");
        thread::park_timeout(Duration::from_millis(5));
    }
}

fn operations_are_computed_in_children_and_their_answers_name_them() {
    for mode in BOTH {
        let server = Server::start(Play::Computes, mode);
        server.is_well();
        assert!(server.get("/simple").1.contains("\"worker\":\"t"));
        let (_, body) = server.complex(10);
        assert_eq!(body, r#"{"origin":"process-offload","worker":"p0","payload":45}"#);
        let expected = if mode.is_empty() { 1 } else { 0 };
        eventually("no child that is not wanted", || (server.children().len() == expected).then_some(()));
        server.stops_cleanly();
    }
}

fn a_child_that_answers_wrongly_costs_one_request_and_is_replaced() {
    let plays = [Play::WritesGarbage, Play::WritesTooMuch, Play::WritesNothing, Play::AnswersAnother];
    for (play, mode) in plays.into_iter().flat_map(|play| BOTH.map(|mode| (play, mode))) {
        let server = Server::start(play, mode);
        server.is_well();
        for _ in 0..2 {
            assert_eq!(
                server.complex(ILL),
                (500, r#"{"error":"the operation failed"}"#.to_owned()),
                "{play:?}"
            );
            server.is_well();
        }
        server.stops_cleanly();
    }
}

fn a_child_that_ends_with_an_operation_costs_that_request_and_is_replaced() {
    for (play, mode) in
        [Play::EndsInTheMiddle, Play::Ends].into_iter().flat_map(|play| BOTH.map(|mode| (play, mode)))
    {
        let server = Server::start(play, mode);
        for _ in 0..2 {
            assert_eq!(server.complex(ILL).0, 500, "{play:?}");
            server.is_well();
        }
        server.stops_cleanly();
    }
}

fn a_child_that_hangs_is_killed_and_costs_one_request() {
    for mode in BOTH {
        let server = Server::start(Play::Hangs, &[mode, &["--hang-timeout", "1s"]].concat());
        let hanging = ask(server.address, &format!("/complex?iterations={ILL}"));
        assert_eq!(server.get("/simple").0, 200, "meanwhile");
        assert_eq!(receive(hanging).0, 500);
        server.is_well();
        server.stops_cleanly();
    }
}

fn an_operation_that_its_child_never_read_is_computed_by_another() {
    let folder = tempfile::tempdir().unwrap();
    let once = folder.path().join("once");
    let server = Server::start(Play::EndsBefore, &["--once", once.to_str().unwrap()]);
    let (status, body) = server.complex(ILL);
    assert!(status == 200 && body.contains("\"payload\":78"), "{status} {body}");
    assert!(once.exists(), "a child has ended over it");
    server.stops_cleanly();
}

fn an_operation_that_ends_all_who_are_to_read_it_is_answered_in_the_end() {
    for mode in BOTH {
        let server = Server::start(Play::EndsBefore, mode);
        assert_eq!(server.complex(ILL).0, 500);
        server.is_well();
        server.stops_cleanly();
    }
}

fn a_child_that_is_killed_while_it_waits_is_replaced_and_costs_nothing() {
    let server = Server::start(Play::Computes, &["--children", "2"]);
    let before = server.children();
    assert_eq!(before.len(), 2);
    before.iter().for_each(|pid| assert!(send(*pid, Signal::KILL)));
    for _ in 0..10 {
        server.is_well();
    }
    eventually("two others", || {
        let now = server.children();
        (now.len() == 2 && now.is_disjoint(&before)).then_some(())
    });
    server.stops_cleanly();
}

fn a_reload_replaces_the_children_and_fails_no_request() {
    let server = Server::start(Play::Computes, &["--children", "2"]);
    let before = server.children();
    assert!(send(server.pid(), Signal::HUP));
    eventually("two others", || {
        server.is_well();
        let now = server.children();
        (now.len() == 2 && now.is_disjoint(&before)).then_some(())
    });
    server.stops_cleanly();
}

fn no_descriptor_stays_behind_of_children_that_are_gone() {
    for mode in BOTH {
        let server = Server::start(Play::Computes, mode);
        let pid = server.pid();
        let open = || std::fs::read_dir(format!("/proc/{pid}/fd")).unwrap().count();
        let mut first = None;
        for _ in 0..8 {
            let before = server.children();
            if mode.is_empty() {
                assert!(send(pid, Signal::HUP));
                eventually("another", || {
                    let now = server.children();
                    (now.len() == 1 && now.is_disjoint(&before)).then_some(())
                });
            }
            server.is_well();
            // A reload keeps the program that it found, from the first one on.
            first.get_or_insert_with(open);
        }
        // A connection that was just closed, or a child, may still have its own.
        let first = first.unwrap();
        eventually("as many as after the first", || (open() <= first).then_some(()));
        server.stops_cleanly();
    }
}

fn children_that_all_crash_too_often_end_the_server_which_says_of_what() {
    let mut process = launch(Play::Talks, &["--max-crashes", "3"]);
    // It may have begun to serve by then, or not.
    let said = match process.ready(PATIENCE) {
        Ok(_ready) => {
            let exit = process.wait(PATIENCE).unwrap();
            assert!(!exit.forced && exit.left_behind == 0, "{exit:?}");
            exit.stderr
        }
        Err(LaunchError::Died { stderr, .. }) => stderr,
        Err(error) => panic!("{error}"),
    };
    let said = said.join("\n");
    assert!(said.contains("error: all places have failed: worker p0"), "{said}");
}

fn children_that_cannot_start_are_a_failure_to_start() {
    for (mode, words) in
        BOTH.into_iter().zip(["worker p0 exited with code 3 before all", "worker p0 exited with code 3"])
    {
        match launch(Play::Refuses, mode).ready(PATIENCE) {
            Err(LaunchError::Died { ended, stderr }) => {
                let said = stderr.join("\n");
                assert!(
                    ended == "exit code 1" && said.contains(&format!("error: {words}")),
                    "{ended}: {said}"
                );
            }
            other => panic!("{other:?}"),
        }
    }
}

fn a_tree_that_is_stopped_and_continued_loses_nothing() {
    for mode in BOTH {
        let server = Server::start(Play::Computes, &[mode, &["--hang-timeout", "2s"]].concat());
        let (pid, before) = (server.pid(), server.children());
        let computing = ask(server.address, "/complex?iterations=20000000");
        let tree = || [vec![pid], descendants(pid)].concat();
        eventually("a child", || (!descendants(pid).is_empty()).then_some(()));
        tree().iter().for_each(|pid| assert!(send(*pid, Signal::STOP)));
        // More than a child may hang.
        thread::sleep(Duration::from_secs(4));
        tree().iter().for_each(|pid| assert!(send(*pid, Signal::CONT)));
        assert_eq!(receive(computing).0, 200);
        server.is_well();
        if mode.is_empty() {
            assert_eq!(server.children(), before, "nobody was replaced");
        }
        server.stops_cleanly();
    }
}

fn a_stop_ends_children_in_the_middle_of_what_they_compute() {
    for mode in BOTH {
        let server = Server::start(Play::Computes, &[mode, &["--drain-timeout", "300ms"]].concat());
        let pid = server.pid();
        let computing = ask(server.address, "/complex?iterations=5000000000");
        eventually("a child", || (!descendants(pid).is_empty()).then_some(()));
        let exit = server.stop();
        assert!(exit.is_clean(), "{exit:?}");
        drop(computing);
    }
}

fn children_end_with_a_server_that_is_killed() {
    for mode in BOTH {
        let server = Server::start(Play::Computes, mode);
        let pid = server.pid();
        let computing = ask(server.address, "/complex?iterations=5000000000");
        let children =
            eventually("a child", || Some(descendants(pid)).filter(|children| !children.is_empty()));
        assert!(send(pid, Signal::KILL));
        eventually("the children's end", || {
            let alive = |child: &u32| {
                std::fs::read_to_string(format!("/proc/{child}/stat")).is_ok_and(|stat| !stat.contains(") Z"))
            };
            (!children.iter().any(alive)).then_some(())
        });
        drop((server, computing));
    }
}
