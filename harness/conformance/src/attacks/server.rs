//! The server that is attacked: launched alone, asked over fresh connections, and weighed.

use std::{
    net::{SocketAddr, TcpStream},
    thread,
    time::{Duration, Instant},
};

use host::{
    footprint::Footprint,
    guard::Ended,
    launch::{Exit, Launch, Process},
    open_files,
};

use super::{failure::Failure, row::Row};
use crate::{response::Response, wire::Client};

/// How often a condition is looked at again.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// How many times in a row the same must be seen of a server's descriptors for them to have settled.
const SETTLED_LOOKS: u32 = 20;
/// A server whose descriptors come and go by themselves is taken as it is after so many looks.
const MOST_LOOKS: u32 = 1_000;

/// What the process tree below `pid` holds when it has ended what it was about: processes of a tree that has just said that it
/// is ready, or whose clients have just left, still open and close files.
pub(super) fn settled(pid: u32) -> Footprint {
    let mut held = Footprint::of_tree(pid);
    let mut same = 0;
    for _ in 0..MOST_LOOKS {
        thread::sleep(LOOK_AGAIN);
        let now = Footprint::of_tree(pid);
        same = if now.open_files == held.open_files { same + 1 } else { 0 };
        held = now;
        if same == SETTLED_LOOKS {
            break;
        }
    }
    held
}

/// An attack's `arguments`, less the number of workers where the row has its own.
fn without_overruled<'a>(arguments: &[&'a str], row: &Row) -> Vec<&'a str> {
    let has_its_own = row.arguments.iter().any(|argument| argument == "--workers");
    match arguments.iter().position(|&argument| argument == "--workers") {
        Some(at) if has_its_own => [&arguments[..at], &arguments[at + 2..]].concat(),
        _ => arguments.to_vec(),
    }
}

/// A launched server and what it held before the attack.
pub(super) struct Server {
    process: Process,
    pub(super) address: SocketAddr,
    pub(super) before: Footprint,
    pub(super) patience: Duration,
}

impl Server {
    pub(super) fn launch(row: &Row, arguments: &[&str], short_queue: bool) -> Result<Self, Failure> {
        open_files::raise().map_err(Failure::unable("raise the limit of open files"))?;
        let launch = Launch::new(&row.binary)
            .args(&row.arguments)
            .args(["--listen", "127.0.0.1:0"])
            .args(without_overruled(arguments, row))
            .args(if short_queue { row.short_queue.as_slice() } else { &[] });
        let unable = || Failure::unable("launch the server");
        let mut process = launch.spawn().map_err(unable())?;
        let address = process.ready(row.patience).map_err(unable())?.address;
        let mut server = Self { process, address, before: Footprint::default(), patience: row.patience };
        // Memory that is taken at the first requests is not the attack's.
        for _ in 0..8 {
            server.serves("before the attack")?;
        }
        server.before = settled(server.pid());
        Ok(server)
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.pid()
    }

    pub(super) fn footprint(&self) -> Footprint {
        Footprint::of_tree(self.pid())
    }

    /// How much more memory the server holds than before the attack, bytes.
    pub(super) fn growth_bytes(&self) -> u64 {
        self.footprint().rss_bytes.saturating_sub(self.before.rss_bytes)
    }

    pub(super) fn connect(&self) -> Result<Client, Failure> {
        Client::connect(self.address, self.patience).map_err(Failure::on_socket("connect"))
    }

    /// A connection that was accepted and has had its first answer.
    pub(super) fn admitted(&self) -> Result<Client, Failure> {
        let mut client = self.connect()?;
        exchange(&mut client, "/simple")?;
        Ok(client)
    }

    /// The answer to `GET path` on a connection of its own.
    pub(super) fn get(&self, path: &str) -> Result<Response, Failure> {
        let mut client = self.connect()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: attack\r\nConnection: close\r\n\r\n");
        client.send(request.as_bytes()).map_err(Failure::on_socket("send"))?;
        client.receive(false).map_err(|broken| Failure::weak(format!("GET {path}: {broken}")))
    }

    /// A request of somebody else, on a connection of its own, is answered.
    pub(super) fn serves(&self, when: &str) -> Result<(), Failure> {
        match self.get("/healthz") {
            Ok(Response { status: 200, .. }) => Ok(()),
            Ok(response) => Err(Failure::weak(format!("/healthz is {} {when}", response.status))),
            Err(failure) => Err(Failure::weak(format!("others are not served {when}: {failure}"))),
        }
    }

    /// The operations that `/metrics` says are in flight.
    pub(super) fn operations_in_flight(&self) -> Result<u64, Failure> {
        let body = self.get("/metrics")?.body;
        let text = String::from_utf8_lossy(&body);
        let line = text.lines().find(|line| line.starts_with("server_operations_in_flight{"));
        line.and_then(|line| line.rsplit(' ').next()?.parse().ok())
            .ok_or_else(|| Failure::weak("/metrics has no server_operations_in_flight"))
    }

    /// How many times `/metrics` says that an endpoint was answered with 200.
    pub(super) fn answers_of(&self, endpoint: &str) -> Result<u64, Failure> {
        let body = self.get("/metrics")?.body;
        let text = String::from_utf8_lossy(&body);
        let label = format!("endpoint=\"{endpoint}\",status=\"200\"}}");
        let counts = text.lines().filter(|line| line.starts_with("server_requests_total{"));
        Ok(counts.filter_map(|line| line.split_once(&label)?.1.trim().parse::<u64>().ok()).sum())
    }

    /// Waits until `holds`.
    pub(super) fn until(
        &self,
        what: &str,
        mut holds: impl FnMut() -> Result<bool, Failure>,
    ) -> Result<(), Failure> {
        let deadline = Instant::now() + self.patience;
        while !holds()? {
            if Instant::now() >= deadline {
                return Err(Failure::weak(format!("not within {:?}: {what}", self.patience)));
            }
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }

    /// Every descriptor that was opened for a client is closed again.
    pub(super) fn lets_go(&self) -> Result<(), Failure> {
        let mut held = 0;
        self.until("the server closes what clients made it open", || {
            held = self.footprint().open_files;
            Ok(held <= self.before.open_files)
        })
        .map_err(|failure| {
            Failure::weak(format!(
                "{failure}: {held} descriptors are open, {} before",
                self.before.open_files
            ))
        })
    }

    /// Memory grew by at most `bytes` since the attack began.
    pub(super) fn grew_at_most(&self, bytes: u64, when: &str) -> Result<u64, Failure> {
        let grown = self.growth_bytes();
        if grown > bytes {
            return Err(Failure::weak(format!(
                "memory grew by {} {when}, at most {} is allowed",
                Kib(grown),
                Kib(bytes)
            )));
        }
        Ok(grown)
    }

    /// What the server wrote to stderr, the last lines of it.
    pub(super) fn stderr(&self) -> Vec<String> {
        self.process.stderr()
    }

    /// Sends SIGTERM.
    pub(super) fn terminate(&mut self) {
        self.process.terminate();
    }

    /// Whether nobody listens any more.
    pub(super) fn refuses_connections(&self) -> bool {
        TcpStream::connect_timeout(&self.address, self.patience).is_err()
    }

    /// Waits for the end that a signal began.
    pub(super) fn ends(self) -> Result<Exit, Failure> {
        let patience = self.patience;
        let exit = self.process.wait(patience).map_err(Failure::unable("wait for the server's end"))?;
        if exit.forced {
            return Err(Failure::weak(format!("it had not ended {patience:?} after a stop signal")));
        }
        Ok(exit)
    }

    /// SIGTERM ends it with code 0.
    pub(super) fn stops(mut self) -> Result<Exit, Failure> {
        self.terminate();
        let exit = self.ends()?;
        if exit.ended != Ended::Code(0) {
            return Err(Failure::weak(format!("after SIGTERM: {}; {:?}", exit.ended, exit.stderr.last())));
        }
        Ok(exit)
    }

    /// What every attack ends with: others are served, nothing is kept, and the server can be stopped.
    pub(super) fn comes_through(self) -> Result<(), Failure> {
        self.serves("after the attack")?;
        self.lets_go()?;
        self.stops().map(drop)
    }
}

/// One request on a connection that stays open; its answer must be a 200.
pub(super) fn exchange(client: &mut Client, path: &str) -> Result<Response, Failure> {
    send_get(client, path)?;
    receive_200(client, path)
}

pub(super) fn send_get(client: &mut Client, path: &str) -> Result<(), Failure> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: attack\r\n\r\n");
    client
        .send(request.as_bytes())
        .map_err(|error| Failure::weak(format!("GET {path}: cannot send: {error}")))
}

pub(super) fn receive_200(client: &mut Client, path: &str) -> Result<Response, Failure> {
    match client.receive(false) {
        Ok(response) if response.status == 200 => Ok(response),
        Ok(response) => Err(Failure::weak(format!("GET {path}: status {}", response.status))),
        Err(broken) => Err(Failure::weak(format!("GET {path}: {broken}"))),
    }
}

/// Bytes, printed in KiB.
pub(super) struct Kib(pub(super) u64);

impl std::fmt::Display for Kib {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} KiB", self.0.div_ceil(1024))
    }
}
