//! What the primary promises: a worker that ends is replaced, and no worker outlives it.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader, pipe},
    path::Path,
    process::Stdio,
    thread,
    time::Instant,
};

use host::{
    launch::{Launch, LaunchError},
    processes::{descendants, send, wait_until},
    ready::Ready,
    tether,
};
use rustix::process::Signal;

use crate::played::{Client, PATIENCE, PROGRAM, Server, eventually};

#[test]
fn a_killed_worker_is_replaced_and_others_keep_serving() {
    let mut server = Server::start(&[]);
    assert_eq!(server.workers().len(), 2);
    // The kernel spreads connections by a hash of their ports: a few of them reach both workers.
    let (victim, mut spared) = eventually("a connection to each worker", || {
        let mut clients = [server.connect(), server.connect()];
        let pids = clients.each_mut().map(Client::pid);
        let [_, second] = clients;
        (pids[0] != pids[1]).then_some((pids[0], second))
    });
    let survivor = spared.pid();

    assert!(send(victim, Signal::KILL));
    assert_eq!(spared.pid(), survivor, "the other worker keeps its connection");
    let replacement = eventually("a replacement", || {
        let now: HashSet<u32> = server.workers().into_iter().collect();
        (now.len() == 2 && !now.contains(&victim)).then(|| now.into_iter().find(|pid| *pid != survivor))?
    });
    // No connection is refused meanwhile: the primary holds the listener. So each of these is answered.
    eventually("an answer of the replacement", || (server.connect().pid() == replacement).then_some(()));
    assert_eq!(spared.pid(), survivor);

    server.until("was ended by signal 9");
    assert_eq!(server.stop().0, Some(0));
}

#[test]
fn a_killed_worker_is_replaced_where_nobody_hears_of_it() {
    let gone = || Stdio::from(pipe().unwrap().1);
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    for stderr in [gone(), full()] {
        let mut server = tether::command(PROGRAM)
            .args(["--listen", "127.0.0.1:0", "--workers", "1"])
            .stdout(Stdio::piped())
            .stderr(stderr)
            .spawn()
            .unwrap();
        // The reader leaves with it, and so does stdout.
        let mut line = String::new();
        BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let ready: Ready = serde_json::from_str(&line).unwrap();
        let mut victim = Client::connect(ready.address).pid();
        for _ in 0..3 {
            assert!(send(victim, Signal::KILL));
            victim = eventually("a replacement", || {
                let worker = descendants(server.id()).into_iter().find(|pid| *pid != victim)?;
                let mut client = Client::connect(ready.address);
                (client.get("/healthz").is_ok() && client.pid() == worker).then_some(worker)
            });
        }
        assert!(send(server.id(), Signal::TERM));
        let status = wait_until(&mut server, Instant::now() + PATIENCE).unwrap();
        assert_eq!(status.and_then(|status| status.code()), Some(0), "{status:?}");
    }
}

#[test]
fn a_worker_that_cannot_start_is_told_once_and_by_the_primary() {
    // Three threads and processes: the primary has two of them, and each worker wants as many.
    let limited = "--nproc=3:3 setpriv --reuid 60999 --regid 60999 --clear-groups --";
    let launch = Launch::new("prlimit").args(limited.split(' ')).args([
        PROGRAM,
        "--listen",
        "127.0.0.1:0",
        "--workers",
        "1",
    ]);
    let error = match launch.spawn().unwrap().ready(PATIENCE) {
        Err(LaunchError::Died { ended, stderr }) => (ended, stderr),
        other => panic!("{other:?}"),
    };
    let (ended, stderr) = error;
    if stderr.iter().any(|line| line.contains("setpriv")) {
        return println!("skipped: only root becomes another user ({stderr:?})");
    }
    assert_eq!(ended, "exit code 1");
    let [line] = stderr.as_slice() else { panic!("{stderr:#?}") };
    assert!(line.starts_with("error: worker p0: cannot handle stop signals: "), "{line}");
}

#[test]
fn workers_end_when_the_primary_is_killed() {
    let server = Server::start(&[]);
    let workers = server.workers();
    assert_eq!(workers.len(), 2);
    server.signal(Signal::KILL);
    assert_eq!(server.end().0, None);
    for worker in workers {
        let process = Path::new("/proc").join(worker.to_string()).join("exe");
        // Gone, or a zombie that waits for whoever adopted it.
        eventually("the end of a worker", || std::fs::read_link(&process).is_err().then_some(()));
    }
}

#[test]
fn a_stop_drains_requests_under_way_in_every_worker() {
    let server = Server::start(&[]);
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let mut client = server.connect();
            // Its worker has accepted it and is waiting out the delay when the stop comes, as /metrics then shows.
            thread::spawn(move || client.get("/delay?ms=2000"))
        })
        .collect();
    eventually("eight delays under way", || {
        let metrics = server.connect().get("/metrics").unwrap();
        metrics
            .lines()
            .any(|line| line.starts_with("server_operations_in_flight{") && line.ends_with("} 8"))
            .then_some(())
    });
    assert_eq!(server.stop().0, Some(0));
    for client in slow {
        assert!(client.join().unwrap().unwrap().contains("\"payload\":2000"));
    }
}

#[test]
fn a_drain_hears_no_hangup_and_a_second_stop_ends_it_at_once() {
    for second in [Signal::HUP, Signal::TERM] {
        let mut server = Server::start(&[]);
        let address = server.address;
        let slow = thread::spawn(move || Client::connect(address).get("/delay?ms=1500"));
        eventually("a delay under way", || {
            let metrics = server.connect().get("/metrics").unwrap();
            metrics
                .lines()
                .any(|line| line.starts_with("server_operations_in_flight{") && line.ends_with("} 1"))
                .then_some(())
        });
        let workers = server.workers();
        server.signal(Signal::TERM);
        server.until("stopping: no new connections");
        server.signal(second);
        let (code, log) = server.end();
        let drained = slow.join().unwrap().is_ok();
        assert_eq!(
            (code, drained),
            if second == Signal::HUP { (Some(0), true) } else { (Some(143), false) },
            "{log}"
        );
        assert!(!log.contains("reload"), "{log}");
        for worker in workers {
            let process = Path::new("/proc").join(worker.to_string()).join("exe");
            eventually("the end of a worker", || std::fs::read_link(&process).is_err().then_some(()));
        }
    }
}
