//! Why a text is no log, or none that can be used.

/// More tags than are read from one log: each one takes some 220 kB of memory.
pub const MOST_TAGS: usize = 1_024;

/// Why a text is no log that can be used.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum LogError {
    /// There is no line with a histogram.
    #[error("holds no histogram: give a log of HdrHistogram's, such as --export-hdr writes")]
    Empty,
    /// The last line has no end, and is not whole.
    #[error("line {line}: the log is cut short here ({problem})")]
    CutShort {
        /// Its number, from 1.
        line: usize,
        /// What is missing.
        problem: Problem,
    },
    /// A line cannot be used.
    #[error("line {line}: {problem}")]
    Line {
        /// Its number, from 1.
        line: usize,
        /// What is wrong with it.
        problem: Problem,
    },
}

/// What can be wrong with a line of a log.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum Problem {
    /// It holds what no text does.
    #[error("is no text: is this a log of HdrHistogram's, and unpacked?")]
    NotText,
    /// It has fewer fields than an interval.
    #[error(
        "has {found} of the 4 fields timestamp,length,max,histogram: is this a whole line of an HdrHistogram log?"
    )]
    Fields {
        /// How many there are.
        found: usize,
    },
    /// It has more fields than an interval, and not because each number in it has a decimal comma.
    #[error(
        "has {found} fields where there should be timestamp,length,max,histogram, and which of its commas are decimal ones cannot be told: write these with points"
    )]
    Commas {
        /// How many there are.
        found: usize,
    },
    /// A field is no number that it could be.
    #[error("`{text}` is no {field}")]
    Number {
        /// What it should be.
        field: &'static str,
        /// What it is, or its beginning.
        text: String,
    },
    /// The histogram is not in base64.
    #[error("the histogram is not in base64 ({0}): copy the log again")]
    Base64(String),
    /// The histogram has fewer or more bytes than it says.
    #[error("the histogram is cut short or runs on: copy the log again")]
    Cut,
    /// The histogram starts with an unknown number.
    #[error("the histogram starts with {0:#010x}, which is none of HdrHistogram's encodings (V0, V1 and V2)")]
    Cookie(u32),
    /// The histogram is of floating-point numbers.
    #[error(
        "holds a DoubleHistogram, whose values are in no unit of time: record integers of nanoseconds in a Histogram"
    )]
    OfFloats,
    /// The histogram's values are to be multiplied.
    #[error("the histogram's values are multiples of {0}: record integers of nanoseconds")]
    Scaled(f64),
    /// The histogram is in an older encoding, with counts of an unknown width.
    #[error(
        "the histogram says that its counts are {0} bytes wide, and in encodings before V2 they are 2, 4 or 8: copy the log again"
    )]
    Width(usize),
    /// The histogram cannot be decompressed.
    #[error("the histogram cannot be decompressed ({0}): copy the log again")]
    Deflate(String),
    /// The histogram takes more memory than any real one.
    #[error("the histogram is larger than any real one")]
    TooLarge,
    /// The histogram cannot be decoded.
    #[error("the histogram's counts cannot be used: {0}")]
    Counts(String),
    /// The histogram's cells are wider than those of this crate.
    #[error(
        "values from {low} to {high} ns were not told apart, which is coarser than 0.1%: record with 3 significant digits and a unit of 1 ns"
    )]
    Resolution {
        /// The lowest value of such a cell.
        low: u64,
        /// Its highest value.
        high: u64,
    },
    /// The histogram holds a value that this crate does not tell from others.
    #[error("holds a value of {ns} ns, and times beyond 60 s are not told apart here")]
    TooLong {
        /// The value.
        ns: u64,
    },
    /// The unit of the values is not known.
    #[error(
        "nothing says that values are nanoseconds: there is no comment `values in nanoseconds` above, and that the largest value, {max}, is {interval_max} ms does not say so; record in nanoseconds, or add the comment where they are"
    )]
    Unit {
        /// The histogram's largest value.
        max: u64,
        /// What the line says of it.
        interval_max: f64,
    },
    /// There are more tags than are kept.
    #[error("has another tag, after {MOST_TAGS} others: split the log")]
    TooManyTags,
    /// A comment of this crate is damaged.
    #[error("`{0}` does not say how many values of which tag were clamped")]
    Clamped(String),
}

impl Problem {
    /// Whether the beginning of a sound line can have it, or the zeros that a file may end with when the power failed.
    pub(super) fn may_be_a_cut(&self) -> bool {
        matches!(
            self,
            Self::NotText
                | Self::Fields { .. }
                | Self::Commas { .. }
                | Self::Base64(_)
                | Self::Cut
                | Self::Deflate(_)
        )
    }
}
