//! Where reading ends, and why.

/// Why there is no further message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// There are no further bytes.
    End,
    /// There are no further bytes but empty lines.
    EmptyLines,
    /// The last message asked to close, so what follows, if anything does, is not a request.
    Closed,
    /// Nobody can say what becomes of what follows: the last message asks to close in a way that is no list of options.
    Unclear,
    /// The head of the next message has no end.
    IncompleteHead,
    /// The content of the next message has no end.
    IncompleteContent,
    /// The next message is not one.
    Invalid(&'static str),
}
