//! What counts durations, whatever it keeps them in: enough to take percentiles from, also where some were never answered.

/// Counts of durations in cells, which are those of a [`Histogram`](crate::Histogram) whatever keeps them.
pub trait Cells {
    /// How many durations were recorded.
    fn len(&self) -> u64;
    /// Whether nothing was.
    fn is_empty(&self) -> bool {
        self.len() == 0
    }
    /// The bounds in nanoseconds of the cell that holds the value of rank `rank` (1 is the shortest). `None` when fewer were recorded.
    fn cell_at_rank(&self, rank: u64) -> Option<(u64, u64)>;
    /// The shortest duration in nanoseconds, rounded down to the start of its cell. `None` when empty.
    fn min_ns(&self) -> Option<u64>;
    /// How many were longer than the longest that is told from a longer one.
    fn clamped_above(&self) -> u64;
    /// Adds the counts of `other`.
    fn merge(&mut self, other: &Self);
    /// Forgets everything recorded.
    fn reset(&mut self);
}
