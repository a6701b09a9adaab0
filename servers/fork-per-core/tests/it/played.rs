//! A server and its clients, as tests see them.

use std::{
    ffi::OsStr,
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering::Relaxed},
        mpsc::{self, Receiver},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use host::{
    processes::{descendants, send, wait_until},
    ready::Ready,
    tether,
};
use rustix::process::Signal;

pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
pub(crate) const PROGRAM: &str = env!("CARGO_BIN_EXE_fork-per-core");

/// Asks again until `wanted` gives something; fails when that takes too long.
pub(crate) fn eventually<T>(what: &str, mut wanted: impl FnMut() -> Option<T>) -> T {
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
pub(crate) struct Client {
    stream: TcpStream,
    /// Whether the server has said that it closes the connection.
    pub(crate) is_over: bool,
}

impl Client {
    pub(crate) fn connect(address: SocketAddr) -> Self {
        let stream = TcpStream::connect_timeout(&address, PATIENCE).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Self { stream, is_over: false }
    }

    /// The body of the answer to `GET path`, which must be a 200 in a few short segments.
    pub(crate) fn get(&mut self, path: &str) -> std::io::Result<String> {
        write!(self.stream, "GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")?;
        let mut answer = String::new();
        let mut buffer = [0; 4096];
        loop {
            if let Some((head, body)) = answer.split_once("\r\n\r\n") {
                assert!(head.starts_with("HTTP/1.1 200"), "{answer}");
                let length = head.split("content-length: ").nth(1).and_then(|rest| rest.split("\r\n").next());
                if body.len() == length.unwrap().parse::<usize>().unwrap() {
                    self.is_over |= head.contains("connection: close");
                    return Ok(body.to_owned());
                }
            }
            let count = self.stream.read(&mut buffer)?;
            if count == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            answer.push_str(std::str::from_utf8(&buffer[..count]).unwrap());
        }
    }

    /// The process that serves this connection.
    pub(crate) fn pid(&mut self) -> u32 {
        let info: serde_json::Value = serde_json::from_str(&self.get("/info").unwrap()).unwrap();
        u32::try_from(info["pid"].as_u64().unwrap()).unwrap()
    }
}

/// A server that was started, and a folder for it.
pub(crate) struct Server {
    child: Child,
    pub(crate) address: SocketAddr,
    pub(crate) folder: tempfile::TempDir,
    lines: Receiver<String>,
    pub(crate) log: Vec<String>,
}

impl Server {
    /// With two workers, and whatever else is said.
    pub(crate) fn start(arguments: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let control = folder.path().join("control.sock");
        let mut command = tether::command(PROGRAM);
        command.args(["--listen", "127.0.0.1:0", "--workers", "2", "--control"]).arg(control).args(arguments);
        Self::spawn(command, folder)
    }

    /// Whatever `command` starts.
    pub(crate) fn spawn(mut command: Command, folder: tempfile::TempDir) -> Self {
        let mut child =
            command.env_remove("RUST_LOG").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (said, lines) = mpsc::channel();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        thread::spawn(move || stderr.lines().map_while(Result::ok).try_for_each(|line| said.send(line)));
        let mut line = String::new();
        let mut stdout = BufReader::new(child.stdout.take().unwrap());
        stdout.read_line(&mut line).unwrap();
        let ready: Ready = serde_json::from_str(&line).unwrap_or_else(|error| {
            let log: Vec<String> = lines.iter().collect();
            panic!("no ready line ({error}), but {line:?}:\n{}", log.join("\n"))
        });
        Self { child, address: ready.address, folder, lines, log: Vec::new() }
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn connect(&self) -> Client {
        Client::connect(self.address)
    }

    pub(crate) fn workers(&self) -> Vec<u32> {
        descendants(self.child.id())
    }

    pub(crate) fn workers_become(&self, wanted: impl Fn(&[u32]) -> bool) -> Vec<u32> {
        eventually("the workers", || Some(self.workers()).filter(|workers| wanted(workers)))
    }

    pub(crate) fn signal(&self, signal: Signal) {
        assert!(send(self.child.id(), signal));
    }

    /// Waits until the log says this, and gives the whole line.
    pub(crate) fn until(&mut self, words: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let Ok(line) = self.lines.recv_timeout(left) else {
                panic!("it does not say `{words}`:\n{}", self.log.join("\n"));
            };
            self.log.push(line.clone());
            if line.contains(words) {
                return line;
            }
        }
    }

    pub(crate) fn control(&self) -> PathBuf {
        self.folder.path().join("control.sock")
    }

    /// What this same program says as a client: its exit code, and both streams.
    pub(crate) fn command(&self, arguments: &[&str]) -> (Option<i32>, String) {
        command(&self.control(), arguments)
    }

    /// Its exit code and its log.
    pub(crate) fn end(mut self) -> (Option<i32>, String) {
        let status = wait_until(&mut self.child, Instant::now() + PATIENCE).unwrap();
        let status = status.unwrap_or_else(|| panic!("it does not end:\n{}", self.log.join("\n")));
        self.log.extend(self.lines.iter());
        (status.code(), self.log.join("\n"))
    }

    /// Stops it, which must leave nobody.
    pub(crate) fn stop(self) -> (Option<i32>, String) {
        let workers = self.workers();
        self.signal(Signal::TERM);
        let (code, log) = self.end();
        for worker in workers {
            assert!(fs::read_link(format!("/proc/{worker}/exe")).is_err(), "worker {worker} is left:\n{log}");
        }
        (code, log)
    }
}

/// What a client at this socket says: its exit code, and both streams.
pub(crate) fn command(control: &Path, arguments: &[&str]) -> (Option<i32>, String) {
    let arguments = arguments.iter().map(OsStr::new).chain([OsStr::new("--control"), control.as_os_str()]);
    let Output { status, stdout, stderr } = tether::command(PROGRAM).args(arguments).output().unwrap();
    (status.code(), String::from_utf8_lossy(&[stdout, stderr].concat()).into_owned())
}

/// Clients that make one request after the other, each on a connection that it opens again where the server has said that it closes it.
pub(crate) struct Load {
    over: Arc<AtomicBool>,
    made: Arc<AtomicU64>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Load {
    /// Each client keeps its connection for as long as the server does.
    pub(crate) fn on(address: SocketAddr, clients: usize) -> Self {
        Self::of(address, clients, false)
    }

    /// Each request has a connection of its own.
    pub(crate) fn churning(address: SocketAddr, clients: usize) -> Self {
        Self::of(address, clients, true)
    }

    fn of(address: SocketAddr, clients: usize, churns: bool) -> Self {
        let (over, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicU64::new(0)));
        let clients = (0..clients).map(|_| {
            let (over, made) = (Arc::clone(&over), Arc::clone(&made));
            thread::spawn(move || {
                let mut failed = Vec::new();
                let mut client = Client::connect(address);
                while !over.load(Relaxed) {
                    if let Err(error) = client.get("/simple") {
                        failed.push(error.to_string());
                        client.is_over = true;
                    }
                    if client.is_over || churns {
                        client = Client::connect(address);
                    }
                    made.fetch_add(1, Relaxed);
                }
                failed
            })
        });
        Self { clients: clients.collect(), over, made }
    }

    /// How many requests were made so far.
    pub(crate) fn made(&self) -> u64 {
        self.made.load(Relaxed)
    }

    /// Waits until so many more were made.
    pub(crate) fn more(&self, count: u64) {
        let wanted = self.made() + count;
        eventually("requests", || (self.made() >= wanted).then_some(()));
    }

    /// What failed.
    pub(crate) fn end(self) -> Vec<String> {
        self.over.store(true, Relaxed);
        self.clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    }
}
