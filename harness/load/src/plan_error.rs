//! Why a plan cannot be run, each with what to do.

use std::time::Duration;

use crate::{
    plan::{LONGEST, MOST_IN_FLIGHT},
    rate::Rate,
    share::Share,
};

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
        "start came {0:.1?} before the connections were open, which are opened in the 2 s before it: choose a later one, or see why the \
         server accepts them so slowly"
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
