//! What is wrong with a line that a person wrote, with a mark below the place.

use std::fmt;

/// A refusal that points at its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pointed {
    /// The line as it was written.
    line: String,
    /// How many characters of it are right.
    column: usize,
    /// What is wrong there, and what would be right.
    reason: String,
    /// A line that is right.
    example: &'static str,
}

impl Pointed {
    /// What is wrong with `line` from byte `at` on, which is clamped to it.
    pub(super) fn new(line: &str, at: usize, reason: impl Into<String>, example: &'static str) -> Self {
        let before = line.char_indices().take_while(|(place, _)| *place < at);
        // A mark below what is wider or of no width, as tabs and line ends are, would stand elsewhere.
        let line_shown = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        Self { column: before.count(), line: line_shown, reason: reason.into(), example }
    }
}

impl std::error::Error for Pointed {}

impl fmt::Display for Pointed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { line, column, reason, example } = self;
        write!(f, "{reason}\n  {line}\n  {:column$}^\n  as in: {example}", "")
    }
}
