//! The scripted server: a process of its own whose delays are known and which logs what it did.
//!
//! One thread, non-blocking sockets, epoll. On a CPU of its own it polls without pause, so that an answer leaves within
//! microseconds of its due time; otherwise it sleeps until then. It knows nothing of the generator beyond HTTP, and
//! shares no code with it: it is the truth that the generator did not make.

mod connection;
mod timeline;

use std::{
    cmp::Reverse,
    collections::{BinaryHeap, HashMap},
    io::ErrorKind,
    net::TcpListener,
    num::NonZeroU64,
    os::fd::OwnedFd,
    path::PathBuf,
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
    buffer::spare_capacity,
    event::{Timespec, epoll},
    io::Errno,
};
use signal_hook::consts::{SIGINT, SIGTERM};
use terminal::output::Output;

use crate::{
    clock::now_ns,
    log::{Entry, Recorder},
    script::{Act, CaseName, Script},
};
pub(crate) use connection::BODY;
use connection::{Connection, Received};
use timeline::Timeline;

/// Requests of one life: the closed loop of the stalling case makes some 160,000.
const LOG_CAPACITY: usize = 1 << 19;

/// Few, so that an answer that falls due meanwhile is not kept waiting by reading.
const BATCH: usize = 16;

/// How long a sleeping server may take to notice the signal at most.
const TICK_NS: u64 = 100_000_000;

/// A turn that found nothing to do takes a microsecond or two. When it took this long, somebody else had the CPU. Half of
/// what percentiles may differ by, so that whatever can matter is seen.
const AWAY_AFTER_NS: u64 = 50_000;

const LISTENER: u64 = 0;

/// What the server is told.
#[derive(Clone, Debug)]
pub struct Config {
    /// The case whose script it follows: the name in its ready line.
    pub case: CaseName,
    /// The script.
    pub script: Script,
    /// What everything random is drawn from.
    pub seed: u64,
    /// Where the log is written at the end.
    pub log: PathBuf,
    /// Whether it has a CPU of its own.
    pub spin: bool,
    /// The part of each delay by which it waits longer than it admits: 0 but for the test of the self-test.
    pub lie: f64,
}

/// Serves on a free port until SIGTERM, then writes the log.
///
/// # Errors
/// The system refuses a socket, epoll or the file; or there were more requests than the log holds.
pub fn serve(config: &Config) -> anyhow::Result<()> {
    let log = Output::begin(&config.log)?;
    let stop = Arc::new(AtomicBool::new(false));
    for signal in [SIGTERM, SIGINT] {
        signal_hook::flag::register(signal, Arc::clone(&stop)).context("cannot handle signals")?;
    }
    // A slack of zero would mean the default of 50 us.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1)).context("cannot set the timer slack")?;
    let mut server = Server::new(config)?;
    server.announce()?;
    server.run(&stop)?;
    server.recorder.write(log)?;
    Ok(())
}

struct Server {
    config: Config,
    epoll: OwnedFd,
    listener: TcpListener,
    connections: HashMap<u64, Connection>,
    /// Never used twice, so that what is due on a connection that is gone finds none.
    next_connection: u64,
    timeline: Timeline,
    pending: BinaryHeap<Reverse<Pending>>,
    recorder: Recorder,
}

/// Something to be done, in the order of due times and then of arrivals.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Pending {
    due_ns: u64,
    number: usize,
    connection: u64,
    /// By how much more than the log admits it waits.
    hidden_ns: u64,
}

impl Server {
    fn new(config: &Config) -> anyhow::Result<Self> {
        let listener = TcpListener::bind("127.0.0.1:0").context("cannot listen on a free port")?;
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        Ok(Self {
            config: config.clone(),
            epoll,
            listener,
            connections: HashMap::with_capacity(4096),
            next_connection: LISTENER + 1,
            timeline: Timeline::new(config.script, config.seed),
            pending: BinaryHeap::with_capacity(4096),
            recorder: Recorder::with_capacity(LOG_CAPACITY),
        })
    }

    fn announce(&self) -> anyhow::Result<()> {
        let ready = Ready {
            server: format!("scripted-{}", self.config.case.name()),
            address: self.listener.local_addr()?,
            pid: std::process::id(),
            workers: 1,
            cpus: CpuSet::allowed()?,
            profile: Profile::of_this_build(),
        };
        ready.announce().context("cannot print the ready line")
    }

    fn run(&mut self, stop: &AtomicBool) -> anyhow::Result<()> {
        let mut events = Vec::with_capacity(BATCH);
        while !stop.load(Ordering::Relaxed) {
            let began_ns = now_ns();
            let timeout = self.timeout(began_ns);
            match epoll::wait(&self.epoll, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(error).context("cannot wait for sockets"),
            }
            let idle = events.is_empty();
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    id => self.readable(id),
                }
            }
            let done = self.do_what_is_due();
            let ended_ns = now_ns();
            if self.config.spin && idle && !done && ended_ns - began_ns > AWAY_AFTER_NS {
                self.recorder.away(began_ns..ended_ns);
            }
        }
        Ok(())
    }

    fn timeout(&self, now_ns: u64) -> Timespec {
        let next_ns = self.pending.peek().map_or(u64::MAX, |Reverse(pending)| pending.due_ns);
        let timeout_ns = if self.config.spin { 0 } else { next_ns.saturating_sub(now_ns).min(TICK_NS) };
        // At most a tenth of a second.
        Timespec { tv_sec: 0, tv_nsec: timeout_ns as _ }
    }

    fn accept(&mut self) -> anyhow::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let id = self.next_connection;
                    self.next_connection += 1;
                    epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(id), epoll::EventFlags::IN)?;
                    self.connections.insert(id, Connection::new(stream));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error).context("cannot accept a connection"),
            }
        }
    }

    fn readable(&mut self, id: u64) {
        let Some(connection) = self.connections.get_mut(&id) else { return };
        match connection.receive() {
            Received::Request => self.arrived(id),
            Received::Nothing => {}
            Received::End => self.forget(id),
        }
    }

    fn arrived(&mut self, id: u64) {
        let arrival_ns = now_ns();
        let decision = self.timeline.decide(arrival_ns);
        let due_ns = decision.due_ns;
        let entry = Entry { connection: id, act: decision.act, arrival_ns, due_ns, written_ns: 0 };
        // Without room in the log it is not treated either, so that the generator sees that something is wrong.
        let Some(number) = self.recorder.arrived(entry) else { return };
        if decision.act != Act::Never {
            let hidden_ns = ((due_ns - arrival_ns) as f64 * self.config.lie) as u64;
            let due_ns = due_ns + hidden_ns;
            self.pending.push(Reverse(Pending { due_ns, number, connection: id, hidden_ns }));
        }
    }

    /// Returns whether anything was due.
    fn do_what_is_due(&mut self) -> bool {
        let mut done = false;
        while let Some(&Reverse(pending)) = self.pending.peek() {
            if pending.due_ns > now_ns() {
                break;
            }
            done = true;
            self.pending.pop();
            self.act(pending);
        }
        done
    }

    fn act(&mut self, pending: Pending) {
        let Pending { number, connection: id, hidden_ns, .. } = pending;
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let stays_open = connection.act(self.recorder.act_of(number));
        match stays_open {
            Ok(stays_open) => {
                self.recorder.written(number, now_ns() - hidden_ns);
                if !stays_open {
                    self.forget(id);
                } else if connection.next_request() {
                    self.arrived(id);
                }
            }
            Err(_) => self.forget(id),
        }
    }

    fn forget(&mut self, id: u64) {
        self.connections.remove(&id);
        if self.connections.is_empty() {
            self.timeline.rest();
        }
    }
}
