//! Whether requests really left as they were scheduled: the distributions of gaps, intended and real.
//!
//! Their largest distance is an effect size, not a test: with enough requests every test rejects.

use serde::Serialize;

/// Cells per factor of two, equally wide within it: neighbouring bounds differ by 7% to 12%.
const CELLS_PER_OCTAVE: usize = 8;

/// Gaps up to 2^40 ns, some 18 minutes.
const OCTAVES: usize = 40;

/// How many gaps fell into each of a fixed number of cells, about equally wide on a logarithmic scale. 2.6 kB.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Gaps {
    cells: Vec<u64>,
    count: u64,
    sum_ns: u64,
}

impl Default for Gaps {
    fn default() -> Self {
        Self { cells: vec![0; CELLS_PER_OCTAVE * OCTAVES], count: 0, sum_ns: 0 }
    }
}

impl Gaps {
    /// Counts one gap.
    #[inline]
    pub(crate) fn record_ns(&mut self, gap_ns: u64) {
        self.cells[cell_of(gap_ns)] += 1;
        self.count += 1;
        self.sum_ns = self.sum_ns.saturating_add(gap_ns);
    }

    /// The number of gaps.
    pub fn len(&self) -> u64 {
        self.count
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.count == 0
    }

    /// The mean gap in nanoseconds. `None` when there is none.
    pub fn mean_ns(&self) -> Option<f64> {
        (self.count > 0).then(|| self.sum_ns as f64 / self.count as f64)
    }

    /// The largest distance between two empirical distribution functions, looked at the bounds of cells (so it may
    /// be less than Kolmogorov's distance by what happens inside one cell). `None` when either is empty.
    pub fn distance(&self, other: &Gaps) -> Option<f64> {
        stats::distance::of_counts(&self.cells, &other.cells)
    }

    fn merge(&mut self, other: &Gaps) {
        self.cells.iter_mut().zip(&other.cells).for_each(|(own, others)| *own += others);
        self.count += other.count;
        self.sum_ns = self.sum_ns.saturating_add(other.sum_ns);
    }
}

/// The cell of a gap: its octave, and linearly within the octave, which costs two shifts instead of a logarithm.
#[inline]
fn cell_of(gap_ns: u64) -> usize {
    let gap = gap_ns.max(CELLS_PER_OCTAVE as u64);
    let octave = gap.ilog2() as usize;
    let within = (gap >> (octave - CELLS_PER_OCTAVE.ilog2() as usize)) as usize - CELLS_PER_OCTAVE;
    (octave * CELLS_PER_OCTAVE + within).min(CELLS_PER_OCTAVE * OCTAVES - 1)
}

/// The gaps between the requests of one stream that were due in the window, thread by thread.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Departures {
    /// Between due times.
    pub scheduled: Gaps,
    /// Between actual sends. Waits for a free connection are taken out, since they are the server's doing: what is left is
    /// due time plus schedule lag.
    pub actual: Gaps,
    last: Option<(u64, u64)>,
}

/// What a record keeps of [`Departures`].
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct DepartureSummary {
    /// How many gaps there were.
    pub gaps: u64,
    /// The mean gap between due times in nanoseconds.
    pub scheduled_mean_ns: f64,
    /// The mean gap between departures in nanoseconds.
    pub actual_mean_ns: f64,
    /// The largest distance between the two distributions, from 0 to 1. Only Poisson arrivals have one that means
    /// something: equal gaps differ from nearly equal ones by the full distance.
    pub distance: f64,
}

impl Departures {
    /// Takes the next request that was due at `due_ns` and would have left at `left_ns`, had it not waited.
    #[inline]
    pub(crate) fn record(&mut self, due_ns: u64, left_ns: u64) {
        // A request that waited may be sent after one that did not and yet have "left" before it: they swap places.
        let left_ns = self.last.map_or(left_ns, |(_, last_left_ns)| left_ns.max(last_left_ns));
        if let Some((last_due_ns, last_left_ns)) = self.last.replace((due_ns, left_ns)) {
            self.scheduled.record_ns(due_ns.saturating_sub(last_due_ns));
            self.actual.record_ns(left_ns - last_left_ns);
        }
    }

    /// Means and distance; `None` with fewer than two requests.
    pub fn summary(&self) -> Option<DepartureSummary> {
        Some(DepartureSummary {
            gaps: self.scheduled.len(),
            scheduled_mean_ns: self.scheduled.mean_ns()?,
            actual_mean_ns: self.actual.mean_ns()?,
            distance: self.scheduled.distance(&self.actual)?,
        })
    }

    pub(crate) fn merge(&mut self, other: &Departures) {
        self.scheduled.merge(&other.scheduled);
        self.actual.merge(&other.actual);
        self.last = None;
    }
}

impl Serialize for Departures {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.summary().serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn departures_on_schedule_are_at_no_distance() {
        let mut departures = Departures::default();
        [10, 500, 90_000, 91_000].into_iter().for_each(|due| departures.record(due, due + 7));
        let summary = departures.summary().expect("three gaps");
        assert_eq!((summary.gaps, summary.distance), (3, 0.0));
        assert_eq!(summary.scheduled_mean_ns, 30_330.0);
        assert_eq!(summary.actual_mean_ns, 30_330.0);
    }

    #[test]
    fn departures_in_bursts_are_far_from_an_even_schedule() {
        let mut departures = Departures::default();
        // Due every 1,000, sent ten at a time: nine gaps of ten are of the order of nothing.
        (0..1_000_u64).for_each(|k| departures.record(k * 1_000, k / 10 * 10_000 + 10_000 + k % 10));
        let summary = departures.summary().expect("gaps");
        assert!((summary.distance - 0.9).abs() < 0.002, "{summary:?}");
    }

    #[test]
    fn a_single_departure_has_no_gap() {
        let mut departures = Departures::default();
        departures.record(1, 2);
        assert_eq!(departures.summary(), None);
        assert_eq!(serde_json::to_string(&departures).expect("a null"), "null");
    }

    proptest! {
        #[test]
        fn cells_ascend_with_the_gap_and_are_at_most_an_eighth_of_it_wide(gap in 8_u64..1 << 39) {
            prop_assert!(cell_of(gap) <= cell_of(gap + 1));
            prop_assert!(cell_of(gap) < cell_of(gap + gap / 8 + 1));
        }

        #[test]
        fn any_gap_has_a_cell(gap in any::<u64>()) {
            Gaps::default().record_ns(gap);
        }
    }
}
