//! Why what a server sent is no response.

/// Why bytes are not a response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// Not HTTP/1.x, or framed in a way that RFC 9112 forbids.
    #[error("malformed response: {0}")]
    Malformed(&'static str),
    /// The head, a chunk-size line or the trailer is longer than allowed.
    #[error("response head exceeds its limit")]
    HeadTooLarge,
    /// The content is longer than allowed.
    #[error("response content exceeds its limit")]
    BodyTooLarge,
    /// The connection was closed before the response was complete.
    #[error("connection closed before the response was complete")]
    ClosedEarly,
}
