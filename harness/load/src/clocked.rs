//! What says when an answer was received: the kernel's stamp, or the clock when the generator had read it. The two are never
//! mixed without a word.

use serde::Serialize;

/// By what a stream's answers are timed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReceivedBy {
    /// By the kernel's stamp of the last byte: when it reached the socket.
    Stamp,
    /// By the clock when the generator had read it.
    Read(ReadBecause),
}

/// Why answers are timed when they are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ReadBecause {
    /// The plan wants it so.
    NotAsked,
    /// The system gives no stamps.
    Unavailable,
    /// Answers that are queued on one socket share the last one's stamp.
    Pipelining,
    /// The first byte may share the last one's stamp.
    FirstByte,
    /// When a slow reader has read an answer is its own doing, and what is asked for.
    SlowReader,
}

impl ReadBecause {
    /// The reason in a few words.
    pub fn reason(self) -> &'static str {
        match self {
            ReadBecause::NotAsked => "no stamps were asked for",
            ReadBecause::Unavailable => "this system gives no receive stamps",
            ReadBecause::Pipelining => "pipelined answers share stamps",
            ReadBecause::FirstByte => "first and last byte may share a stamp",
            ReadBecause::SlowReader => "slow readers are timed when they have read",
        }
    }
}

/// By what the whole answers were timed whose requests were due in the window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Clocked {
    /// By what they were to be.
    pub received_by: ReceivedBy,
    /// By a stamp.
    pub by_stamp: u64,
    /// When they were read, for whatever reason.
    pub by_read: u64,
    /// Of these, although a stamp was wanted: answers that ended with the connection. An end has no stamp.
    pub ended: u64,
    /// The same: the kernel gave no stamp.
    pub unstamped: u64,
    /// The same: the stamp lay before the send or after the read, as when the wall clock is set.
    pub strayed: u64,
}

impl Clocked {
    pub(crate) fn new(received_by: ReceivedBy) -> Self {
        Self { received_by, by_stamp: 0, by_read: 0, ended: 0, unstamped: 0, strayed: 0 }
    }

    #[inline]
    pub(crate) fn count(&mut self, timing: Timing) {
        let by_read = timing != Timing::Stamp;
        self.by_stamp += u64::from(!by_read);
        self.by_read += u64::from(by_read);
        match timing {
            Timing::Stamp | Timing::Read => {}
            Timing::End => self.ended += 1,
            Timing::Unstamped => self.unstamped += 1,
            Timing::Strayed => self.strayed += 1,
        }
    }

    pub(crate) fn merge(&mut self, other: &Clocked) {
        self.by_stamp += other.by_stamp;
        self.by_read += other.by_read;
        self.ended += other.ended;
        self.unstamped += other.unstamped;
        self.strayed += other.strayed;
    }
}

/// What gave one answer its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Timing {
    Stamp,
    Read,
    End,
    Unstamped,
    Strayed,
}

/// When something was received.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Receipt {
    pub(crate) at_ns: u64,
    pub(crate) timing: Timing,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_counted_under_one_clock() {
        let mut clocked = Clocked::new(ReceivedBy::Stamp);
        for timing in [Timing::Stamp, Timing::Stamp, Timing::End, Timing::Unstamped, Timing::Strayed] {
            clocked.count(timing);
        }
        let mut other = Clocked::new(ReceivedBy::Stamp);
        other.count(Timing::Read);
        clocked.merge(&other);
        assert_eq!((clocked.by_stamp, clocked.by_read), (2, 4));
        assert_eq!((clocked.ended, clocked.unstamped, clocked.strayed), (1, 1, 1));
    }

    #[test]
    fn the_reason_is_part_of_the_record() {
        let clocked = Clocked::new(ReceivedBy::Read(ReadBecause::Pipelining));
        let text = serde_json::to_string(&clocked).expect("plain values");
        assert!(text.starts_with(r#"{"received_by":{"read":"pipelining"},"by_stamp":0"#), "{text}");
    }
}
