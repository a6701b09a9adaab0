//! The rules of supervision, as they are typed.

use std::{num::NonZeroUsize, path::PathBuf, time::Duration};

use clap::{Args, ValueEnum};

use crate::machine::words::Policy;

/// How much longer than its drain timeout a worker may take to end: it keeps that deadline itself.
const DRAIN_SLACK: Duration = Duration::from_secs(2);

const SHORTEST: Duration = Duration::from_millis(1);
const LONGEST: Duration = Duration::from_secs(24 * 3600);
/// The primary looks at its workers several times within this.
const SHORTEST_HANG: Duration = Duration::from_secs(1);
const MOST_CRASHES: NonZeroUsize = NonZeroUsize::new(1000).expect("it is not 0");
/// A worker needs some MiB to start.
const LEAST_RSS: u64 = 16 << 20;
const MOST_RSS: u64 = 1 << 50;
const MOST_REQUESTS: u64 = 1 << 60;

/// How many workers there are where nothing else is said.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// One, supervised as any other
    Fork,
    /// One for each CPU
    #[default]
    Cluster,
}

/// Arguments of the primary. Workers get them as well, and have no use for them.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Supervision")]
pub struct Rules {
    /// How many workers there are where --workers does not say
    #[arg(long, env = "SERVER_MODE", value_enum, default_value = "cluster")]
    pub mode: Mode,

    #[command(flatten)]
    patience: Patience,

    /// Replace a worker that has answered so many requests (up to a tenth more, at random)
    #[arg(long, env = "SERVER_MAX_REQUESTS", value_name = "N", value_parser = within::whole(1..=MOST_REQUESTS))]
    pub max_requests: Option<u64>,

    /// Replace a worker that has so many bytes of memory resident (up to a tenth more, at random)
    #[arg(long, env = "SERVER_MAX_RSS", value_name = "BYTES", value_parser = within::whole(LEAST_RSS..=MOST_RSS))]
    pub max_rss: Option<u64>,

    /// Reload when this file, or what is directly in this folder, changes
    #[arg(long, env = "SERVER_WATCH", value_name = "PATH")]
    pub watch: Option<PathBuf>,

    /// Where the socket is by which this same program asks and commands (`status`, `reload`, ...), or off
    /// [default: $XDG_RUNTIME_DIR/NAME-PORT.sock]
    #[arg(long, env = "SERVER_CONTROL", value_name = "PATH|off")]
    pub control: Option<PathBuf>,
}

/// For how long a worker may do nothing, and how often it may end: those of the rules that hold as well for processes that only compute
/// for a server. Made [`Rules`], there is no control socket, and nothing is watched.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Supervision")]
pub struct Patience {
    /// How long a worker may take to be ready, at the start and later
    #[arg(long, env = "SERVER_READY_TIMEOUT", default_value = "10s", value_name = "TIME", value_parser = within::time(SHORTEST..=LONGEST))]
    ready_timeout: Duration,

    /// For how long a worker's event loop may stand still before it is killed and replaced, or off. Operations compute on
    /// the event loop: to be longer than the longest of them, many times over
    #[arg(long, env = "SERVER_HANG_TIMEOUT", default_value = "60s", value_name = "TIME|off", value_parser = time_or_off)]
    hang_timeout: Limit<Duration>,

    /// How many crashes within --crash-window make a place fail, which is then served by the other workers
    #[arg(long, env = "SERVER_MAX_CRASHES", default_value = "10", value_name = "N", value_parser = within::whole(NonZeroUsize::MIN..=MOST_CRASHES))]
    max_crashes: NonZeroUsize,

    /// The time over which crashes are counted
    #[arg(long, env = "SERVER_CRASH_WINDOW", default_value = "60s", value_name = "TIME", value_parser = within::time(SHORTEST..=LONGEST))]
    crash_window: Duration,
}

/// A limit that can be off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Limit<T> {
    Off,
    At(T),
}

fn time_or_off(typed: &str) -> Result<Limit<Duration>, String> {
    if typed == "off" {
        return Ok(Limit::Off);
    }
    within::time(SHORTEST_HANG..=LONGEST)(typed).map(Limit::At).map_err(|error| format!("{error}, or off"))
}

impl Patience {
    /// For how long one may stand still; for ever, if nothing is said.
    pub fn hang_timeout(&self) -> Option<Duration> {
        match self.hang_timeout {
            Limit::Off => None,
            Limit::At(patience) => Some(patience),
        }
    }
}

impl From<Patience> for Rules {
    fn from(patience: Patience) -> Self {
        let control = Some(PathBuf::from("off"));
        Self { mode: Mode::Cluster, patience, max_requests: None, max_rss: None, watch: None, control }
    }
}

impl Rules {
    pub(crate) fn policy(&self, drain_timeout: Duration, lends: bool) -> Policy {
        let patience = &self.patience;
        Policy {
            ready_timeout: patience.ready_timeout,
            drain_timeout: drain_timeout + DRAIN_SLACK,
            hang_timeout: patience.hang_timeout(),
            max_crashes: patience.max_crashes.get(),
            crash_window: patience.crash_window,
            lends,
        }
    }
}
