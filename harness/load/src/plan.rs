//! What is to be run, as plain values.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use crate::{
    check::Check,
    pacing::Pacing,
    policy::{ConnectionPolicy, Verify},
    request::Request,
    response::Limits,
    share::Share,
    witness::Witness,
};

/// One run of the generator: warm-up, window and drain against one server.
///
/// Several generators may have one plan and make a part of its load each: rates, connections and requests are those of all of them.
#[derive(Clone)]
pub struct Plan {
    /// Where the server listens.
    pub target: SocketAddr,
    /// What is sent, each stream on connections of its own.
    pub streams: Vec<Stream>,
    /// One engine thread is pinned to each of these CPUs. Empty: one thread, not pinned.
    pub cpus: Vec<usize>,
    /// How an engine thread waits.
    pub wait: Wait,
    /// How long load is made before anything is recorded.
    pub warm_up: Duration,
    /// How long the measuring window is.
    pub window: Duration,
    /// How long a request may take from its actual send, and an attempt to connect from its start.
    pub timeout: Duration,
    /// How long after the window's end answers are waited for at most; as long as `timeout` where nothing is said. What is
    /// unanswered then is censored.
    pub drain_within: Option<Duration>,
    /// How long opening all connections may take before the warm-up begins without the missing ones.
    pub connect_within: Duration,
    /// How often [`Observer::progress`](crate::Observer::progress) is called.
    pub progress_every: Duration,
    /// What arrivals and choices of connections are drawn from. Generators that make parts of one load have the same.
    pub seed: u64,
    /// Which part of the load this generator makes.
    pub part: Share,
    /// How large a response may be.
    pub limits: Limits,
    /// Streams of a closed loop may share so many connections, over all engine threads: each next request is then drawn by
    /// [`Stream::weight`], and [`Stream::connections`] does not count. The pool follows the first stream's
    /// policy, and the first stream's outcome counts its connections.
    pub shared_connections: Option<u32>,
    /// Whether the time to the first byte is recorded too. First and last byte may share a stamp, so that all times are then
    /// of reading.
    pub first_byte: bool,
    /// Whether answers are timed by the kernel's receive stamps, where that can be ([`ReceivedBy`](crate::ReceivedBy)).
    pub stamps: bool,
    /// Whether every answer is read as soon as it comes, even where its stamp would let it wait until the next request is due.
    pub reads_promptly: bool,
    /// Whether each stream's window is kept in slices of 10 ms to its end ([`Timeline`](crate::Timeline)).
    pub timeline: bool,
    /// How long the pause between two attempts to open a connection grows at most. Until it is over, nobody knows that a server is back.
    pub longest_pause: Duration,
    /// Whether [`Progress`](crate::Progress) tells percentiles, which costs each request a few nanoseconds.
    pub live: bool,
    /// When the run starts, so that several generators can begin together; at once where nothing is said.
    pub start_at: Option<SystemTime>,
    /// Is told what happens on every connection.
    pub witness: Option<Arc<dyn Witness>>,
    /// Run by each engine thread once it is pinned.
    pub on_thread_start: Option<ThreadHook>,
}

/// Called at the start of an engine thread with the thread's number: the place to raise its priority, of which the
/// generator knows nothing.
pub type ThreadHook = Arc<dyn Fn(usize) + Send + Sync>;

/// One kind of request, its pacing and its connections.
#[derive(Clone)]
pub struct Stream {
    /// What the outcome calls it.
    pub name: String,
    /// What is sent.
    pub request: Request,
    /// What judges the answers.
    pub check: Arc<dyn Check>,
    /// When requests are due.
    pub pacing: Pacing,
    /// How many connections it has, over all engine threads.
    pub connections: u32,
    /// How it uses them.
    pub policy: ConnectionPolicy,
    /// Which answers are compared with the expected one.
    pub verify: Verify,
    /// How many requests are sent at most, over all engine threads and from the run's start (so a plan that limits
    /// them wants no warm-up). When every stream's are answered, the run is over.
    pub requests: Option<u64>,
    /// How often it is drawn where streams share connections, relative to the others.
    pub weight: f64,
}

impl Stream {
    /// A stream without limit on connections that are kept, whose answers are all compared.
    pub fn new(
        name: impl Into<String>,
        request: Request,
        check: Arc<dyn Check>,
        pacing: Pacing,
        connections: u32,
    ) -> Self {
        Self {
            name: name.into(),
            request,
            check,
            pacing,
            connections,
            policy: ConnectionPolicy::default(),
            verify: Verify::All,
            requests: None,
            weight: 1.0,
        }
    }
}

/// How an engine thread waits for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Polls without pause. Only for a CPU that belongs to the generator alone.
    Spin,
    /// Polls for [`LINGER_NS`] after the last event, then sleeps. For a closed loop on a CPU that belongs to the generator
    /// alone: an answer that comes soon is met awake, which saves two switches, and a server that takes its time
    /// is not waited for in vain.
    Linger,
    /// Sleeps until a socket is ready or the next request is due, with a timer slack of 1 ns. Never spins. An open loop
    /// whose answers are stamped sleeps until the next request is due, and only then reads what has come meanwhile
    /// ([`Plan::reads_promptly`]).
    Sleep,
}

/// How long [`Wait::Linger`] polls, in nanoseconds: longer than a cheap request takes under one connection (some 30 us
/// here while both sides are awake, 100 us when both sleep), shorter than anything else is worth waiting for.
pub const LINGER_NS: u64 = 100_000;

/// The longest time of a plan. A run until its last user has left is given a year.
pub const LONGEST: Duration = Duration::from_secs(2 * 366 * 24 * 3600);

/// How long the pause between two attempts to open a connection grows where nothing else is said: a server that refuses is not hammered.
pub const LONGEST_PAUSE: Duration = Duration::from_millis(128);

/// The most requests in flight at once, over all connections: each takes some 50 bytes.
pub const MOST_IN_FLIGHT: u64 = 1_000_000;

impl Plan {
    /// A plan with a warm-up of 1 s, a window of 10 s, timeouts of 5 s, and one sleeping thread that is not pinned.
    pub fn new(target: SocketAddr, streams: Vec<Stream>) -> Self {
        Self {
            target,
            streams,
            cpus: Vec::new(),
            wait: Wait::Sleep,
            warm_up: Duration::from_secs(1),
            window: Duration::from_secs(10),
            timeout: Duration::from_secs(5),
            drain_within: None,
            connect_within: Duration::from_secs(5),
            progress_every: Duration::from_millis(500),
            seed: 1,
            part: Share::WHOLE,
            limits: Limits::default(),
            shared_connections: None,
            first_byte: false,
            stamps: true,
            reads_promptly: false,
            timeline: false,
            longest_pause: LONGEST_PAUSE,
            live: false,
            start_at: None,
            witness: None,
            on_thread_start: None,
        }
    }

    /// How long after the window's end answers are waited for.
    pub(crate) fn drain(&self) -> Duration {
        self.drain_within.unwrap_or(self.timeout).min(self.timeout)
    }

    /// How many connections a stream may use, over all engine threads of this generator.
    pub fn connections_of(&self, stream: &Stream) -> u32 {
        self.part.connections_of(self.shared_connections.unwrap_or(stream.connections))
    }

    /// How many engine threads it takes: one for each CPU, as long as each has a connection.
    pub(crate) fn threads(&self) -> u32 {
        let most = self.streams.iter().map(|stream| self.connections_of(stream)).max().unwrap_or(1).max(1);
        u32::try_from(self.cpus.len().max(1)).unwrap_or(u32::MAX).min(most)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::AnySuccess;

    #[test]
    fn threads_without_a_connection_are_not_started() {
        let request = Request::get("/", "h").expect("a valid request");
        let stream = Stream::new("s", request, Arc::new(AnySuccess), Pacing::Closed, 2);
        let mut plan = Plan::new(SocketAddr::from(([127, 0, 0, 1], 1)), vec![stream]);
        assert_eq!(plan.threads(), 1);
        plan.cpus = vec![0, 1, 2, 3];
        assert_eq!(plan.threads(), 2);
    }
}
