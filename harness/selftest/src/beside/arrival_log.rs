//! A server that writes down when each request arrived: what shows from outside how evenly a generator sends.
//!
//! One thread that polls without pause, so that no arrival waits for the server to wake up: it is to have a CPU of its
//! own. A request's time is taken when its bytes have been read, on CLOCK_MONOTONIC. The log is kept in memory and
//! written at the end, one line of nanoseconds a request. It knows HTTP only as far as the end of a head.

use std::{
    collections::HashMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::fd::AsRawFd,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use anyhow::Context as _;
use host::{
    cpus::CpuSet,
    ready::{Profile, Ready},
};
use rustix::{
    event::epoll::{self, EventData, EventFlags},
    io::Errno,
    time::{ClockId, Timespec, clock_gettime},
};
use signal_hook::consts::{SIGINT, SIGTERM};
use terminal::output::Output;

/// The server's name, and the origin of its answers.
pub const SERVER: &str = "arrival-log";

/// What marks the listener among the ready descriptors.
const LISTENER: u64 = u64::MAX;
/// Room for this many requests before the log has to move: ten seconds at 100,000 a second.
const LOG_CAPACITY: usize = 1 << 20;
/// Looks at the sockets between two looks at whether to stop.
const POLLS_PER_GLANCE: u32 = 64;

/// Serves on `listen`, pinned to `cpus`, until SIGTERM or SIGINT, and leaves the arrivals in `log`.
///
/// # Errors
/// It cannot listen, or cannot write the log.
pub fn serve(listen: SocketAddr, cpus: &CpuSet, log: &Path) -> anyhow::Result<()> {
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGINT, SIGTERM] {
        signal_hook::flag::register(signal, Arc::clone(&stop))?;
    }
    let log = Output::begin(log)?;
    cpus.apply_to_current_thread().context("cannot keep to the CPUs")?;
    let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
    listener.set_nonblocking(true)?;
    Ready {
        server: SERVER.to_owned(),
        address: listener.local_addr()?,
        pid: std::process::id(),
        workers: 1,
        cpus: cpus.clone(),
        profile: Profile::of_this_build(),
    }
    .announce()?;
    let arrivals = record(&listener, &stop)?;
    log.finish(|file| arrivals.iter().try_for_each(|arrival| writeln!(file, "{arrival}")))?;
    Ok(())
}

/// A connection and how much of a head's end it has seen.
struct Connection {
    stream: TcpStream,
    matched: usize,
}

fn record(listener: &TcpListener, stop: &AtomicBool) -> io::Result<Vec<u64>> {
    let body = app::Operation::Simple.run().body(SERVER, "t0");
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    let answer = [head.as_bytes(), &body].concat();
    let poll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
    epoll::add(&poll, listener, EventData::new_u64(LISTENER), EventFlags::IN)?;
    let mut connections: HashMap<u64, Connection> = HashMap::new();
    let mut events = Vec::with_capacity(256);
    let mut buffer = vec![0; 16 * 1024];
    let mut arrivals = Vec::with_capacity(LOG_CAPACITY);
    while !stop.load(Ordering::Relaxed) {
        for _ in 0..POLLS_PER_GLANCE {
            events.clear();
            let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
            match epoll::wait(&poll, rustix::buffer::spare_capacity(&mut events), Some(&at_once)) {
                Ok(_) => {}
                Err(Errno::INTR) => break,
                Err(error) => return Err(error.into()),
            }
            for event in &events {
                let key = event.data.u64();
                if key == LISTENER {
                    accept(listener, &poll, &mut connections)?;
                } else if let Some(connection) = connections.get_mut(&key)
                    && !connection.serve(&mut buffer, &answer, &mut arrivals)
                {
                    // Closing takes it out of the poll as well.
                    connections.remove(&key);
                }
            }
        }
    }
    Ok(arrivals)
}

fn accept(
    listener: &TcpListener,
    poll: &impl std::os::fd::AsFd,
    connections: &mut HashMap<u64, Connection>,
) -> io::Result<()> {
    loop {
        match listener.accept() {
            Ok((stream, _)) => {
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                let key = u64::from(stream.as_raw_fd().unsigned_abs());
                epoll::add(poll, &stream, EventData::new_u64(key), EventFlags::IN)?;
                connections.insert(key, Connection { stream, matched: 0 });
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            // One that was reset before it was taken.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => return Err(error),
        }
    }
}

impl Connection {
    /// Reads once, notes the requests that ended in it and answers them. Whether the connection goes on.
    fn serve(&mut self, buffer: &mut [u8], answer: &[u8], arrivals: &mut Vec<u64>) -> bool {
        let count = match self.stream.read(buffer) {
            Ok(0) => return false,
            Ok(count) => count,
            Err(error) => return error.kind() == io::ErrorKind::WouldBlock,
        };
        let now = monotonic_ns();
        for &byte in &buffer[..count] {
            let end = *b"\r\n\r\n";
            self.matched =
                if byte == end[self.matched] { self.matched + 1 } else { usize::from(byte == b'\r') };
            if self.matched == end.len() {
                self.matched = 0;
                arrivals.push(now);
                // A client that does not take 150 bytes is none that this server is for.
                if self.stream.write_all(answer).is_err() {
                    return false;
                }
            }
        }
        true
    }
}

fn monotonic_ns() -> u64 {
    let now = clock_gettime(ClockId::Monotonic);
    u64::try_from(now.tv_sec).unwrap_or(0) * 1_000_000_000 + u64::try_from(now.tv_nsec).unwrap_or(0)
}

/// Reads a log back.
///
/// # Errors
/// The file cannot be read, or holds something other than ascending numbers.
pub fn read(path: &Path) -> io::Result<Vec<u64>> {
    let text = std::fs::read_to_string(path)?;
    let broken = || io::Error::new(io::ErrorKind::InvalidData, "not a log of ascending arrival times");
    let arrivals: Vec<u64> =
        text.lines().map(|line| line.parse().map_err(|_| broken())).collect::<io::Result<_>>()?;
    if arrivals.is_sorted() { Ok(arrivals) } else { Err(broken()) }
}
