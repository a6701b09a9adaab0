//! What is seen of a sequence that was played.

use std::time::Duration;

/// What came of a sequence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Played {
    /// All that the server wrote until the last event and all that was due by then.
    pub written: Vec<u8>,
    /// When it had ended the connection, since the beginning; by the same time.
    pub over_at: Option<Duration>,
    /// It had ended the connection some hours later.
    pub is_over_at_last: bool,
    /// How many operations the pool began when nobody waited for them any more.
    pub begun_for_nobody: usize,
    /// How many operations are counted as in flight when the connection is gone.
    pub left_in_flight: u64,
}
