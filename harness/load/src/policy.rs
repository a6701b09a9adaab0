//! What a stream's connections are like, and how closely its answers are looked at.

use std::time::Duration;

use serde::{Deserialize, Serialize};

/// How a stream uses its connections. The default is a connection that is opened before the run and kept.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConnectionPolicy {
    /// How many requests a connection carries before the generator closes it; no limit where nothing is said. With
    /// [`Afterwards::ReopenIfAnnounced`] its sockets carry so many together.
    pub requests_each: Option<u32>,
    /// What becomes of a connection that has ended.
    pub then: Afterwards,
    /// When connections are opened.
    pub opening: Opening,
    /// How many requests a connection has in flight at most (HTTP/1.1 pipelining). Above 1, answers are timed when they
    /// are read: those that wait on one socket share a stamp.
    pub pipeline: u32,
    /// A slow sender: requests are written no faster than this, in bytes per second.
    pub send_bytes_per_second: Option<u32>,
    /// A slow reader: answers are read no faster than this, in bytes per second, through a small receive buffer.
    pub read_bytes_per_second: Option<u32>,
}

impl Default for ConnectionPolicy {
    fn default() -> Self {
        Self {
            requests_each: None,
            then: Afterwards::Reopen,
            opening: Opening::Ahead,
            pipeline: 1,
            send_bytes_per_second: None,
            read_bytes_per_second: None,
        }
    }
}

/// What becomes of a connection that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Afterwards {
    /// Another is opened in its place, however it ended.
    Reopen,
    /// Another is opened in its place only where the server announced the end: with a whole answer that says
    /// `Connection: close`, or that the close ends. It goes on with what is left of
    /// [`requests_each`](ConnectionPolicy::requests_each) (requests pipelined behind that answer fail, and count as
    /// carried). Any other end (a failure to connect, a request without an answer, a close without a word) is the
    /// last: a user who follows what the server says, and leaves at the first failure.
    ReopenIfAnnounced,
    /// None is, however it ended.
    Retire,
}

impl Afterwards {
    /// Whether connections come to a last end. A run in which all have is over.
    pub(crate) fn retires(self) -> bool {
        self != Afterwards::Reopen
    }
}

/// When connections are opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Before the run starts, a few at a time.
    Ahead,
    /// Evenly over so long from the run's start: the first at once, the last just before its end.
    Over(Duration),
}

/// Which answers are compared with the expected one. Status and framing always are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verify {
    /// Every one.
    #[default]
    All,
    /// Every so many-th.
    Sample {
        /// How many answers there are to one that is compared.
        every: u32,
    },
    /// None.
    None,
}

impl Verify {
    /// Whether answer number `index` is compared.
    #[inline]
    pub(crate) fn wants(self, index: u64) -> bool {
        match self {
            Verify::All => true,
            Verify::Sample { every } => index.is_multiple_of(u64::from(every.max(1))),
            Verify::None => false,
        }
    }
}

/// So many bytes at a time, and the pause between two times.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Throttle {
    pub(crate) bytes: usize,
    pub(crate) every_ns: u64,
}

impl Throttle {
    /// A hundred portions a second, of one byte at least.
    pub(crate) fn of(bytes_per_second: Option<u32>) -> Option<Self> {
        const PORTIONS_PER_SECOND: u32 = 100;
        let per_second = bytes_per_second?.max(1);
        let bytes = (per_second / PORTIONS_PER_SECOND).max(1);
        Some(Self {
            bytes: bytes as usize,
            every_ns: 1_000_000_000 * u64::from(bytes) / u64::from(per_second),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_throttle_keeps_its_rate_however_slow() {
        let throttle = |rate| Throttle::of(Some(rate)).map(|t| (t.bytes, t.every_ns));
        assert_eq!(throttle(100_000), Some((1_000, 10_000_000)));
        assert_eq!(throttle(150), Some((1, 6_666_666)));
        assert_eq!(throttle(2), Some((1, 500_000_000)));
        assert_eq!(Throttle::of(None), None);
    }

    #[test]
    fn a_sample_is_evenly_spread() {
        let every = |verify: Verify| (0..9).filter(|index| verify.wants(*index)).collect::<Vec<_>>();
        assert_eq!(every(Verify::Sample { every: 4 }), [0, 4, 8]);
        assert_eq!(every(Verify::All).len(), 9);
        assert!(every(Verify::None).is_empty());
    }
}
