//! What an answer is, and how large it may be here.

use load::Limits;

/// Small, so that short inputs reach them.
pub const LIMITS: Limits = Limits { max_head_bytes: 512, max_body_bytes: Some(MOST_CONTENT_BYTES as u64) };

/// The most bytes of content.
pub(super) const MOST_CONTENT_BYTES: usize = 1_000;

/// One final answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Another can follow on the connection.
    pub keep_alive: bool,
    /// How long its head is.
    pub head_bytes: usize,
    /// Its content.
    pub body: Vec<u8>,
    /// Where it ends, counted from the first byte of the connection.
    pub end: usize,
}
