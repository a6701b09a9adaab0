//! What is to be run, as plain values.

use std::{
    net::SocketAddr,
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustix::process::{Resource, Rlimit, getrlimit};

use crate::{
    check::Check,
    pacing::{Pacing, Share},
    policy::{ConnectionPolicy, Verify},
    rate::Rate,
    request::Request,
    response::Limits,
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

/// Why a plan cannot be run.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum PlanError {
    /// There is nothing to send.
    #[error("plan has no streams; add one")]
    NoStreams,
    /// A stream could never send.
    #[error("stream `{0}` has no connections; give it one or more")]
    NoConnections(String),
    /// A rate that is no rate.
    #[error(
        "stream `{stream}` has a rate ({rate:?}) that is none; choose rates from {} to {} requests per second (a ramp's other end \
         may be 0), and lengths above 0 s",
        Rate::LEAST_PER_SECOND,
        Rate::MOST_PER_SECOND
    )]
    Rate {
        /// The stream's name.
        stream: String,
        /// The rate asked for.
        rate: Rate,
    },
    /// A limit under which nothing could be sent.
    #[error("stream `{stream}` allows {what} of 0; choose 1 or more, or leave it out")]
    Zero {
        /// The stream's name.
        stream: String,
        /// Which limit.
        what: &'static str,
    },
    /// Settings that contradict each other.
    #[error("stream `{stream}` {conflict}")]
    Conflict {
        /// The stream's name.
        stream: String,
        /// Which, and what to do.
        conflict: &'static str,
    },
    /// A part of a load that has fewer.
    #[error("part {} of {} is none; they are numbered from 0 to {}", .0.index, .0.of, .0.of.saturating_sub(1))]
    Part(Share),
    /// A part of the load could never send.
    #[error(
        "stream `{stream}` has {connections} connections for the {parts} parts of the load; give it one or more for each"
    )]
    Parts {
        /// The stream's name.
        stream: String,
        /// How many connections it has, over all parts.
        connections: u32,
        /// How many parts there are.
        parts: u32,
    },
    /// The start lies in the past.
    #[error("start lies {0:.1?} in the past; choose a later one, and compare the clocks of the hosts")]
    Past(Duration),
    /// The start came before the connections were open.
    #[error(
        "start came {0:.1?} before the connections were open; choose a later one, and see whether the server accepts as many"
    )]
    TooSoon(Duration),
    /// Nothing would be measured.
    #[error("window is empty; make it longer than 0")]
    EmptyWindow,
    /// Every request would fail.
    #[error("timeout is 0; make it longer")]
    NoTimeout,
    /// A time beyond what clocks are added up to.
    #[error("{what} of {time:?} is too long; choose up to {} hours", LONGEST.as_secs() / 3600)]
    TooLong {
        /// Which time.
        what: &'static str,
        /// How long it was to be.
        time: Duration,
    },
    /// More requests in flight than there is room for.
    #[error(
        "{0} requests may be in flight on all connections together; choose fewer connections or a smaller pipeline, at most {MOST_IN_FLIGHT}"
    )]
    InFlight(u64),
    /// More sockets than the process may open.
    #[error(
        "{needed} file descriptors are needed for the connections and {allowed} are allowed; raise the limit with `ulimit {} {needed}`{}",
        if *.is_hard { "-Hn" } else { "-n" },
        if *.is_hard { " as root, or ask for fewer connections" } else { "" }
    )]
    Descriptors {
        /// How many would be needed.
        needed: u64,
        /// The soft limit in force.
        allowed: u64,
        /// Whether the hard limit is too low as well, so that the soft one cannot be raised as far.
        is_hard: bool,
    },
}

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

    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        if self.streams.is_empty() {
            return Err(PlanError::NoStreams);
        }
        if self.part.index >= self.part.of {
            return Err(PlanError::Part(self.part));
        }
        for stream in &self.streams {
            let connections = self.shared_connections.unwrap_or(stream.connections);
            if connections == 0 {
                return Err(PlanError::NoConnections(stream.name.clone()));
            }
            if connections < self.part.of {
                return Err(PlanError::Parts {
                    stream: stream.name.clone(),
                    connections,
                    parts: self.part.of,
                });
            }
            if let Some(rate) = stream.pacing.rate().filter(|rate| !rate.is_sound()) {
                return Err(PlanError::Rate { stream: stream.name.clone(), rate });
            }
            self.validate_policy(stream)?;
        }
        if self.window.is_zero() {
            return Err(PlanError::EmptyWindow);
        }
        if self.timeout.is_zero() {
            return Err(PlanError::NoTimeout);
        }
        /// Standard streams, one poller for each thread, and what the caller has open.
        const BESIDE_CONNECTIONS: u64 = 64;
        let each = self.streams.iter().map(|stream| u64::from(self.connections_of(stream)));
        let connections: u64 = match self.shared_connections {
            Some(_) => each.max().unwrap_or(0),
            None => each.sum(),
        };
        let needed = connections + BESIDE_CONNECTIONS;
        let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
        match current {
            Some(allowed) if allowed < needed => {
                let is_hard = maximum.is_some_and(|most| most < needed);
                Err(PlanError::Descriptors { needed, allowed, is_hard })
            }
            _ => Ok(()),
        }
    }

    fn validate_policy(&self, stream: &Stream) -> Result<(), PlanError> {
        let name = || stream.name.clone();
        let policy = &stream.policy;
        for (what, value) in [
            ("requests on a connection", policy.requests_each),
            ("requests in flight on a connection", Some(policy.pipeline)),
            ("bytes per second to send", policy.send_bytes_per_second),
            ("bytes per second to read", policy.read_bytes_per_second),
            ("answers to one that is compared", sample_of(stream.verify)),
            ("requests", stream.requests.map(|requests| u32::from(requests > 0))),
        ] {
            if value == Some(0) {
                return Err(PlanError::Zero { stream: name(), what });
            }
        }
        let conflict = |conflict| Err(PlanError::Conflict { stream: name(), conflict });
        let throttled = policy.send_bytes_per_second.or(policy.read_bytes_per_second).is_some();
        if policy.pipeline > 1 && throttled {
            return conflict("pipelines slowly; choose pipelining, or slow senders and readers");
        }
        if policy.pipeline > 1 && self.first_byte {
            return conflict("pipelines, so its first bytes cannot be told apart; leave one of the two out");
        }
        if self.shared_connections.is_some() {
            if stream.pacing.is_open() {
                return conflict("is an open loop, which has connections of its own; share none");
            }
            if policy.pipeline > 1 {
                return conflict("pipelines on shared connections; give it its own, or choose a depth of 1");
            }
            if !(stream.weight.is_finite() && stream.weight > 0.0) {
                return conflict("has a weight that is not above 0; choose one that is");
            }
        }
        Ok(())
    }
}

fn sample_of(verify: Verify) -> Option<u32> {
    match verify {
        Verify::Sample { every } => Some(every),
        Verify::All | Verify::None => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::AnySuccess;

    fn plan(pacing: Pacing, connections: u32) -> Plan {
        let request = Request::get("/", "h").expect("a valid request");
        let stream = Stream::new("s", request, Arc::new(AnySuccess), pacing, connections);
        Plan::new(SocketAddr::from(([127, 0, 0, 1], 1)), vec![stream])
    }

    #[test]
    fn a_rate_must_be_a_rate() {
        for per_second in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refused = plan(Pacing::Poisson { per_second: per_second.into() }, 1).validate();
            assert!(matches!(refused, Err(PlanError::Rate { .. })), "{per_second}");
        }
        assert_eq!(plan(Pacing::Constant { per_second: 0.5.into() }, 1).validate(), Ok(()));
    }

    #[test]
    fn more_connections_than_descriptors_are_refused_with_the_command_that_helps() {
        let refused = plan(Pacing::Closed, u32::MAX).validate().expect_err("far beyond any limit");
        assert!(refused.to_string().contains("n 4294967359`"), "{refused}");
        let refused = |is_hard| PlanError::Descriptors { needed: 9, allowed: 8, is_hard }.to_string();
        assert!(refused(false).ends_with("`ulimit -n 9`"), "{}", refused(false));
        assert!(refused(true).contains("`ulimit -Hn 9` as root"), "{}", refused(true));
    }

    #[test]
    fn a_part_of_a_load_has_its_share_of_the_connections_and_needs_one_at_least() {
        let mut plan = plan(Pacing::Closed, 5);
        plan.cpus = vec![0, 1, 2, 3];
        let shares = [0, 1, 2].map(|index| {
            plan.part = Share { index, of: 3 };
            (plan.validate(), plan.connections_of(&plan.streams[0]), plan.threads())
        });
        assert_eq!(shares, [(Ok(()), 2, 2), (Ok(()), 2, 2), (Ok(()), 1, 1)]);
        plan.part = Share { index: 3, of: 3 };
        let refused = plan.validate().map_err(|error| error.to_string());
        assert_eq!(refused, Err("part 3 of 3 is none; they are numbered from 0 to 2".to_owned()));
        plan.part = Share { index: 0, of: 6 };
        let refused = plan.validate().map_err(|error| error.to_string());
        assert!(
            refused.is_err_and(|error| error.starts_with("stream `s` has 5 connections for the 6 parts"))
        );
    }

    #[test]
    fn threads_without_a_connection_are_not_started() {
        let mut plan = plan(Pacing::Closed, 2);
        assert_eq!(plan.threads(), 1);
        plan.cpus = vec![0, 1, 2, 3];
        assert_eq!(plan.threads(), 2);
    }

    #[test]
    fn limits_that_let_nothing_through_and_settings_that_contradict_are_refused() {
        let refused = |change: fn(&mut Plan)| {
            let mut plan = plan(Pacing::Closed, 1);
            change(&mut plan);
            plan.validate().map_err(|error| error.to_string())
        };
        let with = |change: fn(&mut Plan), expected: &str| {
            let error = refused(change).expect_err(expected);
            assert!(error.contains(expected), "{error}");
        };
        with(|plan| plan.streams[0].policy.requests_each = Some(0), "requests on a connection of 0");
        with(|plan| plan.streams[0].policy.pipeline = 0, "in flight on a connection of 0");
        with(|plan| plan.streams[0].requests = Some(0), "allows requests of 0");
        with(|plan| plan.streams[0].verify = Verify::Sample { every: 0 }, "compared of 0");
        with(|plan| plan.shared_connections = Some(0), "no connections");
        with(
            |plan| {
                plan.first_byte = true;
                plan.streams[0].policy.pipeline = 2;
            },
            "first bytes",
        );
        with(
            |plan| {
                plan.shared_connections = Some(4);
                plan.streams[0].weight = 0.0;
            },
            "weight",
        );
        assert_eq!(refused(|plan| plan.shared_connections = Some(4)), Ok(()));
    }

    #[test]
    fn an_empty_plan_is_refused() {
        let mut plan = plan(Pacing::Closed, 0);
        assert_eq!(plan.validate(), Err(PlanError::NoConnections("s".to_owned())));
        plan.streams.clear();
        assert_eq!(plan.validate(), Err(PlanError::NoStreams));
    }
}
