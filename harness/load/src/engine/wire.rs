//! What one lane's connections write, prepared once.

use crate::{plan::Stream, policy::Throttle};

/// A request as it is written, repeated as often as one write may hold it.
#[derive(Debug)]
pub(super) struct Wire {
    pub(super) bytes: Vec<u8>,
    pub(super) request_bytes: usize,
    pub(super) answer_has_body: bool,
    /// Requests are collected and written together.
    pub(super) pipelined: bool,
    pub(super) sending: Option<Throttle>,
    pub(super) receiving: Option<Throttle>,
}

/// The most bytes of repeated requests.
const MOST_BYTES: usize = 64 * 1024;

impl Wire {
    pub(super) fn of(stream: &Stream) -> Self {
        let request = stream.request.bytes();
        let depth = stream.policy.pipeline as usize;
        Self {
            bytes: request.repeat(depth.min(MOST_BYTES / request.len()).max(1)),
            request_bytes: request.len(),
            answer_has_body: stream.request.answer_has_body(),
            pipelined: depth > 1,
            sending: Throttle::of(stream.policy.send_bytes_per_second),
            receiving: Throttle::of(stream.policy.read_bytes_per_second),
        }
    }

    /// The most bytes of one portion to write.
    #[inline]
    pub(super) fn most_written(&self) -> usize {
        self.sending.map_or(usize::MAX, |throttle| throttle.bytes)
    }
}
