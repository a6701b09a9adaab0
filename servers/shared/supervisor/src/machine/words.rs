//! What happens to a crew, what is to be done about it, and by which rules: the machine's input and output.

use std::time::Duration;

/// A time since the primary's start, by a clock that stands still while the primary does not run ([`crate::clock`]).
pub(crate) type Moment = Duration;

/// One worker process, told apart from all others that there ever were.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Life(pub(crate) u64);

/// What happened.
#[derive(Clone, Debug)]
pub(crate) enum Event {
    /// A worker is ready.
    Ready(Life),
    /// A worker has answered its primary's ping.
    Pong(Life),
    /// A worker process has ended, and was reaped.
    Ended(Life, End),
    /// A worker process could not be started.
    NotStarted(Life, String),
    /// Somebody wants something.
    Command(Command),
    /// Nothing but that time has passed.
    Tick,
}

/// How a worker process ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct End {
    /// Whether it ended as one does that was told to.
    pub(crate) clean: bool,
    /// In words: `exited with code 3`.
    pub(crate) how: String,
    /// What it said of why it could not start.
    pub(crate) said: Option<String>,
}

impl End {
    /// How it ended and what it said of that.
    pub(crate) fn whole(&self) -> String {
        match &self.said {
            Some(said) => format!("{} ({said})", self.how),
            None => self.how.clone(),
        }
    }
}

/// What somebody wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Command {
    /// All workers replaced, place by place. While one is under way, another is begun when it is over.
    Reload,
    /// The worker of one place replaced, for this reason. Not while a reload or another renewal is under way.
    Renew(usize, String),
    /// So many places.
    Scale(usize),
    /// The end: by a drain, or at once.
    Stop {
        /// Whether what is under way is answered first.
        graceful: bool,
    },
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Start a worker process for a place.
    Start {
        /// Whose life that begins.
        life: Life,
        /// The place.
        place: usize,
        /// Which of the place's two sides it takes.
        side: usize,
        /// Whether from the program that is on disk now, or from the one that the place had last.
        renewed: bool,
    },
    /// Have a worker answer what is under way, and end.
    Drain {
        /// Which.
        life: Life,
        /// Whether others accept from its listeners, so that it must take nothing from them any more.
        handed_over: bool,
    },
    /// Kill a worker process.
    Kill(Life),
    /// Ask a worker whether its event loop turns.
    Ping(Life),
    /// Have a worker accept from the listener of another place as well.
    Serve(Life, usize),
    /// Have it stop that again.
    Release(Life, usize),
    /// A worker of this place crashed and is going to be replaced: for the account of restarts.
    Crashed(usize),
    /// Tell whoever reads the log.
    Say(Level, String),
    /// All places are served for the first time.
    AllReady,
    /// A reload begins.
    Reloading,
    /// A reload is over, and how.
    Reloaded(Result<(), String>),
    /// Nobody is left, or nothing more can be done about those who are.
    End(Outcome),
}

/// How loud something is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Level {
    /// As it should be.
    Info,
    /// Not as it should be, and taken care of.
    Warn,
    /// Beyond what can be taken care of.
    Error,
}

/// How it all ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// By a stop. Places that had failed by then, in words.
    Stopped {
        /// What had failed: empty if nothing had.
        failed: Vec<String>,
    },
    /// Not all places came to be served for the first time.
    NotStarted(String),
    /// All places have failed, and why.
    AllFailed(Vec<String>),
}

/// The rules.
#[derive(Clone, Debug)]
pub(crate) struct Policy {
    /// How long a worker may take to be ready.
    pub(crate) ready_timeout: Duration,
    /// How long one may take to end that was told to drain.
    pub(crate) drain_timeout: Duration,
    /// For how long one may leave pings unanswered; for ever, if nothing is said.
    pub(crate) hang_timeout: Option<Duration>,
    /// How many crashes within [`Self::crash_window`] make a place fail.
    pub(crate) max_crashes: usize,
    /// Within which time.
    pub(crate) crash_window: Duration,
    /// Whether a worker can serve another's place.
    pub(crate) lends: bool,
}

/// A worker that served for so long is taken for sound: what makes it crash is not what made others crash before.
pub(crate) const SOUND_AFTER: Duration = Duration::from_secs(5);

/// The first wait before a replacement, from the second crash on; it doubles with each up to the longest. A random half of it
/// is left out, so that workers that crash for one reason do not all come back at one time.
pub(crate) const BACK_OFF_MIN: Duration = Duration::from_millis(100);
pub(crate) const BACK_OFF_MAX: Duration = Duration::from_secs(10);

/// A place that is not served for longer than this is served by the others: what the kernel put into its queue waits there.
pub(crate) const UNSERVED: Duration = Duration::from_millis(200);

/// How long a process that was killed is waited for. One that is still there then hangs in the kernel.
pub(crate) const KILL_TIMEOUT: Duration = Duration::from_secs(10);

/// How many pings go unanswered before a worker counts as hung.
pub(crate) const PINGS: u32 = 4;
