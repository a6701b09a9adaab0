//! What one who follows single connections is told, as it happens.
//!
//! An outcome is about the requests that were due. Whoever asks what became of a connection instead (a user who comes, sends and
//! leaves; a connection that ends without a word) watches through a [`Witness`]. Nothing is measured for it that would
//! not be measured anyway, and nothing is kept: what the events mean is for the witness.

use std::time::SystemTime;

use crate::errors::ErrorKind;

/// Is told what happens on every connection, by the engine threads themselves and in the order of events on each: it
/// should return at once, and whatever it costs is part of what is measured.
///
/// `connection` numbers the connections of a plan from 0, each stream's after those of the streams before it and in
/// the order in which they are opened; sockets that follow each other in a place have the same number. `at_ns` is the
/// instant in nanoseconds since the run's start, and 0 for what happens before. An answer is told when it was read; its
/// instant is that of its last byte, which may be earlier.
///
/// The end of the run ends what is under way without a word.
pub trait Witness: Send + Sync {
    /// The run starts at this instant, soon. Said once, before anything that is sent.
    fn run_starts(&self, at: SystemTime) {
        let _ = at;
    }

    /// Something happened on a connection.
    fn happened(&self, connection: u32, at_ns: u64, event: Event);
}

/// What happened on a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// A handshake begins, on a new socket.
    Opening,
    /// The handshake succeeded.
    Open,
    /// The handshake failed, took too long, or could not even be started.
    OpenFailed {
        /// Why, as in [`std::io::Error::raw_os_error`].
        os_error: i32,
    },
    /// A request is sent: its bytes follow as fast as the socket and the policy let them.
    Sent,
    /// The oldest request in flight got a whole answer, expected or not.
    Answered(WholeAnswer),
    /// The oldest request in flight got no answer and will get none.
    Failed {
        /// Why: never a kind that [`was_answered`](ErrorKind::was_answered), and never [`ErrorKind::Connect`].
        kind: ErrorKind,
        /// What the system said, as in [`std::io::Error::raw_os_error`], where it said anything.
        os_error: Option<i32>,
    },
    /// The socket, once open, is of no further use.
    Ended(End),
    /// No further socket follows: this is the last that is heard of the connection.
    Retired,
}

/// A whole answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WholeAnswer {
    /// Its final status.
    pub status: u16,
    /// When its request was sent, in nanoseconds since the run's start.
    pub sent_ns: u64,
    /// When its first byte had come, on the same axis. Only where the plan asks for it.
    pub first_byte_ns: Option<u64>,
    /// How long its head is, with the empty line, in bytes.
    pub head_bytes: u64,
    /// How long its content is, transfer coding removed, in bytes.
    pub content_bytes: u64,
    /// The server says that it leaves the connection open.
    pub keep_alive: bool,
}

/// Why a socket is of no further use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// The connection has carried all the requests that its policy lets it, and all were answered.
    Completed,
    /// The last answer said that the server closes after it, or ended with the close.
    Announced,
    /// The server closed without a word after a whole answer or while nothing was asked, answered before it had the
    /// whole request, or sent what nobody asked for.
    Unannounced,
    /// A request failed.
    Failed,
}
