//! What a row is, in the terms in which rows differ, so that an effect can be attributed to one of them.
//!
//! Factors say how a row is built. What follows from that is for the measurements to say.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What a row is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Factors {
    /// The unit that owns or shares event loops.
    pub workers: Workers,
    /// Whether each of them keeps to a CPU of its own.
    pub pinned: bool,
    /// How connections come to them.
    pub accept: Accept,
    /// How they wait for what is ready.
    pub io: Io,
    /// Whether an idle one takes work from a busy one.
    pub stealing: bool,
    /// Where operations run.
    pub placement: OperationPlacement,
}

/// The unit that owns or shares event loops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Workers {
    /// Processes.
    Process,
    /// Threads of one process.
    Thread,
    /// There is only one.
    Single,
}

/// How connections come to workers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Accept {
    /// One thread or process accepts, and hands connections on.
    SingleAcceptor,
    /// Each worker has a listener of its own, and the kernel chooses.
    ListenerPerWorker,
    /// All workers accept from one listener.
    SharedListener,
}

/// How workers wait for what is ready.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub enum Io {
    /// `epoll(7)`.
    #[serde(rename = "epoll")]
    Epoll,
    /// `io_uring(7)`.
    #[serde(rename = "io_uring")]
    IoUring,
    /// `poll(2)`.
    #[serde(rename = "poll")]
    Poll,
}

/// Where operations run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum OperationPlacement {
    /// Where the connection lives.
    Inline,
    /// On a pool of as many threads as there are CPUs, which computes only.
    ComputePool,
    /// On a pool of processes, which compute only.
    ProcessPool,
    /// In a process that is started for it.
    ProcessPerRequest,
    /// On a pool of threads that are meant to block.
    BlockingPool,
    /// On the connection's thread, whose other work moves to another thread meanwhile.
    BlockInPlace,
}

impl Factors {
    /// What a table of a registry may say, for the message to one that says nothing.
    pub(super) const EXAMPLE: &str = r#"factors = { workers = "thread", pinned = false, accept = "shared-listener", io = "epoll", stealing = false, placement = "inline" }
    workers    "process", "thread" or "single"
    accept     "single-acceptor", "listener-per-worker" or "shared-listener"
    io         "epoll", "io_uring" or "poll"
    placement  "inline", "compute-pool", "process-pool", "process-per-request", "blocking-pool" or "block-in-place"
    pinned and stealing are true or false"#;

    /// The names of all factors, as tables head their columns.
    pub const NAMES: [&str; 6] = ["workers", "pinned", "accept", "io", "stealing", "placement"];

    /// The factors' values, in the order of [`Factors::NAMES`].
    pub fn values(&self) -> [String; 6] {
        let yes = |is: bool| if is { "yes" } else { "no" }.to_owned();
        [
            self.workers.to_string(),
            yes(self.pinned),
            self.accept.to_string(),
            self.io.to_string(),
            yes(self.stealing),
            self.placement.to_string(),
        ]
    }
}

impl fmt::Display for Workers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Process => "process",
            Self::Thread => "thread",
            Self::Single => "single",
        })
    }
}

impl fmt::Display for Accept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::SingleAcceptor => "single-acceptor",
            Self::ListenerPerWorker => "listener-per-worker",
            Self::SharedListener => "shared-listener",
        })
    }
}

impl fmt::Display for Io {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Epoll => "epoll",
            Self::IoUring => "io_uring",
            Self::Poll => "poll",
        })
    }
}

impl fmt::Display for OperationPlacement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Inline => "inline",
            Self::ComputePool => "compute-pool",
            Self::ProcessPool => "process-pool",
            Self::ProcessPerRequest => "process-per-request",
            Self::BlockingPool => "blocking-pool",
            Self::BlockInPlace => "block-in-place",
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_example_that_teaches_is_itself_right() {
        #[derive(Deserialize)]
        struct Table {
            factors: Factors,
        }
        let first = Factors::EXAMPLE.lines().next().unwrap();
        let Table { factors } = toml::from_str(first).unwrap();
        assert_eq!(factors.values(), ["thread", "no", "shared-listener", "epoll", "no", "inline"]);
    }

    #[test]
    fn what_is_shown_is_what_is_written() {
        fn is_shown_as_written(value: impl serde::Serialize + fmt::Display) {
            assert_eq!(serde_json::to_string(&value).unwrap(), format!("\"{value}\""));
        }
        [Workers::Process, Workers::Thread, Workers::Single].into_iter().for_each(is_shown_as_written);
        [Accept::SingleAcceptor, Accept::ListenerPerWorker, Accept::SharedListener]
            .into_iter()
            .for_each(is_shown_as_written);
        [Io::Epoll, Io::IoUring, Io::Poll].into_iter().for_each(is_shown_as_written);
        use OperationPlacement::{
            BlockInPlace, BlockingPool, ComputePool, Inline, ProcessPerRequest, ProcessPool,
        };
        [Inline, ComputePool, ProcessPool, ProcessPerRequest, BlockingPool, BlockInPlace]
            .into_iter()
            .for_each(is_shown_as_written);
    }
}
