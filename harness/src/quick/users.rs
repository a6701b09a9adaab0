//! The users: when they arrive, what they send next, and what ends them.
//!
//! One thread and one epoll instance serve them all. A user is out at its first request without an answer; any final
//! status is an answer. A connection that the server announces to close is opened again for the user's next request;
//! one that it closes without a word fails that request, as it does in the original.

use std::{
    borrow::Cow,
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use load::{PlanError, Request, RunError};
use rustix::{
    buffer::spare_capacity,
    event::{Timespec, epoll},
    fd::OwnedFd,
    io::Errno,
    process::{Resource, getrlimit},
};

use super::{
    connection::{Answer, Connection, Received, name_of},
    report::Report,
    tally::Tally,
};
use crate::interrupt::Interrupt;

/// Over how long users arrive.
pub(super) const ARRIVALS_LAST: Duration = Duration::from_secs(1);

/// The original's default for the first byte; it knows no limit for the rest of an answer.
pub(super) const PATIENCE: Duration = Duration::from_secs(10);

/// How often deadlines and Ctrl-C are looked at.
const TICK: Duration = Duration::from_millis(50);

/// The most events of one wait.
const BATCH: usize = 256;

/// What one read takes at most.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Who is to arrive, and what for.
#[derive(Clone, Debug)]
pub(super) struct Users {
    /// Where the server listens.
    pub(super) address: SocketAddr,
    /// What every user sends.
    pub(super) request: Request,
    /// How many arrive.
    pub(super) count: u32,
    /// How often each sends it.
    pub(super) requests_each: u32,
    /// How long a request may wait for its first byte, connecting included, and its answer for every further one.
    pub(super) patience: Duration,
    /// Ends the run early.
    pub(super) interrupt: Interrupt,
}

/// What is worth saying while the run goes on.
pub(super) enum Moment<'a> {
    /// Users begin to arrive.
    PhaseStarted,
    /// The last user has arrived, and the time for arrivals is over.
    PhaseCompleted,
    /// A period has ended in which something happened.
    PeriodOver(&'a Report),
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Ending {
    /// A person ended it.
    pub(super) interrupted: bool,
    /// How long it took.
    pub(super) took: Duration,
    /// How many users there should have been.
    pub(super) planned: u32,
    /// How many arrived.
    pub(super) arrived: u32,
    /// How many of these had neither completed nor failed at the end.
    pub(super) under_way: u32,
}

/// What is missing from an interrupted run.
impl fmt::Display for Ending {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { planned, arrived, under_way, .. } = self;
        write!(f, "{arrived} of {planned} users had arrived, {under_way} not done")
    }
}

impl Users {
    /// Whether the process may open a connection for each user.
    ///
    /// # Errors
    /// It may not: how many it may, and the command that raises the limit.
    pub(super) fn ensure_enough_descriptors(&self) -> Result<(), PlanError> {
        /// Standard streams, the poller, the signal handler's, and what the library of the resolver keeps.
        const BESIDE_CONNECTIONS: u64 = 32;
        let needed = u64::from(self.count) + BESIDE_CONNECTIONS;
        match getrlimit(Resource::Nofile).current {
            Some(allowed) if allowed < needed => Err(PlanError::Descriptors { needed, allowed }),
            _ => Ok(()),
        }
    }

    /// Lets them all arrive, send and end, and tells `tally` of it and `watch` what time it is.
    ///
    /// # Errors
    /// The system refuses epoll. What the server does is no error.
    pub(super) fn run(
        &self,
        tally: &mut Tally,
        watch: &mut dyn FnMut(Moment<'_>),
    ) -> Result<Ending, RunError> {
        let system = |action| move |error: Errno| RunError::System { action, error: error.into() };
        let poller =
            epoll::create(epoll::CreateFlags::CLOEXEC).map_err(system("create an epoll instance"))?;
        let mut crowd = Crowd {
            plan: self,
            tally,
            poller,
            start: Instant::now(),
            users: Vec::with_capacity(self.count as usize),
            under_way: 0,
            buffer: vec![0; READ_BUFFER_BYTES],
        };
        let mut events: Vec<epoll::Event> = Vec::with_capacity(BATCH);
        let mut arriving = true;
        let mut next_tick_ns = 0;
        watch(Moment::PhaseStarted);
        loop {
            crowd.arrive();
            let now_ns = crowd.now_ns();
            if now_ns >= next_tick_ns {
                next_tick_ns = now_ns + nanoseconds(TICK);
                crowd.give_up_late(now_ns);
            }
            if arriving && now_ns >= nanoseconds(ARRIVALS_LAST) {
                arriving = false;
                watch(Moment::PhaseCompleted);
            }
            while let Some(report) = crowd.tally.passed(now_ns) {
                watch(Moment::PeriodOver(report));
            }
            if self.interrupt.asked() || (!arriving && crowd.under_way == 0) {
                return Ok(crowd.ending(self.interrupt.asked()));
            }
            events.clear();
            let until_ns = next_tick_ns.min(crowd.next_arrival_ns()).min(crowd.tally.period_ends_ns(now_ns));
            let timeout = timespec(until_ns.saturating_sub(now_ns));
            match epoll::wait(&crowd.poller, spare_capacity(&mut events), Some(&timeout)) {
                Ok(_) | Err(Errno::INTR) => {}
                Err(error) => return Err(system("wait for connections")(error)),
            }
            for event in &events {
                crowd.arrive();
                crowd.handle(event.data.u64(), event.flags);
            }
        }
    }

    /// When user number `index` arrives, in nanoseconds since the start: the first at once, the others evenly.
    fn arrival_ns(&self, index: usize) -> u64 {
        let share = nanoseconds(ARRIVALS_LAST) as u128 * index as u128 / u128::from(self.count);
        u64::try_from(share).unwrap_or(u64::MAX)
    }
}

/// One user.
#[derive(Debug)]
struct User {
    arrived_ns: u64,
    /// How many answers it still wants; none when it is done.
    left: u32,
    sent_ns: u64,
    give_up_ns: u64,
    /// Tells the events of its socket from those of an earlier one.
    generation: u32,
    connection: Connection,
}

/// All users that have arrived.
struct Crowd<'a> {
    plan: &'a Users,
    tally: &'a mut Tally,
    poller: OwnedFd,
    start: Instant,
    users: Vec<User>,
    under_way: u32,
    buffer: Vec<u8>,
}

impl Crowd<'_> {
    fn now_ns(&self) -> u64 {
        nanoseconds(self.start.elapsed())
    }

    fn next_arrival_ns(&self) -> u64 {
        let index = self.users.len();
        if index < self.plan.count as usize { self.plan.arrival_ns(index) } else { u64::MAX }
    }

    /// Lets in whoever is due.
    fn arrive(&mut self) {
        while self.next_arrival_ns() <= self.now_ns() {
            let now_ns = self.now_ns();
            self.tally.arrived(now_ns);
            self.under_way += 1;
            self.users.push(User {
                arrived_ns: now_ns,
                left: self.plan.requests_each,
                sent_ns: now_ns,
                give_up_ns: u64::MAX,
                generation: 0,
                connection: Connection::new(),
            });
            self.request(self.users.len() - 1);
        }
    }

    /// The user begins its next request, over its open connection or a new one.
    fn request(&mut self, index: usize) {
        let now_ns = self.now_ns();
        self.tally.requested(now_ns);
        let user = &mut self.users[index];
        user.give_up_ns = now_ns + nanoseconds(self.plan.patience);
        if user.connection.is_connected() {
            user.begin(now_ns);
            return;
        }
        user.generation = user.generation.wrapping_add(1);
        let key = u64::from(user.generation) << 32 | index as u64;
        // Edge-triggered and both directions at once: one registration in a connection's life.
        let flags =
            epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::RDHUP | epoll::EventFlags::ET;
        let poller = &self.poller;
        let follow = |socket: &OwnedFd| epoll::add(poller, socket, epoll::EventData::new_u64(key), flags);
        if let Err(error) = user.connection.open(&self.plan.address, follow) {
            self.failed(index, name_of(error));
        }
    }

    fn handle(&mut self, key: u64, flags: epoll::EventFlags) {
        let (index, generation) = ((key & u64::from(u32::MAX)) as usize, (key >> 32) as u32);
        let now_ns = self.now_ns();
        let user = &mut self.users[index];
        if user.left == 0 || user.generation != generation {
            return;
        }
        if !user.connection.is_connected() {
            if let Err(error) = user.connection.finish_connecting() {
                self.failed(index, name_of(error));
                return;
            }
            user.begin(now_ns);
        }
        let closing =
            flags.intersects(epoll::EventFlags::RDHUP | epoll::EventFlags::HUP | epoll::EventFlags::ERR);
        self.serve(index, closing || flags.intersects(epoll::EventFlags::IN), closing);
    }

    /// Sends what is left of the user's request and reads its answer, as far as either goes without waiting.
    /// `closing` says that no further event will come from the socket, so that only reading can tell more.
    fn serve(&mut self, index: usize, mut readable: bool, closing: bool) {
        let start = self.start;
        loop {
            let user = &mut self.users[index];
            let broken = user.connection.write(self.plan.request.bytes()).err();
            if !readable && broken.is_none() {
                return;
            }
            // What came before the socket broke may be a whole answer.
            match user.connection.read(&mut self.buffer, || nanoseconds(start.elapsed())) {
                Received::Pending => {
                    if let Some(error) = broken {
                        self.failed(index, name_of(error));
                    } else if user.connection.answer_has_begun() {
                        user.give_up_ns = nanoseconds(start.elapsed() + self.plan.patience);
                    }
                    return;
                }
                Received::Failed(cause) => {
                    self.failed(index, cause);
                    return;
                }
                Received::Answer(answer) => {
                    if !self.answered(index, &answer) {
                        return;
                    }
                    readable = closing;
                }
            }
        }
    }

    /// Whether the user has begun its next request on the same connection.
    fn answered(&mut self, index: usize, answer: &Answer) -> bool {
        let user = &mut self.users[index];
        let first_byte_ns = answer.first_byte_at_ns.saturating_sub(user.sent_ns);
        self.tally.answered(answer.at_ns, answer.status, first_byte_ns, answer.content_bytes);
        user.left -= 1;
        if user.left == 0 {
            user.connection.close();
            self.under_way -= 1;
            self.tally.completed(answer.at_ns, answer.at_ns.saturating_sub(user.arrived_ns));
            return false;
        }
        if !answer.keep_alive {
            user.connection.close();
        }
        self.request(index);
        answer.keep_alive
    }

    fn failed(&mut self, index: usize, cause: Cow<'static, str>) {
        let now_ns = self.now_ns();
        let user = &mut self.users[index];
        user.connection.close();
        user.left = 0;
        self.under_way -= 1;
        self.tally.failed(now_ns, cause);
    }

    /// Gives up requests that have waited too long.
    fn give_up_late(&mut self, now_ns: u64) {
        for index in 0..self.users.len() {
            let user = &self.users[index];
            if user.left > 0 && user.give_up_ns <= now_ns {
                self.failed(index, name_of(Errno::TIMEDOUT));
            }
        }
    }

    fn ending(&self, interrupted: bool) -> Ending {
        Ending {
            interrupted,
            took: self.start.elapsed(),
            planned: self.plan.count,
            arrived: u32::try_from(self.users.len()).unwrap_or(u32::MAX),
            under_way: self.under_way,
        }
    }
}

impl User {
    fn begin(&mut self, now_ns: u64) {
        self.sent_ns = now_ns;
        self.connection.begin();
    }
}

fn nanoseconds(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn timespec(ns: u64) -> Timespec {
    Timespec {
        tv_sec: i64::try_from(ns / 1_000_000_000).unwrap_or(i64::MAX),
        tv_nsec: (ns % 1_000_000_000) as _,
    }
}

#[cfg(test)]
#[path = "users_tests.rs"]
mod tests;
