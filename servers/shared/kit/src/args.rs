//! The arguments that all servers share, and the validated [`Config`] that they become.
//!
//! Each is also an environment variable: `--drain-timeout` is `SERVER_DRAIN_TIMEOUT`. The command line wins.

use std::{net::SocketAddr, num::NonZeroUsize, time::Duration};

use app::Faults;
use clap::{Args, builder::BoolishValueParser};
use host::{
    cpus::{CpuSet, default_workers},
    quota::{Quota, Unseen},
};

use crate::policy::Policy;

/// The end of every server's `--help`.
pub const EXAMPLES: &str = "\
Examples:
  --listen 127.0.0.1:0              take any free port; the ready line on stdout names it
  --cpus 0-1 --workers 2            two workers on the first two CPUs
  --header-timeout 500ms            answer 408 sooner to a client that trickles its head
  SERVER_MAX_CONNECTIONS=100000     as an environment variable (SERVER_ and the argument's name)

Try:
  curl 'http://127.0.0.1:8080/complex?iterations=1000000'

The first SIGTERM or SIGINT drains: no new connections, requests under way or in a socket are answered, each connection's last answer
says that it closes, and one without a request closes after --linger. A second signal stops at once.
What it says on stdout and stderr may be lost: a line that nobody takes is dropped, and how many were is told with the next.
Exit codes: 0 drained (a warning says what --drain-timeout cut), 1 failure, 2 usage, 128+N stopped by a second signal N.";

/// Arguments as they are typed.
#[derive(Args, Clone, Debug)]
pub struct Shared {
    /// Where to listen; port 0 takes any free port
    #[arg(long, env = "SERVER_LISTEN", default_value = "127.0.0.1:8080", value_name = "ADDRESS:PORT", value_parser = within::address)]
    listen: SocketAddr,

    /// How many workers own or share event loops [default: the CPUs that this process may use, or, where they are
    /// fewer, the whole CPUs of its cgroup quota]
    #[arg(long, env = "SERVER_WORKERS", value_name = "N", value_parser = workers())]
    workers: Option<NonZeroUsize>,

    /// The CPUs to run on, such as 0-3,6 [default: those that this process may use]
    #[arg(long, env = "SERVER_CPUS", value_name = "LIST")]
    cpus: Option<CpuSet>,

    /// How many connections may be open at once; more wait in the backlog
    #[arg(long, env = "SERVER_MAX_CONNECTIONS", default_value = "16384", value_name = "N", value_parser = within::whole(NonZeroUsize::MIN..=MOST_CONNECTIONS))]
    max_connections: NonZeroUsize,

    /// How long a request's head may take, from its first byte (or from the accept, for the first)
    #[arg(long, env = "SERVER_HEADER_TIMEOUT", default_value = "10s", value_name = "TIME", value_parser = within::time(SHORTEST..=LONGEST))]
    header_timeout: Duration,

    /// How long a request's body may take
    #[arg(long, env = "SERVER_BODY_TIMEOUT", default_value = "30s", value_name = "TIME", value_parser = within::time(SHORTEST..=LONGEST))]
    body_timeout: Duration,

    /// How long a connection may stay open without a request
    #[arg(long, env = "SERVER_IDLE_TIMEOUT", default_value = "75s", value_name = "TIME", value_parser = within::time(SHORTEST..=LONGEST))]
    idle_timeout: Duration,

    /// The longest body of a request, in bytes
    #[arg(long, env = "SERVER_MAX_BODY", default_value = "1048576", value_name = "BYTES", value_parser = within::whole(0..=MOST_BODY_BYTES))]
    max_body: u64,

    /// How long requests under way may take to end after a stop signal
    #[arg(long, env = "SERVER_DRAIN_TIMEOUT", default_value = "10s", value_name = "TIME", value_parser = within::time(SHORTEST..=LONGEST))]
    drain_timeout: Duration,

    /// How long a connection without a request stays open after a stop signal, for one that is on its way; at most
    /// --drain-timeout
    #[arg(long, env = "SERVER_LINGER", default_value = "200ms", value_name = "TIME", value_parser = within::time(Duration::ZERO..=LONGEST))]
    linger: Duration,

    /// Whether requests are checked beyond what hyper checks; off only to measure what that costs
    #[arg(long, env = "SERVER_POLICY", default_value = "enforced", value_name = "WHETHER", hide = true)]
    policy: Policy,

    /// For tests only: lets any client end this server, by POST /fault?kind=panic|abort|overflow|hang
    #[arg(long, env = "SERVER_FAULTS", value_parser = BoolishValueParser::new(), hide_short_help = true)]
    faults: bool,
}

/// Whether workers are pinned, for the rows where that applies.
#[derive(Args, Clone, Copy, Debug)]
pub struct Pinning {
    /// Give each worker one CPU of its own and keep it there
    #[arg(long, overrides_with = "no_pin", env = "SERVER_PIN")]
    pin: bool,
    /// Let the kernel move workers between the CPUs
    #[arg(long, overrides_with = "pin", env = "SERVER_NO_PIN")]
    no_pin: bool,
}

impl Pinning {
    /// Whether to pin, where `default` is what the row does when nothing is said.
    pub fn or(self, default: bool) -> bool {
        if self.pin || self.no_pin { self.pin && !self.no_pin } else { default }
    }
}

/// Arguments that are understood, but cannot be meant.
#[derive(Debug, thiserror::Error)]
pub enum UsageError {
    /// `--cpus` names a CPU that this process may not use.
    #[error("--cpus {wanted}: this process may use only CPUs {allowed}")]
    Cpus {
        /// What was asked for.
        wanted: CpuSet,
        /// What there is.
        allowed: CpuSet,
    },
    /// The CPU mask cannot be read.
    #[error("cannot read which CPUs this process may use: {0}")]
    Mask(std::io::Error),
    /// `--faults` for a program that runs no operations of its own.
    #[error("--faults (SERVER_FAULTS): {0} runs no operation that could go wrong: leave it out")]
    Faults(&'static str),
    /// Two arguments of one server that contradict each other, and what to do.
    #[error("{0}")]
    Contradiction(&'static str),
}

/// What a server runs with.
#[derive(Clone, Debug)]
pub struct Config {
    /// Where to listen.
    pub listen: SocketAddr,
    /// How many workers own or share event loops.
    pub workers: usize,
    /// The CPUs to run on.
    pub cpus: CpuSet,
    /// What keeps a client from taking more than its share.
    pub limits: Limits,
    /// What requests must be.
    pub policy: Policy,
    /// Whether a client may ask for faults, for tests.
    pub faults: Faults,
}

impl Config {
    /// For programs that run no operations: the same, if no faults are asked for.
    ///
    /// # Errors
    /// They are, and `server` has none.
    pub fn without_faults(self, server: &'static str) -> Result<Self, UsageError> {
        match self.faults {
            Faults::Off => Ok(self),
            Faults::On => Err(UsageError::Faults(server)),
        }
    }
}

/// Bounds on what clients may take.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Connections open at once in the whole server.
    pub max_connections: usize,
    /// Bytes in a request's body.
    pub max_body_bytes: u64,
    /// From a head's first byte to its last; for the first request, from the accept.
    pub header_timeout: Duration,
    /// From a request's head to the end of its body.
    pub body_timeout: Duration,
    /// From the last byte of an answer to the first of the next request.
    pub idle_timeout: Duration,
    /// From a stop signal to the end.
    pub drain_timeout: Duration,
    /// From a stop signal, or the last byte of an answer if that is later, to the close of a connection that has no request. The
    /// drain timeout wins where it is shorter.
    pub linger: Duration,
}

impl Limits {
    /// The same limits for one of `loops` accept loops, each of which takes an equal share of the connections.
    pub fn shared_by(&self, loops: usize) -> Self {
        let max_connections = self.max_connections.div_ceil(loops.max(1));
        Self { max_connections, ..self.clone() }
    }
}

impl Shared {
    /// For servers whose workers are not one for each CPU where nothing is said: `choose` gets what was typed for `--workers`.
    pub fn with_workers(mut self, choose: impl FnOnce(Option<NonZeroUsize>) -> NonZeroUsize) -> Self {
        self.workers = Some(choose(self.workers));
        self
    }

    /// Checks the arguments against the machine.
    ///
    /// # Errors
    /// See [`UsageError`].
    pub fn into_config(self) -> Result<Config, UsageError> {
        let allowed = CpuSet::allowed().map_err(UsageError::Mask)?;
        let cpus = match self.cpus {
            None => allowed,
            Some(wanted) if wanted.iter().all(|cpu| allowed.contains(cpu)) => wanted,
            Some(wanted) => return Err(UsageError::Cpus { wanted, allowed }),
        };
        Ok(Config {
            listen: self.listen,
            workers: self.workers.map_or_else(|| workers_on(&cpus), NonZeroUsize::get),
            cpus,
            limits: Limits {
                max_connections: self.max_connections.get(),
                max_body_bytes: self.max_body,
                header_timeout: self.header_timeout,
                body_timeout: self.body_timeout,
                idle_timeout: self.idle_timeout,
                drain_timeout: self.drain_timeout,
                linger: self.linger,
            },
            policy: self.policy,
            faults: if self.faults { Faults::On } else { Faults::Off },
        })
    }
}

/// One worker for each of `cpus`, unless a quota allows fewer; then that is said, since nobody sees a quota. So is that there may be
/// one which cannot be seen.
fn workers_on(cpus: &CpuSet) -> usize {
    let workers = default_workers().min(cpus.len());
    if let Some(unseen) = Unseen::of_this_process() {
        tracing::warn!("{unseen}: --workers says how many to start, which are {workers} now");
    }
    if workers < cpus.len()
        && let Some(quota) = Quota::of_this_process()
    {
        tracing::info!(
            "the cgroup's quota of {quota} allows {workers} of {} workers (--workers overrides)",
            cpus.len()
        );
    }
    workers
}

/// Shorter than this no client could answer in time.
const SHORTEST: Duration = Duration::from_millis(1);
/// A day is longer than any of these can mean, and short enough to be added to any clock.
const LONGEST: Duration = Duration::from_secs(24 * 3600);

/// As many as a CPU mask has places: with more, most of them would never have a CPU.
const MOST_WORKERS: NonZeroUsize = NonZeroUsize::new(1024).expect("it is not 0");
/// More than one address of a client has ports for, many times over.
const MOST_CONNECTIONS: NonZeroUsize = NonZeroUsize::new(10_000_000).expect("it is not 0");
/// 1 TiB: nothing is kept for a body before it comes.
const MOST_BODY_BYTES: u64 = 1 << 40;

/// The most threads of a pool: as many as Linux lets a process have where nothing else is set (`kernel.pid_max`).
const MOST_THREADS: NonZeroUsize = NonZeroUsize::new(32_768).expect("it is not 0");
/// The most that may wait before a pool.
const MOST_QUEUED: usize = 10_000_000;

/// What `--workers` may be.
pub fn workers() -> impl Fn(&str) -> Result<NonZeroUsize, String> + Clone + Send + Sync + 'static {
    within::whole(NonZeroUsize::MIN..=MOST_WORKERS)
}

/// What a number of threads beside the workers may be.
pub fn threads() -> impl Fn(&str) -> Result<NonZeroUsize, String> + Clone + Send + Sync + 'static {
    within::whole(NonZeroUsize::MIN..=MOST_THREADS)
}

/// What the length of a queue before a pool may be.
pub fn queue() -> impl Fn(&str) -> Result<usize, String> + Clone + Send + Sync + 'static {
    within::whole(0..=MOST_QUEUED)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Parser)]
    struct Arguments {
        #[command(flatten)]
        shared: Shared,
        #[command(flatten)]
        pinning: Pinning,
    }

    #[test]
    fn every_number_has_a_range_that_its_refusal_states() {
        let refusal = |argument: &str, value: &str| {
            let typed = ["server", &format!("{argument}={value}")];
            match Arguments::try_parse_from(typed) {
                Ok(_) => panic!("{argument}={value} is taken"),
                Err(error) => error.to_string(),
            }
        };
        for (argument, range, beyond) in [
            ("--listen", "a port from 0 to 65535", "127.0.0.1:65536"),
            ("--workers", "from 1 to 1024", "0"),
            ("--max-connections", "from 1 to 10000000", "0"),
            ("--max-body", "from 0 to 1099511627776", "1099511627777"),
            ("--header-timeout", "from 1ms to 24h", "0"),
            ("--body-timeout", "from 1ms to 24h", "0.5ms"),
            ("--idle-timeout", "from 1ms to 24h", "24h 1ns"),
            ("--drain-timeout", "from 1ms to 24h", "1441m"),
            ("--linger", "from 0 to 24h", "25h"),
        ] {
            for value in [
                beyond,
                "-1",
                "18446744073709551615",
                "99999999999999999999",
                "NaN",
                "inf",
                "1e300",
                "1e-300",
                "",
            ] {
                let message = refusal(argument, value);
                assert!(
                    message.contains(range) && message.contains(argument),
                    "{argument}={value}: {message}"
                );
            }
        }
        for value in ["", "-1", "1024", "0-99999999", "0-18446744073709551615", "3-1", "NaN", "1e300"] {
            assert!(refusal("--cpus", value).contains("numbers from 0 to 1023"), "{value}");
        }
    }

    #[test]
    fn a_cpu_that_is_not_there_is_a_usage_error_that_names_those_that_are() {
        let shared = Arguments::try_parse_from(["server", "--cpus", "1000"]).unwrap().shared;
        let message = shared.into_config().unwrap_err().to_string();
        assert!(message.contains("1000") && message.contains("only CPUs"), "{message}");
    }

    #[test]
    fn the_cpus_bound_the_workers_unless_their_number_is_given() {
        let workers = |arguments: &[&str]| {
            let arguments = [&["server"], arguments].concat();
            Arguments::try_parse_from(arguments).unwrap().shared.into_config().unwrap().workers
        };
        let one = CpuSet::allowed().unwrap().nth_wrapping(0).to_string();
        assert_eq!(workers(&[]), default_workers());
        assert_eq!(workers(&["--cpus", &one]), 1);
        assert_eq!(workers(&["--cpus", &one, "--workers", "3"]), 3);
        assert_eq!(workers(&["--workers", "1000"]), 1000);
    }

    #[test]
    fn the_last_word_on_pinning_counts() {
        let pins = |arguments: &[&str], default| {
            let arguments = [&["server"], arguments].concat();
            Arguments::try_parse_from(arguments).unwrap().pinning.or(default)
        };
        assert!(pins(&[], true) && !pins(&[], false));
        assert!(pins(&["--no-pin", "--pin"], false));
        assert!(!pins(&["--pin", "--no-pin"], true));
    }

    #[test]
    fn faults_are_off_unless_they_are_asked_for_and_the_short_help_does_not_offer_them() {
        let config = |arguments: &[&str]| {
            let arguments = [&["server"], arguments].concat();
            Arguments::try_parse_from(arguments).unwrap().shared.into_config().unwrap()
        };
        assert_eq!(config(&[]).faults, Faults::Off);
        assert_eq!(config(&["--faults"]).faults, Faults::On);
        assert!(config(&[]).without_faults("it").is_ok());
        let message = config(&["--faults"]).without_faults("it").unwrap_err().to_string();
        assert!(message.contains("--faults") && message.contains("it runs no operation"), "{message}");

        let help = |argument| match Arguments::try_parse_from(["server", argument]) {
            Ok(_) => panic!("{argument} is no request for help"),
            Err(help) => help.to_string(),
        };
        assert!(!help("-h").contains("--faults"), "{}", help("-h"));
        assert!(help("--help").contains("For tests only"), "{}", help("--help"));
    }

    #[test]
    fn accept_loops_share_the_connections() {
        let config = Arguments::try_parse_from(["server"]).unwrap().shared.into_config().unwrap();
        assert_eq!(config.limits.shared_by(3).max_connections, 5462);
    }
}
