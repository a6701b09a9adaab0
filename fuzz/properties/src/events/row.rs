//! In what rows differ, as far as one connection sees it.

/// Where CPU-bound operations run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// Where their request was read, at once.
    Here,
    /// On a pool behind kit's queue: each takes [`OPERATION_MS`](super::model::OPERATION_MS), and its reply wakes the connection.
    Pool,
}

/// How the stream tells of what has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// A read takes all that is there, as of tokio's streams and may's.
    All,
    /// A read that finds less than it has room for is the last for now: the next one says that nothing is there, whatever is, and
    /// the connection is woken again. As of the streams on poll(2), and of those that remember that they were emptied.
    UntilShort,
    /// A read takes three bytes.
    Few,
}

/// One way of serving.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Row {
    /// What it is called in a violation.
    pub name: &'static str,
    /// Where CPU-bound operations run.
    pub place: Place,
    /// How its stream reads.
    pub reads: Reads,
}

/// All of them.
pub const ROWS: &[Row] = &[
    Row { name: "inline", place: Place::Here, reads: Reads::All },
    Row { name: "inline, short reads remembered", place: Place::Here, reads: Reads::UntilShort },
    Row { name: "inline, few bytes a read", place: Place::Here, reads: Reads::Few },
    Row { name: "pool", place: Place::Pool, reads: Reads::All },
    Row { name: "pool, short reads remembered", place: Place::Pool, reads: Reads::UntilShort },
    Row { name: "pool, few bytes a read", place: Place::Pool, reads: Reads::Few },
];
