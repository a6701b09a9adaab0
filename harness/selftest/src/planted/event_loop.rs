//! The null server's event loop, with its differences: one epoll, one listener, its connections on one thread.
//!
//! Where nothing is planted it is one read and one write for a request and one wait for a batch of ready connections, and no clock
//! is read. What is held back waits in a queue, not in the loop; what blocks, blocks all.

use std::{
    collections::{HashMap, VecDeque},
    hint::black_box,
    io,
    net::TcpListener,
    os::{fd::OwnedFd, unix::net::UnixStream},
    thread,
    time::{Duration, Instant},
};

use rand::Rng;
use rand_xoshiro::{Xoshiro256PlusPlus, rand_core::SeedableRng};
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    io::Errno,
};

use super::{
    connection::{Arrived, Connection},
    difference::{Difference, Stall},
};
use crate::random::uniform;

const LISTENER: u64 = 0;
const STOP: u64 = 1;
/// Identifiers of connections begin here and are never used twice, so that what is held for one that is gone finds none.
const FIRST_CONNECTION: u64 = 2;

/// Longer than any head that a generator sends, so that no read fills it.
const BUFFER_BYTES: usize = 16 * 1024;
/// Connections whose readiness one wait can report, as in the null server.
const BATCH: usize = 128;
/// What draws the answers to hold: the same ones in every life.
pub(super) const SEED: u64 = 1;

pub(super) struct EventLoop {
    epoll: OwnedFd,
    listener: TcpListener,
    connections: HashMap<u64, Connection>,
    next_connection: u64,
    answer: Vec<u8>,
    difference: Difference,
    random: Xoshiro256PlusPlus,
    /// What is held back, first in, first out: all of it is held for the same time.
    held: VecDeque<Held>,
    stalls: Option<Stalls>,
}

struct Held {
    due: Instant,
    connection: u64,
}

impl EventLoop {
    /// Serves `answer` to whatever is asked, until `stop` can be read.
    ///
    /// # Errors
    /// The system refuses an epoll.
    pub(super) fn new(
        listener: TcpListener,
        stop: &UnixStream,
        answer: Vec<u8>,
        difference: Difference,
    ) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        epoll::add(&epoll, &listener, epoll::EventData::new_u64(LISTENER), epoll::EventFlags::IN)?;
        epoll::add(&epoll, stop, epoll::EventData::new_u64(STOP), epoll::EventFlags::IN)?;
        Ok(Self {
            epoll,
            listener,
            connections: HashMap::with_capacity(1024),
            next_connection: FIRST_CONNECTION,
            answer,
            difference,
            random: Xoshiro256PlusPlus::seed_from_u64(SEED),
            held: VecDeque::with_capacity(1024),
            stalls: difference.stall.map(Stalls::from_now),
        })
    }

    /// # Errors
    /// The system refuses to wait, or a connection.
    pub(super) fn run(&mut self) -> io::Result<()> {
        let mut buffer = vec![0; BUFFER_BYTES];
        let mut events = Vec::with_capacity(BATCH);
        loop {
            let timeout = self.timeout();
            match epoll::wait(&self.epoll, spare_capacity(&mut events), timeout.as_ref()) {
                Ok(_) => {}
                // Also when it goes on after it stood still.
                Err(Errno::INTR) => continue,
                Err(errno) => return Err(errno.into()),
            }
            for event in events.drain(..) {
                match event.data.u64() {
                    LISTENER => self.accept()?,
                    STOP => return Ok(()),
                    id => self.serve(id, &mut buffer),
                }
            }
            if let Some(stalls) = &mut self.stalls {
                stalls.block_if_due();
            }
            self.let_go_of_what_is_due();
        }
    }

    /// Until something is due; for ever where nothing can be.
    fn timeout(&self) -> Option<Timespec> {
        let held = self.held.front().map(|held| held.due);
        let next = held.into_iter().chain(self.stalls.as_ref().map(|stalls| stalls.next)).min()?;
        let patience = next.saturating_duration_since(Instant::now());
        Some(Timespec {
            tv_sec: patience.as_secs().try_into().unwrap_or(i64::MAX),
            tv_nsec: patience.subsec_nanos().into(),
        })
    }

    fn accept(&mut self) -> io::Result<()> {
        loop {
            match self.listener.accept() {
                Ok((stream, _)) => {
                    stream.set_nonblocking(true)?;
                    stream.set_nodelay(true)?;
                    let id = self.next_connection;
                    self.next_connection += 1;
                    let flags = epoll::EventFlags::IN | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
                    epoll::add(&self.epoll, &stream, epoll::EventData::new_u64(id), flags)?;
                    self.connections.insert(id, Connection::new(stream));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(error) => return Err(error),
            }
        }
    }

    fn serve(&mut self, id: u64, buffer: &mut [u8]) {
        // An event of this batch may belong to a connection that an earlier one closed.
        let Some(connection) = self.connections.get_mut(&id) else { return };
        let Ok(Arrived::Requests(requests)) = connection.read(buffer) else {
            self.connections.remove(&id);
            return;
        };
        for _ in 0..requests {
            burn(self.difference.burn_steps);
            let hold = self.difference.hold.filter(|hold| uniform(self.random.next_u64()) < hold.share);
            // Behind one that is held, whatever follows on its connection waits as well: answers keep their order.
            let time = hold.map(|hold| hold.time).or((connection.held > 0).then_some(Duration::ZERO));
            if let Some(time) = time {
                connection.held += 1;
                self.held.push_back(Held { due: Instant::now() + time, connection: id });
            } else if connection.write(&self.answer).is_err() {
                self.connections.remove(&id);
                return;
            }
        }
    }

    fn let_go_of_what_is_due(&mut self) {
        while let Some(held) = self.held.front() {
            if held.due > Instant::now() {
                return;
            }
            let id = held.connection;
            self.held.pop_front();
            let Some(connection) = self.connections.get_mut(&id) else { continue };
            connection.held -= 1;
            if connection.write(&self.answer).is_err() {
                self.connections.remove(&id);
            }
        }
    }
}

/// When the loop blocks.
struct Stalls {
    stall: Stall,
    next: Instant,
}

impl Stalls {
    fn from_now(stall: Stall) -> Self {
        Self { stall, next: Instant::now() + stall.every }
    }

    fn block_if_due(&mut self) {
        let late = Instant::now().saturating_duration_since(self.next);
        if late.is_zero() {
            return;
        }
        // What came due while the process stood still is left out: otherwise each thaw would begin with one.
        if late < self.stall.time {
            thread::sleep(self.stall.time);
        }
        while self.next <= Instant::now() {
            self.next += self.stall.every;
        }
    }
}

/// A chain of steps each of which waits for the last (xorshift: Marsaglia, Journal of Statistical Software 8(14), 2003).
#[inline(never)]
fn burn(steps: u32) {
    let mut state = black_box(u64::from(steps) | 1);
    for _ in 0..steps {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
    }
    black_box(state);
}
