//! What the primary promises: a worker that ends is replaced, and no worker outlives it.

use std::{
    collections::HashSet,
    fs::File,
    io::{BufRead, BufReader, Read, Write, pipe},
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Stdio,
    thread,
    time::{Duration, Instant},
};

use host::{
    launch::{Launch, LaunchError, Process},
    processes::{descendants, send, wait_until},
    ready::Ready,
    tether,
};
use rustix::process::Signal;

const PATIENCE: Duration = Duration::from_secs(20);

fn launch(arguments: &[&str]) -> (Process, Ready) {
    let binary = Path::new(env!("CARGO_BIN_EXE_fork-per-core"));
    let launch = Launch::new(binary).args(["--listen", "127.0.0.1:0", "--workers", "2"]).args(arguments);
    let mut server = launch.spawn().unwrap();
    let ready = server.ready(PATIENCE).unwrap();
    (server, ready)
}

/// Asks again until `wanted` gives something; fails when that takes too long.
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

/// A connection on which one request after the other can be made.
struct Client(TcpStream);

impl Client {
    fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        Self(stream)
    }

    /// The body of the answer to `GET path`, which must be a 200 in a few short segments.
    fn get(&mut self, path: &str) -> std::io::Result<String> {
        write!(self.0, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")?;
        let mut answer = String::new();
        let mut buffer = [0; 4096];
        loop {
            if let Some((head, body)) = answer.split_once("\r\n\r\n") {
                assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
                let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                if body.len() == length.unwrap().parse::<usize>().unwrap() {
                    return Ok(body.to_owned());
                }
            }
            let count = self.0.read(&mut buffer)?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
    }

    /// The process that serves this connection.
    fn pid(&mut self) -> u32 {
        let info: serde_json::Value = serde_json::from_str(&self.get("/info").unwrap()).unwrap();
        u32::try_from(info["pid"].as_u64().unwrap()).unwrap()
    }
}

#[test]
fn a_killed_worker_is_replaced_and_others_keep_serving() {
    let (server, ready) = launch(&[]);
    let workers = descendants(server.pid());
    assert_eq!(workers.len(), 2);
    // The kernel spreads connections by a hash of their ports: a few of them reach both workers.
    let (victim, mut spared) = eventually("a connection to each worker", || {
        let mut clients = [Client::connect(ready.address), Client::connect(ready.address)];
        let pids = clients.each_mut().map(Client::pid);
        let [_, second] = clients;
        (pids[0] != pids[1]).then_some((pids[0], second))
    });
    let survivor = spared.pid();

    assert!(send(victim, Signal::KILL));
    assert_eq!(spared.pid(), survivor, "the other worker keeps its connection");
    let replacement = eventually("a replacement", || {
        let now: HashSet<u32> = descendants(server.pid()).into_iter().collect();
        (now.len() == 2 && !now.contains(&victim)).then(|| now.into_iter().find(|pid| *pid != survivor))?
    });
    // No connection is refused meanwhile: the primary holds the listener. So each of these is answered.
    eventually("an answer of the replacement", || {
        (Client::connect(ready.address).pid() == replacement).then_some(())
    });
    assert_eq!(spared.pid(), survivor);

    let exit = server.stop(PATIENCE).unwrap();
    assert!(exit.is_clean(), "{exit:?}");
    assert!(exit.stderr.iter().any(|line| line.contains("was ended by signal 9")), "{:?}", exit.stderr);
}

#[test]
fn a_killed_worker_is_replaced_where_nobody_hears_of_it() {
    let gone = || Stdio::from(pipe().unwrap().1);
    let full = || Stdio::from(File::options().write(true).open("/dev/full").unwrap());
    for stderr in [gone(), full()] {
        let mut server = tether::command(env!("CARGO_BIN_EXE_fork-per-core"))
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
        env!("CARGO_BIN_EXE_fork-per-core"),
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
    let (server, _) = launch(&[]);
    let workers = descendants(server.pid());
    assert_eq!(workers.len(), 2);
    assert!(send(server.pid(), Signal::KILL));
    let _ = server.wait(PATIENCE).unwrap();
    for worker in workers {
        let process = Path::new("/proc").join(worker.to_string()).join("exe");
        // Gone, or a zombie that waits for whoever adopted it.
        eventually("the end of a worker", || std::fs::read_link(&process).is_err().then_some(()));
    }
}

#[test]
fn a_stop_drains_requests_under_way_in_every_worker() {
    let (server, ready) = launch(&[]);
    let workers = descendants(server.pid());
    let slow: Vec<_> = (0..8)
        .map(|_| {
            let mut client = Client::connect(ready.address);
            // Its worker has accepted it and is waiting out the delay when the stop comes, as /metrics then shows.
            thread::spawn(move || client.get("/delay?ms=2000"))
        })
        .collect();
    eventually("eight delays under way", || {
        let metrics = Client::connect(ready.address).get("/metrics").unwrap();
        metrics.lines().any(|line| line.starts_with("server_operations_in_flight{") && line.ends_with("} 8")).then_some(())
    });
    let exit = server.stop(PATIENCE).unwrap();
    assert!(exit.is_clean(), "{exit:?}");
    for client in slow {
        assert!(client.join().unwrap().unwrap().contains("\"payload\":2000"));
    }
    for worker in workers {
        assert!(std::fs::read_link(format!("/proc/{worker}/exe")).is_err(), "worker {worker} is left");
    }
}
