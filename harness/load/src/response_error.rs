//! Why what a server sent is no response.

/// Why bytes are not a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Not HTTP/1.x, or framed in a way that RFC 9112 forbids.
    #[error("malformed response: {0}")]
    Malformed(&'static str),
    /// The head, a chunk's line or the trailer section is longer than allowed.
    #[error("response head, chunk line or trailer section of more than {limit} bytes")]
    HeadTooLarge {
        /// How long it may be, in bytes.
        limit: usize,
    },
    /// The content is longer than allowed.
    #[error("response content of more than {limit} bytes")]
    BodyTooLarge {
        /// How long it may be, in bytes.
        limit: u64,
    },
    /// The connection was closed before the response was complete.
    #[error("connection closed before the response was complete")]
    ClosedEarly,
}
