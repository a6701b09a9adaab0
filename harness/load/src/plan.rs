//! What is to be run, as plain values.

use std::{net::SocketAddr, sync::Arc, time::Duration};

use rustix::process::{Resource, getrlimit};

use crate::{check::Check, pacing::Pacing, request::Request, response::Limits};

/// One run of the generator: warm-up, window and drain against one server.
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
    /// How long a request may take from its actual send, an attempt to connect from its start, and the drain from
    /// the end of the window.
    pub timeout: Duration,
    /// How long opening all connections may take before the warm-up begins without the missing ones.
    pub connect_within: Duration,
    /// How often [`Observer::progress`](crate::Observer::progress) is called.
    pub progress_every: Duration,
    /// What arrivals and choices of connections are drawn from.
    pub seed: u64,
    /// How large a response may be.
    pub limits: Limits,
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
    /// How many connections it has, over all engine threads. Each carries one request at a time.
    pub connections: u32,
}

/// How an engine thread waits for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Wait {
    /// Polls without pause. Only for a CPU that belongs to the generator alone.
    Spin,
    /// Sleeps until a socket is ready or the next request is due, with a timer slack of 1 ns. Never spins.
    Sleep,
}

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
        "stream `{stream}` has a rate of {per_second} requests per second; choose one above 0 and up to 1e9"
    )]
    Rate {
        /// The stream's name.
        stream: String,
        /// The rate asked for.
        per_second: f64,
    },
    /// Nothing would be measured.
    #[error("window is empty; make it longer than 0")]
    EmptyWindow,
    /// Every request would fail.
    #[error("timeout is 0; make it longer")]
    NoTimeout,
    /// More sockets than the process may open.
    #[error(
        "{needed} file descriptors are needed for the connections and {allowed} are allowed; raise the limit with `ulimit -n {needed}`"
    )]
    Descriptors {
        /// How many would be needed.
        needed: u64,
        /// The soft limit in force.
        allowed: u64,
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
            connect_within: Duration::from_secs(5),
            progress_every: Duration::from_millis(500),
            seed: 1,
            limits: Limits::default(),
            on_thread_start: None,
        }
    }

    /// How many engine threads it takes: one for each CPU, as long as each has a connection.
    pub(crate) fn threads(&self) -> u32 {
        let most = self.streams.iter().map(|stream| stream.connections).max().unwrap_or(1);
        u32::try_from(self.cpus.len().max(1)).unwrap_or(u32::MAX).min(most)
    }

    pub(crate) fn validate(&self) -> Result<(), PlanError> {
        if self.streams.is_empty() {
            return Err(PlanError::NoStreams);
        }
        for stream in &self.streams {
            if stream.connections == 0 {
                return Err(PlanError::NoConnections(stream.name.clone()));
            }
            if let Some(per_second) = stream.pacing.per_second()
                && !(per_second > 0.0 && per_second <= 1e9)
            {
                return Err(PlanError::Rate { stream: stream.name.clone(), per_second });
            }
        }
        if self.window.is_zero() {
            return Err(PlanError::EmptyWindow);
        }
        if self.timeout.is_zero() {
            return Err(PlanError::NoTimeout);
        }
        /// Standard streams, one poller for each thread, and what the caller has open.
        const BESIDE_CONNECTIONS: u64 = 64;
        let connections: u64 = self.streams.iter().map(|stream| u64::from(stream.connections)).sum();
        let needed = connections + BESIDE_CONNECTIONS;
        match getrlimit(Resource::Nofile).current {
            Some(allowed) if allowed < needed => Err(PlanError::Descriptors { needed, allowed }),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::AnySuccess;

    fn plan(pacing: Pacing, connections: u32) -> Plan {
        let request = Request::get("/", "h").expect("a valid request");
        let stream =
            Stream { name: "s".to_owned(), request, check: Arc::new(AnySuccess), pacing, connections };
        Plan::new(SocketAddr::from(([127, 0, 0, 1], 1)), vec![stream])
    }

    #[test]
    fn a_rate_must_be_a_rate() {
        for per_second in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            let refused = plan(Pacing::Poisson { per_second }, 1).validate();
            assert!(matches!(refused, Err(PlanError::Rate { .. })), "{per_second}");
        }
        assert_eq!(plan(Pacing::Constant { per_second: 0.5 }, 1).validate(), Ok(()));
    }

    #[test]
    fn more_connections_than_descriptors_are_refused_with_the_command_that_helps() {
        let refused = plan(Pacing::Closed, u32::MAX).validate().expect_err("far beyond any limit");
        assert!(refused.to_string().contains("ulimit -n 4294967359"), "{refused}");
    }

    #[test]
    fn threads_without_a_connection_are_not_started() {
        let mut plan = plan(Pacing::Closed, 2);
        assert_eq!(plan.threads(), 1);
        plan.cpus = vec![0, 1, 2, 3];
        assert_eq!(plan.threads(), 2);
    }

    #[test]
    fn an_empty_plan_is_refused() {
        let mut plan = plan(Pacing::Closed, 0);
        assert_eq!(plan.validate(), Err(PlanError::NoConnections("s".to_owned())));
        plan.streams.clear();
        assert_eq!(plan.validate(), Err(PlanError::NoStreams));
    }
}
