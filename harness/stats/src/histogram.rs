//! A latency distribution of fixed size: recording neither allocates nor fails.
//!
//! A thin wrapper over HdrHistogram that fixes what would otherwise differ between two recordings of the same
//! thing: unit, resolution and range. It refuses to know where a value came from and in what order values came.

use std::time::Duration;

use hdrhistogram::serialization::{Deserializer, Serializer, V2DeflateSerializer, V2Serializer};

use crate::cells::Cells;

/// The shortest duration that is told from a shorter one, in nanoseconds: below it, reading the clock twice is
/// no longer small beside what is measured.
pub const LOWEST_NS: u64 = 1_000;

/// The longest duration that is told from a longer one, in nanoseconds: above every request timeout in use.
pub const HIGHEST_NS: u64 = 60_000_000_000;

/// Significant decimal digits kept of every value: a cell is at most 1/1000 of its values wide.
pub const SIGNIFICANT_DIGITS: u8 = 3;

/// HdrHistogram's unit. One nanosecond, not [`LOWEST_NS`]: the cells of its first 2,048 units have the width of one
/// unit, so that a unit of a microsecond would leave 10 us with one digit instead of three.
pub(crate) const UNIT_NS: u64 = 1;

/// Durations between [`LOWEST_NS`] and [`HIGHEST_NS`], in nanoseconds, to three significant digits.
///
/// A value outside that range is moved to its nearer end and counted, see [`Histogram::clamped`]. All histograms
/// have the same cells, some 220 kB of them, so that any two can be merged without loss.
///
/// ```
/// use std::time::Duration;
/// let mut latency = stats::Histogram::new();
/// for ms in 1..=100 {
///     latency.record(Duration::from_millis(ms));
/// }
/// let p99_ns = latency.quantile_ns(0.99).expect("it is not empty");
/// assert!((99_000_000..=99_099_000).contains(&p99_ns));
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct Histogram {
    cells: hdrhistogram::Histogram<u64>,
    clamped_below: u64,
    clamped_above: u64,
}

/// Why bytes are not a histogram of this crate.
#[derive(Debug, thiserror::Error)]
pub enum DecodeError {
    /// The bytes are cut short, carry something after the histogram, or start with another cookie.
    #[error(
        "histogram bytes have no whole V2 frame: expected {expected} bytes, found {found}; record the trial again"
    )]
    Frame {
        /// The length that the frame states, in bytes; the least possible one when even the header is cut.
        expected: u64,
        /// The length that was given, in bytes.
        found: u64,
    },
    /// A sound histogram whose cells are not those of this crate, so that merging would lose resolution.
    #[error(
        "histogram has other cells than {LOWEST_NS} ns to {HIGHEST_NS} ns at {SIGNIFICANT_DIGITS} digits; decode it with the version that wrote it"
    )]
    OtherLayout,
    /// The counts cannot be read.
    #[error("histogram counts are damaged ({0}); record the trial again")]
    Counts(String),
}

impl Default for Histogram {
    fn default() -> Self {
        Self::new()
    }
}

impl Histogram {
    /// An empty histogram. This is the only place that allocates.
    pub fn new() -> Self {
        let cells = hdrhistogram::Histogram::new_with_bounds(UNIT_NS, HIGHEST_NS, SIGNIFICANT_DIGITS)
            .expect("the bounds are constants that HdrHistogram accepts");
        Self { cells, clamped_below: 0, clamped_above: 0 }
    }

    /// Counts one duration. Never allocates, fails or resizes.
    #[inline]
    pub fn record(&mut self, duration: Duration) {
        self.record_ns(u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX));
    }

    /// Counts one duration in nanoseconds. Never allocates, fails or resizes.
    #[inline]
    pub fn record_ns(&mut self, ns: u64) {
        self.clamped_below += u64::from(ns < LOWEST_NS);
        self.clamped_above += u64::from(ns > HIGHEST_NS);
        self.cells.saturating_record(ns.clamp(LOWEST_NS, HIGHEST_NS));
    }

    /// Counts `count` durations of the same nanoseconds.
    pub fn record_n_ns(&mut self, ns: u64, count: u64) {
        self.clamped_below += if ns < LOWEST_NS { count } else { 0 };
        self.clamped_above += if ns > HIGHEST_NS { count } else { 0 };
        self.cells.saturating_record_n(ns.clamp(LOWEST_NS, HIGHEST_NS), count);
    }

    /// Says of durations already counted at either end that they were moved there. False, and nothing is said, where
    /// fewer are there.
    pub(crate) fn add_clamped(&mut self, below: u64, above: u64) -> bool {
        let clamped = (self.clamped_below.saturating_add(below), self.clamped_above.saturating_add(above));
        let possible =
            clamped.0 <= self.cells.count_at(LOWEST_NS) && clamped.1 <= self.cells.count_at(HIGHEST_NS);
        if possible {
            (self.clamped_below, self.clamped_above) = clamped;
        }
        possible
    }

    /// Whether all durations of `low..=high` nanoseconds share a cell, or are all below the range, where none is told
    /// from another.
    pub(crate) fn has_in_one_cell(&self, low: u64, high: u64) -> bool {
        high < LOWEST_NS || self.cells.highest_equivalent(low) >= high
    }

    /// Adds the counts of `other`: the result is what one histogram would hold had it recorded both. Merging is how
    /// several recorders become one distribution; percentiles cannot be averaged.
    pub fn merge(&mut self, other: &Histogram) {
        self.cells.add(&other.cells).expect("all histograms of this crate have the same cells");
        self.clamped_below += other.clamped_below;
        self.clamped_above += other.clamped_above;
    }

    /// Forgets everything recorded and keeps the memory.
    pub fn reset(&mut self) {
        self.cells.reset();
        self.clamped_below = 0;
        self.clamped_above = 0;
    }

    /// How many durations were recorded, clamped ones included.
    pub fn len(&self) -> u64 {
        self.cells.len()
    }

    /// Whether nothing was recorded.
    pub fn is_empty(&self) -> bool {
        self.cells.is_empty()
    }

    /// How many durations lay outside the range and were moved to its nearer end.
    pub fn clamped(&self) -> u64 {
        self.clamped_below + self.clamped_above
    }

    /// How many were shorter than [`LOWEST_NS`]: common and harmless for waits that are mostly zero.
    pub fn clamped_below(&self) -> u64 {
        self.clamped_below
    }

    /// How many were longer than [`HIGHEST_NS`]: every quantile that falls there is only a lower bound.
    pub fn clamped_above(&self) -> u64 {
        self.clamped_above
    }

    /// The `q`-quantile in nanoseconds: the recorded value of rank `ceil(q n)`, rounded up to the end of its cell,
    /// so at most 0.1% above that value and never below. `None` when empty or when `q` is not in `0..=1`.
    pub fn quantile_ns(&self, q: f64) -> Option<u64> {
        let rank = rank_of(q, self.len())?;
        self.cell_at_rank(rank).map(|(_, high)| high)
    }

    /// The mean in nanoseconds, within 0.05%. `None` when empty.
    pub fn mean_ns(&self) -> Option<f64> {
        (!self.is_empty()).then(|| self.cells.mean())
    }

    /// The shortest duration in nanoseconds, rounded down to the start of its cell. `None` when empty.
    pub fn min_ns(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.cells.min())
    }

    /// The longest duration in nanoseconds, rounded up to the end of its cell. `None` when empty.
    pub fn max_ns(&self) -> Option<u64> {
        (!self.is_empty()).then(|| self.cells.max())
    }

    /// The cells that hold something, ascending: the highest duration of the cell in nanoseconds, and its count.
    pub fn recorded(&self) -> impl Iterator<Item = (u64, u64)> + '_ {
        self.cells.iter_recorded().map(|cell| (cell.value_iterated_to(), cell.count_at_value()))
    }

    /// The counts in HdrHistogram's V2 encoding, uncompressed. How many values were clamped is not part of that
    /// format: a record that needs it keeps it beside the bytes.
    pub fn to_v2_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2Serializer::new()
            .serialize(&self.cells, &mut bytes)
            .expect("writing to memory does not fail and no count exceeds an i64");
        bytes
    }

    /// The same, compressed: the form of the V2 log format.
    pub(crate) fn to_v2_deflate_bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        V2DeflateSerializer::new()
            .serialize(&self.cells, &mut bytes)
            .expect("writing to memory does not fail and no count exceeds an i64");
        bytes
    }

    /// Reads what [`Histogram::to_v2_bytes`] wrote. The clamped counts of the result are zero.
    ///
    /// # Errors
    /// When the bytes are not exactly one V2 frame, were written with other cells, or hold unreadable counts.
    pub fn from_v2_bytes(bytes: &[u8]) -> Result<Self, DecodeError> {
        check_frame(bytes)?;
        let mut reader = bytes;
        let cells: hdrhistogram::Histogram<u64> = Deserializer::new()
            .deserialize(&mut reader)
            .map_err(|error| DecodeError::Counts(error.to_string()))?;
        let layout = (cells.low(), cells.high(), cells.sigfig());
        if layout != (UNIT_NS, HIGHEST_NS, SIGNIFICANT_DIGITS) {
            return Err(DecodeError::OtherLayout);
        }
        Ok(Self { cells, clamped_below: 0, clamped_above: 0 })
    }
}

impl Cells for Histogram {
    fn len(&self) -> u64 {
        Histogram::len(self)
    }

    fn cell_at_rank(&self, rank: u64) -> Option<(u64, u64)> {
        let mut seen = 0_u64;
        let (high, _) = self.recorded().find(|(_, count)| {
            seen = seen.saturating_add(*count);
            seen >= rank
        })?;
        Some((self.cells.lowest_equivalent(high), high))
    }

    fn min_ns(&self) -> Option<u64> {
        Histogram::min_ns(self)
    }

    fn clamped_above(&self) -> u64 {
        Histogram::clamped_above(self)
    }

    fn merge(&mut self, other: &Self) {
        Histogram::merge(self, other);
    }

    fn reset(&mut self) {
        Histogram::reset(self);
    }
}

/// The rank, counted from 1, of the `q`-quantile among `n` values: `ceil(q n)`, and 1 for `q = 0`. A product that
/// misses a whole number only by rounding counts as that number, so that p99 of 100 values is the 99th.
pub(crate) fn rank_of(q: f64, n: u64) -> Option<u64> {
    if n == 0 || !(0.0..=1.0).contains(&q) {
        return None;
    }
    let exact = q * n as f64;
    let nearest = exact.round();
    let rank = if (exact - nearest).abs() <= 1e-12 * exact.max(1.0) { nearest } else { exact.ceil() };
    Some((rank as u64).clamp(1, n))
}

/// Refuses what the decoder would trust: it allocates whatever length the header states, stops at the end of the
/// frame, and negates the one count that has no negative.
pub(crate) fn check_frame(bytes: &[u8]) -> Result<(), DecodeError> {
    /// Cookie, payload length, offset, digits (4 bytes each), lowest, highest, ratio (8 bytes each).
    const HEADER_BYTES: u64 = 40;
    let found = bytes.len() as u64;
    let stated = bytes
        .get(4..8)
        .and_then(|field| field.try_into().ok())
        .map_or(HEADER_BYTES, |field| HEADER_BYTES + u64::from(u32::from_be_bytes(field)));
    if found != stated || found < HEADER_BYTES {
        return Err(DecodeError::Frame { expected: stated, found });
    }
    if bytes.windows(9).any(|window| window == [0xff; 9]) {
        return Err(DecodeError::Counts("a run of empty cells has no length".to_owned()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::lcg::Lcg;

    fn recorded(values_ns: &[u64]) -> Histogram {
        let mut histogram = Histogram::new();
        values_ns.iter().for_each(|&ns| histogram.record_ns(ns));
        histogram
    }

    #[test]
    fn values_outside_the_range_are_moved_to_its_ends_and_counted() {
        let histogram = recorded(&[0, 999, 1_000, 60_000_000_000, 60_000_000_001, u64::MAX]);
        assert_eq!((histogram.len(), histogram.clamped()), (6, 4));
        assert_eq!((histogram.clamped_below(), histogram.clamped_above()), (2, 2));
        assert_eq!(histogram.min_ns(), Some(1_000));
        assert!(histogram.max_ns().is_some_and(|max| (60_000_000_000..60_060_000_000).contains(&max)));
    }

    #[test]
    fn an_empty_histogram_answers_nothing_rather_than_zero() {
        let histogram = Histogram::new();
        assert_eq!(histogram.quantile_ns(0.5), None);
        assert_eq!((histogram.min_ns(), histogram.max_ns(), histogram.mean_ns()), (None, None, None));
    }

    #[test]
    fn a_quantile_outside_zero_to_one_has_no_value() {
        let histogram = recorded(&[5_000]);
        for q in [-0.1, 1.1, f64::NAN, f64::INFINITY] {
            assert_eq!(histogram.quantile_ns(q), None);
        }
    }

    #[test]
    fn the_rank_of_p99_of_a_hundred_is_the_99th() {
        assert_eq!(rank_of(0.99, 100), Some(99));
        assert_eq!(rank_of(0.07, 100), Some(7));
        assert_eq!(rank_of(0.0, 10), Some(1));
        assert_eq!(rank_of(1.0, 10), Some(10));
        assert_eq!(rank_of(0.951, 10), Some(10));
    }

    #[test]
    fn reset_forgets_counts_and_clamped_alike() {
        let mut histogram = recorded(&[1, 5_000]);
        histogram.reset();
        assert_eq!(histogram, Histogram::new());
    }

    #[test]
    fn response_quantiles_of_an_m_m_1_queue_come_back_within_the_cell_width() {
        // Response time of M/M/1 is exponential with rate mu - lambda: quantile -ln(1 - p) / (mu - lambda). The
        // samples are the inverse of that distribution at (i - 1/2) / n, so nothing but the cells adds error.
        let (service_per_s, arrivals_per_s, n) = (1_000.0, 800.0, 200_000_u32);
        let response_ns = |p: f64| -(1.0 - p).ln() / (service_per_s - arrivals_per_s) * 1e9;
        let mut histogram = Histogram::new();
        for i in 1..=n {
            histogram.record_ns(response_ns((f64::from(i) - 0.5) / f64::from(n)) as u64);
        }
        for p in [0.1, 0.5, 0.9, 0.99, 0.999] {
            let measured = histogram.quantile_ns(p).expect("it is not empty") as f64;
            let error = measured / response_ns(p) - 1.0;
            // A cell is 0.1% wide, and half a rank at p999 of 200,000 values is 0.04% of the value.
            assert!(error.abs() < 0.0015, "p{p}: off by {error}");
        }
        let mean = histogram.mean_ns().expect("it is not empty");
        assert!((mean / 5e6 - 1.0).abs() < 0.001, "mean {mean}");
    }

    #[test]
    fn bytes_with_other_cells_are_refused() {
        let other = hdrhistogram::Histogram::<u64>::new_with_bounds(1, 1_000_000, 2).expect("valid bounds");
        let mut bytes = Vec::new();
        V2Serializer::new().serialize(&other, &mut bytes).expect("memory");
        assert!(matches!(Histogram::from_v2_bytes(&bytes), Err(DecodeError::OtherLayout)));
    }

    #[test]
    fn cut_or_extended_bytes_are_refused() {
        let bytes = recorded(&[5_000, 7_000_000]).to_v2_bytes();
        for end in 0..bytes.len() {
            assert!(Histogram::from_v2_bytes(&bytes[..end]).is_err(), "{end} bytes");
        }
        let longer = [bytes.as_slice(), &[0]].concat();
        assert!(matches!(Histogram::from_v2_bytes(&longer), Err(DecodeError::Frame { .. })));
    }

    #[test]
    fn an_endless_run_of_empty_cells_is_refused() {
        let mut bytes = recorded(&[5_000]).to_v2_bytes();
        bytes.truncate(40);
        bytes[4..8].copy_from_slice(&9_u32.to_be_bytes());
        bytes.extend([0xff; 9]);
        assert!(matches!(Histogram::from_v2_bytes(&bytes), Err(DecodeError::Counts(_))));
    }

    proptest! {
        #[test]
        fn quantiles_lie_within_a_thousandth_above_the_sorted_data(
            seed in any::<u64>(), n in 1_usize..2_000, q in 0.0_f64..=1.0,
        ) {
            let mut lcg = Lcg::new(seed);
            let mut data: Vec<u64> = (0..n).map(|_| (1e3 * 6e7_f64.powf(lcg.uniform())) as u64).collect();
            let histogram = recorded(&data);
            data.sort_unstable();
            let exact = data[rank_of(q, n as u64).expect("a valid q") as usize - 1];
            let measured = histogram.quantile_ns(q).expect("it is not empty");
            prop_assert!(measured >= exact && measured as f64 <= exact as f64 * 1.001, "{exact} became {measured}");
        }

        #[test]
        fn merging_equals_recording_everything_in_one(
            a in prop::collection::vec(any::<u64>(), 0..50), b in prop::collection::vec(0_u64..100_000_000_000, 0..50),
        ) {
            let mut merged = recorded(&a);
            merged.merge(&recorded(&b));
            prop_assert_eq!(merged, recorded(&[a, b].concat()));
        }

        #[test]
        fn bytes_return_the_same_cells(values in prop::collection::vec(1_000_u64..60_000_000_000, 0..50)) {
            let histogram = recorded(&values);
            let back = Histogram::from_v2_bytes(&histogram.to_v2_bytes()).expect("its own bytes");
            prop_assert_eq!(back, histogram);
        }

        #[test]
        fn damaged_bytes_never_panic(
            values in prop::collection::vec(1_000_u64..60_000_000_000, 0..20),
            damage in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..12),
        ) {
            let mut bytes = recorded(&values).to_v2_bytes();
            for (index, byte) in damage {
                let at = index.index(bytes.len());
                bytes[at] = byte;
            }
            if let Ok(histogram) = Histogram::from_v2_bytes(&bytes) {
                let _ = (histogram.quantile_ns(0.5), histogram.mean_ns(), histogram.max_ns());
            }
        }
    }
}
