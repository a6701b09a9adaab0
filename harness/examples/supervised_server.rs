//! A server with worker processes, or without any, that fails as it is told to and knows how often: what the tests of experiments race.
//!
//! `supervised_server KIND WORKERS GAP_MS LOST --listen ADDRESS --cpus LIST [--faults]`. It obeys the contract between servers and harness;
//! it is no row, and no architecture. All workers accept from one listener, so that none is lost with one of them.
//!
//! | KIND | what it does |
//! | --- | --- |
//! | `respawns` | starts another worker so long after one died; SIGHUP replaces all |
//! | `stays-dead` | starts none |
//! | `deaf` | as the first, but no signal has it replace any |
//!
//! `LOST` requests are reset behind a fault that it survives, and by each worker that a reload replaces: no more and no fewer.

#![expect(clippy::disallowed_methods, reason = "whatever it starts is for the guard above it to end")]

use std::{
    error::Error,
    io::{BufRead, BufReader, Write},
    net::{TcpListener, TcpStream},
    os::fd::AsFd,
    process::{Child, Command, ExitCode, Stdio},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst},
    },
    thread,
    time::Duration,
};

use host::ready::{Profile, Ready};
use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    net::sockopt::{set_socket_linger, set_socket_reuseaddr},
    process::{Pid, Signal, kill_process},
};
use signal_hook::{
    consts::{SIGHUP, SIGINT, SIGTERM},
    flag,
    iterator::Signals,
};

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let ran = match &words[..] {
        ["worker", lost, fails] => worker(lost, *fails == "fails"),
        [kind, workers, gap_ms, lost, "--listen", listen, "--cpus", cpus, more @ ..] => {
            serve(kind, (workers, gap_ms, lost), (listen, cpus), more.contains(&"--faults"))
        }
        _ => Err("usage: supervised_server KIND WORKERS GAP_MS LOST --listen ADDRESS --cpus LIST".into()),
    };
    match ran {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// The process that the harness starts.
fn serve(
    kind: &str,
    (workers, gap_ms, lost): (&str, &str, &str),
    (listen, cpus): (&str, &str),
    fails: bool,
) -> Result<(), Box<dyn Error>> {
    let mut signals = Signals::new([SIGTERM, SIGINT, SIGHUP])?;
    let listener = listener(listen)?;
    let workers: usize = workers.parse()?;
    let ready = Ready {
        server: "scripted".to_owned(),
        address: listener.local_addr()?,
        pid: std::process::id(),
        workers: workers.max(1),
        cpus: cpus.parse()?,
        profile: Profile::Release,
    };
    let primary = Arc::new(Primary {
        listener,
        gap: (kind != "stays-dead").then_some(Duration::from_millis(gap_ms.parse()?)),
        lost: lost.parse()?,
        fails,
        pids: Mutex::default(),
        living: Mutex::default(),
        ending: AtomicBool::new(false),
    });
    for _ in 0..workers {
        primary.start_worker()?;
    }
    if workers == 0 {
        let own = Worker::of(primary.listener.try_clone()?, primary.lost, fails);
        thread::spawn(move || own.accept());
    }
    ready.announce()?;
    for signal in signals.forever() {
        match signal {
            SIGHUP if kind == "deaf" => {}
            SIGHUP => {
                let old = std::mem::take(&mut *primary.pids());
                for _ in &old {
                    primary.start_worker()?;
                }
                old.into_iter().for_each(|pid| send(pid, Signal::TERM));
            }
            _ => break,
        }
    }
    primary.end_all();
    Ok(())
}

fn listener(address: &str) -> Result<TcpListener, Box<dyn Error>> {
    use rustix::net::{AddressFamily, SocketType, bind, listen, socket};
    let address: std::net::SocketAddr = address.parse()?;
    let socket = socket(AddressFamily::INET, SocketType::STREAM, None)?;
    set_socket_reuseaddr(&socket, true)?;
    bind(&socket, &address)?;
    listen(&socket, 1024)?;
    let listener = TcpListener::from(socket);
    listener.set_nonblocking(true)?;
    Ok(listener)
}

struct Primary {
    listener: TcpListener,
    /// After which time a worker is started in the place of one that died; none is where nothing is said.
    gap: Option<Duration>,
    lost: usize,
    fails: bool,
    /// The workers that are not draining.
    pids: Mutex<Vec<u32>>,
    /// All of them that nobody has waited for.
    living: Mutex<Vec<u32>>,
    ending: AtomicBool,
}

impl Primary {
    fn pids(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.pids.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn living(&self) -> std::sync::MutexGuard<'_, Vec<u32>> {
        self.living.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every worker, and has none of them left unburied.
    fn end_all(&self) {
        self.ending.store(true, SeqCst);
        while !self.living().is_empty() {
            self.living().iter().for_each(|pid| send(*pid, Signal::KILL));
            thread::sleep(Duration::from_millis(1));
        }
    }

    fn start_worker(self: &Arc<Self>) -> Result<(), Box<dyn Error>> {
        let fails = if self.fails { "fails" } else { "lives" };
        // Its listener is its stdin.
        let child = Command::new(std::env::current_exe()?)
            .args(["worker", &self.lost.to_string(), fails])
            .stdin(Stdio::from(self.listener.as_fd().try_clone_to_owned()?))
            .stdout(Stdio::null())
            .spawn()?;
        self.pids().push(child.id());
        self.living().push(child.id());
        let primary = Arc::clone(self);
        thread::spawn(move || primary.watch(child));
        Ok(())
    }

    fn watch(self: &Arc<Self>, mut child: Child) {
        drop(child.wait());
        self.living().retain(|pid| *pid != child.id());
        // A worker that drains is none of these any more.
        let died = {
            let mut pids = self.pids();
            let before = pids.len();
            pids.retain(|pid| *pid != child.id());
            pids.len() < before
        };
        if let Some(gap) = self.gap.filter(|_| died) {
            thread::sleep(gap);
            if self.ending.load(SeqCst) {
                return;
            }
            if let Err(error) = self.start_worker() {
                eprintln!("cannot start another worker: {error}");
            }
        }
    }
}

fn send(pid: u32, signal: Signal) {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw);
    // It may have ended.
    let _ = pid.map(|pid| kill_process(pid, signal));
}

fn worker(lost: &str, fails: bool) -> Result<(), Box<dyn Error>> {
    let listener = TcpListener::from(rustix::stdio::stdin().try_clone_to_owned()?);
    let lost: usize = lost.parse()?;
    let worker = Worker::of(listener, lost, fails);
    flag::register(SIGTERM, Arc::clone(&worker.draining))?;
    worker.accept();
    // Whoever is connected is answered once more. What is to be lost is lost first.
    while worker.connections.load(SeqCst) > 0 || worker.to_lose() > 0 {
        thread::sleep(Duration::from_millis(1));
    }
    Ok(())
}

/// What serves connections.
#[derive(Clone)]
struct Worker {
    listener: Arc<TcpListener>,
    draining: Arc<AtomicBool>,
    connections: Arc<AtomicUsize>,
    /// What a reload, or a fault, is to lose; and what is still to be lost.
    lost: usize,
    losing: Arc<Mutex<Option<usize>>>,
    fails: bool,
}

impl Worker {
    fn of(listener: TcpListener, lost: usize, fails: bool) -> Self {
        let listener = Arc::new(listener);
        Self {
            listener,
            draining: Arc::default(),
            connections: Arc::default(),
            lost,
            losing: Arc::default(),
            fails,
        }
    }

    /// Accepts until it drains.
    fn accept(&self) {
        let soon = Timespec { tv_sec: 0, tv_nsec: 5_000_000 };
        while !self.draining.load(SeqCst) {
            let mut polled = [PollFd::new(&self.listener, PollFlags::IN)];
            // Others accept from it as well, so that there may be nobody.
            let _ = poll(&mut polled, Some(&soon));
            let Ok((stream, _)) = self.listener.accept() else { continue };
            self.connections.fetch_add(1, SeqCst);
            let worker = self.clone();
            thread::spawn(move || {
                worker.answer_all(stream);
                worker.connections.fetch_sub(1, SeqCst);
            });
        }
    }

    /// How many requests are to be lost before this worker has drained.
    fn to_lose(&self) -> usize {
        let losing = self.losing.lock().unwrap_or_else(PoisonError::into_inner);
        losing.unwrap_or(if self.draining.load(SeqCst) { self.lost } else { 0 })
    }

    /// Whether this request is one that is lost.
    fn loses(&self) -> bool {
        let mut losing = self.losing.lock().unwrap_or_else(PoisonError::into_inner);
        if self.draining.load(SeqCst) {
            losing.get_or_insert(self.lost);
        }
        match losing.as_mut() {
            Some(left) if *left > 0 => {
                *left -= 1;
                true
            }
            _ => false,
        }
    }

    fn answer_all(&self, stream: TcpStream) -> Option<()> {
        stream.set_nodelay(true).ok()?;
        let mut writer = stream.try_clone().ok()?;
        let mut reader = BufReader::new(stream);
        loop {
            let mut line = String::new();
            reader.read_line(&mut line).ok().filter(|&length| length > 0)?;
            let mut header = String::new();
            while header != "\r\n" {
                header.clear();
                reader.read_line(&mut header).ok().filter(|&length| length > 0)?;
            }
            let mut words = line.split(' ');
            let (method, target) = (words.next()?, words.next()?);
            if method == "GET" && target == "/simple" && self.loses() {
                set_socket_linger(&writer, Some(Duration::ZERO)).ok()?;
                return None;
            }
            let (status, body) = self.answer(method, target)?;
            let closes = self.draining.load(SeqCst);
            let connection = if closes { "connection: close\r\n" } else { "" };
            let length = body.len();
            write!(writer, "HTTP/1.1 {status} x\r\n{connection}content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}")
                .ok()?;
            if closes {
                return None;
            }
        }
    }

    fn answer(&self, method: &str, target: &str) -> Option<(u16, String)> {
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        match (method, path, query) {
            ("GET", "/info", _) => return Some((200, format!("{{\"pid\":{}}}", std::process::id()))),
            ("POST", "/fault", Some("kind=panic")) if self.fails => {
                *self.losing.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.lost);
                return Some((500, String::new()));
            }
            ("POST", "/fault", _) if self.fails => std::process::abort(),
            _ => {}
        }
        let body = match app::route(method, path, query) {
            Ok(app::Request::Operation(operation)) => {
                String::from_utf8(operation.run().body("scripted", "p0")).ok()?
            }
            Ok(_) => "{}".to_owned(),
            Err(rejection) => return Some((rejection.status(), String::new())),
        };
        Some((200, body))
    }
}
