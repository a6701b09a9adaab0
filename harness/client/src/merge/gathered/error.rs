//! Why what is in a folder is not the whole of one load.

use std::path::PathBuf;

/// Why what is in a folder is not the whole of one load.
#[derive(Debug, thiserror::Error)]
pub enum GatheredError {
    /// Nothing was gathered there.
    #[error("{} holds no plan.json: name the folder in which the parts of a load gathered, or their logs", .0.display())]
    None(PathBuf),
    /// The plan was changed since.
    #[error("{} is not the plan that its hash says: it was changed since the load", .0.display())]
    Plan(PathBuf),
    /// A part left nothing.
    #[error("{parts} of {of} left no result in {}: dead, cut off, or at work still; the others are not the whole load", path.display())]
    Missing {
        /// Which, as in `parts 1, 2 on node3`.
        parts: String,
        /// How many there are.
        of: u32,
        /// The folder.
        path: PathBuf,
    },
    /// Two files of one part.
    #[error("part {part} is there twice, as {first} and {second}: leave the one that belongs to this load")]
    Twice {
        /// The part.
        part: u32,
        /// One file.
        first: String,
        /// The other.
        second: String,
    },
    /// A part under another's name, or of a load with other parts.
    #[error(
        "{file} says that it is part {part} of {parts}, and the plan has {of}: it is of another load, or was renamed"
    )]
    Number {
        /// The file.
        file: String,
        /// Which part it is.
        part: u32,
        /// Of how many.
        parts: u32,
        /// How many there are by the plan.
        of: u32,
    },
    /// A part of another load.
    #[error("{file} is of {what} than plan.json: gather all parts of one load in a folder of their own")]
    Other {
        /// The file.
        file: String,
        /// `another plan`, `another load of the same plan`.
        what: &'static str,
    },
    /// A log that is not the one that was written.
    #[error("{file} is not the log that part {part} left: its hash is another")]
    Log {
        /// The file.
        file: String,
        /// The part.
        part: u32,
    },
    /// Parts that were compared with different clocks.
    #[error(
        "part {part} went by the clock of {by} and part {other} by that of {others}: compare all with one host (--clock-against)"
    )]
    TwoClocks {
        /// A part.
        part: u32,
        /// The host by whose clock it went.
        by: String,
        /// Another part.
        other: u32,
        /// The host by whose clock that one went.
        others: String,
    },
    /// Parts that were not at work at the same time.
    #[error(
        "part {early} ended {gap_s:.3} s before part {late} began{bound}: they made no load together; start them with --gather or \
         --start-at"
    )]
    Apart {
        /// The one that ended first.
        early: u32,
        /// The one that began last.
        late: u32,
        /// The time in between, in seconds.
        gap_s: f64,
        /// How well that is known.
        bound: String,
    },
}

impl GatheredError {
    /// Whether another command line would help.
    pub fn is_usage(&self) -> bool {
        matches!(self, Self::None(_))
    }
}
