//! How a command ended.

/// How a command ended, apart from errors of the command itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All was done.
    Done,
    /// Something could not be measured; the rest was.
    Partly,
    /// A person ended it; what was finished is kept.
    Interrupted,
}
