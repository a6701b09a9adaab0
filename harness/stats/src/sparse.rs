//! A distribution that was recorded, as the cells that hold something: some kilobytes instead of 220 kB.
//!
//! A [`Histogram`] has a place for every cell, so that recording never allocates. What a record keeps of one is read, merged and
//! asked for percentiles, thousands of them in a report, and holds a few hundred cells. These are the same cells, so that both give
//! the same values.

use crate::{
    cells::Cells,
    histogram::{HIGHEST_NS, Histogram, LOWEST_NS, SIGNIFICANT_DIGITS, UNIT_NS, rank_of},
};

/// The cells of a distribution that hold something.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sparse {
    /// The number of a cell and its count, ascending.
    cells: Vec<(u32, u64)>,
    len: u64,
    clamped_below: u64,
    clamped_above: u64,
}

/// Why counts cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CountsError {
    /// The last count is cut short.
    #[error("the last count is cut short")]
    Cut,
    /// A count, or a run of empty cells, lies beyond the last cell.
    #[error("a count lies beyond the last cell")]
    Beyond,
    /// Counts are too many to be computed with exactly.
    #[error("more counts than can be")]
    TooMany,
}

/// Beyond 2^53 counts are no longer exact where they are computed with.
const MOST_COUNTS: u64 = 1 << 53;

/// The first cells, of one unit each, and then half as many for each doubling of the width (HdrHistogram, "sub-buckets"): the power of
/// two from twice as many on as the digits tell apart.
const FIRST: u64 = (2 * 10_u64.pow(SIGNIFICANT_DIGITS as u32)).next_power_of_two();
const HALF: u64 = FIRST / 2;
const HALF_BITS: u32 = HALF.trailing_zeros();

impl Sparse {
    /// The same distribution.
    pub fn of(histogram: &Histogram) -> Self {
        let cells: Vec<(u32, u64)> = histogram.recorded().map(|(ns, count)| (cell_of(ns), count)).collect();
        Self {
            len: histogram.len(),
            cells,
            clamped_below: histogram.clamped_below(),
            clamped_above: histogram.clamped_above(),
        }
    }

    /// From the counts of HdrHistogram's V2 encoding, with the cells of a [`Histogram`]: each a zigzag number of variable length
    /// (LEB128, the ninth byte whole), in which a negative one is a run of empty cells.
    pub(crate) fn from_v2_counts(bytes: &[u8]) -> Result<Self, CountsError> {
        let last = cell_of(HIGHEST_NS);
        let mut sparse = Self::default();
        let (mut rest, mut cell) = (bytes, 0_u64);
        while !rest.is_empty() {
            let (number, after) = zigzag(rest).ok_or(CountsError::Cut)?;
            rest = after;
            match u64::try_from(number) {
                Ok(0) => cell += 1,
                Ok(count) => {
                    let at = u32::try_from(cell).ok().filter(|&at| at <= last).ok_or(CountsError::Beyond)?;
                    sparse.cells.push((at, count));
                    sparse.len = sparse.len.saturating_add(count);
                    cell += 1;
                }
                Err(_) => cell = cell.saturating_add(number.unsigned_abs()),
            }
        }
        if sparse.len > MOST_COUNTS { Err(CountsError::TooMany) } else { Ok(sparse) }
    }

    /// Says of durations already counted at either end that they were moved there. False, and nothing is said, where fewer are there.
    pub(crate) fn add_clamped(&mut self, below: u64, above: u64) -> bool {
        let count_at = |ns| {
            let cell = cell_of(ns);
            self.cells.iter().find(|(own, _)| *own == cell).map_or(0, |(_, count)| *count)
        };
        let clamped = (self.clamped_below.saturating_add(below), self.clamped_above.saturating_add(above));
        let is_possible = clamped.0 <= count_at(LOWEST_NS) && clamped.1 <= count_at(HIGHEST_NS);
        if is_possible {
            (self.clamped_below, self.clamped_above) = clamped;
        }
        is_possible
    }

    /// The same distribution with a place for every cell, as logs are written from.
    pub fn histogram(&self) -> Histogram {
        let mut histogram = Histogram::new();
        // The last cell reaches beyond the range, and what is in it does not.
        self.recorded().for_each(|(ns, count)| histogram.record_n_ns(ns.min(HIGHEST_NS), count));
        let is_possible = histogram.add_clamped(self.clamped_below, self.clamped_above);
        debug_assert!(is_possible, "as many are there as were moved there");
        histogram
    }

    /// The cells that hold something, ascending: the highest duration of the cell in nanoseconds, and its count.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.cells.iter().map(|&(cell, count)| (bounds_of(cell).1, count))
    }

    /// The `q`-quantile in nanoseconds, as [`Histogram::quantile_ns`] has it.
    pub fn quantile_ns(&self, q: f64) -> Option<u64> {
        let rank = rank_of(q, self.len)?;
        self.cell_at_rank(rank).map(|(_, high)| high)
    }

    /// The mean in nanoseconds, within 0.05%. `None` when empty.
    pub fn mean_ns(&self) -> Option<f64> {
        let middle = |cell| {
            let (low, high) = bounds_of(cell);
            low.midpoint(high + 1) as f64
        };
        let sum: f64 = self.cells.iter().map(|&(cell, count)| middle(cell) * count as f64).sum();
        (self.len > 0).then(|| sum / self.len as f64)
    }
}

impl Cells for Sparse {
    fn len(&self) -> u64 {
        self.len
    }

    fn cell_at_rank(&self, rank: u64) -> Option<(u64, u64)> {
        let mut seen = 0_u64;
        let (cell, _) = self.cells.iter().find(|(_, count)| {
            seen = seen.saturating_add(*count);
            seen >= rank
        })?;
        Some(bounds_of(*cell))
    }

    fn min_ns(&self) -> Option<u64> {
        self.cells.first().map(|(cell, _)| bounds_of(*cell).0)
    }

    fn clamped_above(&self) -> u64 {
        self.clamped_above
    }

    fn merge(&mut self, other: &Self) {
        self.len = self.len.saturating_add(other.len);
        self.clamped_below += other.clamped_below;
        self.clamped_above += other.clamped_above;
        if self.cells.is_empty() {
            self.cells.clone_from(&other.cells);
            return;
        }
        let mut merged = Vec::with_capacity(self.cells.len() + other.cells.len());
        let (mut own, mut others) = (self.cells.iter().peekable(), other.cells.iter().peekable());
        while let (Some(&&(a, count_a)), Some(&&(b, count_b))) = (own.peek(), others.peek()) {
            let (cell, count) = (a.min(b), u64::from(a <= b) * count_a + u64::from(b <= a) * count_b);
            if a <= b {
                own.next();
            }
            if b <= a {
                others.next();
            }
            merged.push((cell, count));
        }
        merged.extend(own.chain(others));
        self.cells = merged;
    }

    fn reset(&mut self) {
        self.cells.clear();
        (self.len, self.clamped_below, self.clamped_above) = (0, 0, 0);
    }
}

/// The cell that holds a duration.
fn cell_of(ns: u64) -> u32 {
    let units = ns / UNIT_NS;
    // How often the width has doubled.
    let doubled = u64::BITS - (units | (FIRST - 1)).leading_zeros() - (HALF_BITS + 1);
    let cell = (u64::from(doubled) << HALF_BITS) + (units >> doubled);
    u32::try_from(cell).unwrap_or(u32::MAX)
}

/// The shortest and the longest duration of a cell, in nanoseconds.
fn bounds_of(cell: u32) -> (u64, u64) {
    let cell = u64::from(cell);
    let doubled = (cell >> HALF_BITS).saturating_sub(1);
    let units = (cell - (doubled << HALF_BITS)) << doubled;
    (units * UNIT_NS, (units + (1 << doubled)) * UNIT_NS - 1)
}

fn zigzag(bytes: &[u8]) -> Option<(i64, &[u8])> {
    /// The ninth byte has no bit to say that it is the last.
    const LAST: usize = 8;
    let mut value = 0_u64;
    for (at, &byte) in bytes.iter().enumerate().take(LAST + 1) {
        let is_whole = at == LAST;
        let bits = if is_whole { u64::from(byte) } else { u64::from(byte & 0x7f) };
        value |= bits << (7 * at);
        if is_whole || byte < 0x80 {
            let number = (value >> 1).cast_signed() ^ -((value & 1).cast_signed());
            return Some((number, &bytes[at + 1..]));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{Censored, Recorded};

    fn dense(values: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values.iter().for_each(|&ns| histogram.record_ns(ns));
        histogram
    }

    #[test]
    fn nothing_and_the_ends_of_the_range_are_what_a_histogram_says() {
        assert_eq!(Sparse::default().quantile_ns(0.5), None);
        assert_eq!(Sparse::default().mean_ns(), None);
        let ends = dense(&[0, 999, 1_000, 2_047, 2_048, HIGHEST_NS, u64::MAX]);
        let sparse = Recorded::of(&ends).sparse().unwrap();
        assert_eq!(sparse, Sparse::of(&ends));
        assert_eq!(sparse.recorded().collect::<Vec<_>>(), ends.recorded().collect::<Vec<_>>());
    }

    #[test]
    fn counts_that_are_cut_or_lie_beyond_the_last_cell_are_refused() {
        assert_eq!(Sparse::from_v2_counts(&[0x80]), Err(CountsError::Cut));
        // A run of as many empty cells as there are, and more than can be counted; then one count.
        for run in [&[0xff, 0xff, 0x7f][..], &[0xfd, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff]] {
            assert_eq!(Sparse::from_v2_counts(&[run, &[2]].concat()), Err(CountsError::Beyond));
        }
        let most = [0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f];
        assert_eq!(Sparse::from_v2_counts(&most), Err(CountsError::TooMany));
    }

    fn values() -> impl Strategy<Value = Vec<u64>> {
        let value = prop_oneof![0..5_000_u64, 1_000..3_000_000_u64, 0..=u64::MAX, Just(HIGHEST_NS)];
        prop::collection::vec(value, 0..60)
    }

    proptest! {
        #[test]
        fn what_is_read_says_what_the_histogram_said(
            a in values(), b in values(), given_up in values(), q in 0.0..=1.0_f64,
        ) {
            let (a, b, given_up) = (dense(&a), dense(&b), dense(&given_up));
            let sparse = |histogram: &Histogram| Recorded::of(histogram).sparse().unwrap();
            prop_assert_eq!(sparse(&a), Sparse::of(&a));
            prop_assert_eq!(&sparse(&a).histogram(), &a);
            let mut whole = a.clone();
            whole.merge(&b);
            let mut merged = sparse(&a);
            merged.merge(&sparse(&b));
            prop_assert_eq!(&merged, &Sparse::of(&whole));
            prop_assert_eq!(merged.quantile_ns(q), whole.quantile_ns(q));
            let close = match (merged.mean_ns(), whole.mean_ns()) {
                (Some(a), Some(b)) => (a / b - 1.0).abs() < 1e-3,
                (a, b) => a == b,
            };
            prop_assert!(close);
            let censored = Censored::from_parts(merged, sparse(&given_up));
            let expected = Censored::from_parts(whole, given_up);
            prop_assert_eq!(censored.quantile(q), expected.quantile(q));
        }
    }
}
