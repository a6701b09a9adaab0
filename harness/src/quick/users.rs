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
mod tests {
    use std::{
        io::{Read, Write},
        net::{Shutdown, TcpListener, TcpStream},
        thread,
    };

    use super::*;
    use crate::quick::report::Run;

    const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    const LAST_ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\nok";

    /// Serves each connection on a thread: `answer` is called with the number of the request on its connection, from
    /// 1, and returns whether the connection stays open.
    fn server(answer: fn(&mut TcpStream, u32) -> bool) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                thread::spawn(move || (1..).all(|n| asked(&mut stream) && answer(&mut stream, n)));
            }
        });
        address
    }

    /// Reads a request's head. False at the end of the connection.
    fn asked(stream: &mut TcpStream) -> bool {
        let mut head = Vec::new();
        let mut byte = [0];
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read(&mut byte) {
                Ok(1) => head.push(byte[0]),
                _ => return false,
            }
        }
        true
    }

    fn run(address: SocketAddr, count: u32, requests_each: u32) -> (Run, Ending) {
        let users = Users {
            address,
            request: Request::get("/simple", "h").unwrap(),
            count,
            requests_each,
            patience: Duration::from_millis(300),
            interrupt: Interrupt::never(),
        };
        let mut tally = Tally::new(jiff::Timestamp::now(), "/simple");
        let ending = users.run(&mut tally, &mut |_| {}).unwrap();
        (tally.conclude(ending.interrupted), ending)
    }

    /// Requests, answers, users that completed, users that failed, and the causes.
    fn counted(run: &Run) -> (u64, u64, u64, u64, Vec<(&str, u64)>) {
        let of = |name| run.aggregate.counter(name).unwrap_or(0);
        let errors = run.aggregate.counters.iter();
        let errors = errors.filter_map(|(name, n)| Some((name.strip_prefix("errors.")?, *n))).collect();
        (of("http.requests"), of("http.responses"), of("vusers.completed"), of("vusers.failed"), errors)
    }

    #[test]
    fn every_user_sends_its_requests_and_completes() {
        let address = server(|stream, _| stream.write_all(ANSWER).is_ok());
        let (run, ending) = run(address, 20, 7);
        assert_eq!(counted(&run), (140, 140, 20, 0, vec![]));
        assert_eq!((ending.arrived, ending.under_way, ending.interrupted), (20, 0, false));
        assert_eq!(run.aggregate.counter("http.downloaded_bytes"), Some(280));
    }

    #[test]
    fn a_user_whose_connection_is_reset_sends_no_more() {
        let address = server(|stream, n| {
            if n == 3 {
                // Closing with unread bytes would do as well; this is certain.
                rustix::net::sockopt::set_socket_linger(&*stream, Some(Duration::ZERO)).unwrap();
                return false;
            }
            stream.write_all(ANSWER).is_ok()
        });
        assert_eq!(counted(&run(address, 4, 5).0), (12, 8, 0, 4, vec![("ECONNRESET", 4)]));
    }

    #[test]
    fn an_announced_close_costs_a_connection_and_an_unannounced_one_the_user() {
        let announced =
            server(|stream, n| stream.write_all(if n == 3 { LAST_ANSWER } else { ANSWER }).is_ok() && n < 3);
        assert_eq!(counted(&run(announced, 4, 5).0), (20, 20, 4, 0, vec![]));
        // Unannounced, the connection is half closed with the third answer: the fourth request finds its end.
        let unannounced = server(|stream, n| {
            let sent = stream.write_all(ANSWER).is_ok();
            sent && (n < 3 || stream.shutdown(Shutdown::Write).is_ok())
        });
        assert_eq!(counted(&run(unannounced, 4, 5).0), (16, 12, 0, 4, vec![("ECONNRESET", 4)]));
    }

    #[test]
    fn content_until_the_close_is_an_answer() {
        let address = server(|stream, _| {
            stream.write_all(b"HTTP/1.1 200 OK\r\n\r\nabc").unwrap();
            false
        });
        let (run, _) = run(address, 2, 3);
        assert_eq!(counted(&run), (6, 6, 2, 0, vec![]));
        assert_eq!(run.aggregate.counter("http.downloaded_bytes"), Some(18));
    }

    #[test]
    fn what_is_no_answer_fails_the_user_by_its_cause() {
        let refused = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        assert_eq!(counted(&run(refused, 3, 5).0), (3, 0, 0, 3, vec![("ECONNREFUSED", 3)]));
        let garbled = server(|stream, _| stream.write_all(b"NOT HTTP\r\n\r\n").is_ok());
        assert_eq!(counted(&run(garbled, 2, 5).0), (2, 0, 0, 2, vec![("MALFORMED_RESPONSE", 2)]));
        let truncated = server(|stream, _| {
            stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nabc").unwrap();
            false
        });
        assert_eq!(counted(&run(truncated, 2, 5).0), (2, 0, 0, 2, vec![("ECONNRESET", 2)]));
        let silent = server(|_, _| true);
        assert_eq!(counted(&run(silent, 2, 5).0), (2, 0, 0, 2, vec![("ETIMEDOUT", 2)]));
    }

    #[test]
    fn any_status_is_an_answer() {
        let address = server(|stream, n| {
            let status = if n % 2 == 0 { 404 } else { 500 };
            write!(stream, "HTTP/1.1 {status} No\r\ncontent-length: 0\r\n\r\n").is_ok()
        });
        let (run, _) = run(address, 2, 5);
        assert_eq!(counted(&run), (10, 10, 2, 0, vec![]));
        assert_eq!((run.aggregate.answers_of_class(4), run.aggregate.answers_of_class(5)), (4, 6));
    }

    #[test]
    fn users_arrive_evenly_the_first_at_once() {
        let users = Users {
            address: ([127, 0, 0, 1], 1).into(),
            request: Request::get("/", "h").unwrap(),
            count: 40,
            requests_each: 1,
            patience: PATIENCE,
            interrupt: Interrupt::never(),
        };
        let gaps: Vec<u64> = (0..40).map(|i| users.arrival_ns(i + 1) - users.arrival_ns(i)).collect();
        assert_eq!((users.arrival_ns(0), gaps), (0, vec![25_000_000; 40]));
        assert_eq!(users.ensure_enough_descriptors(), Ok(()));
        let crowd = Users { count: u32::MAX, ..users };
        assert!(crowd.ensure_enough_descriptors().unwrap_err().to_string().contains("ulimit -n 4294967327"));
    }
}
