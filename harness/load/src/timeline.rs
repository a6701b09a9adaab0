//! A stream over its window in slices of 10 ms, however long the window is: for whoever asks what happened around an instant in it, and
//! not only in all.
//!
//! [`Slices`](crate::Slices) have room for a minute and grow wider then. These stay as they are, and tell more: failures by kind,
//! connections that were lost, and percentiles. Room is made for a second and a quarter at a time, so that memory grows with time (some
//! 70 kB a second) and never with requests.

use crate::{
    errors::{ErrorKind, Errors},
    slices::{SLICE_NS, SliceLatency},
};

/// So many slices are made at a time.
const CHUNK: usize = 128;

/// Cells per factor of two: a value is known to 6%.
const CELLS_PER_OCTAVE: u64 = 16;

/// The cells begin at 2^13 ns, some 8 us: below it one cell is enough.
const FIRST_OCTAVE: u64 = 13;

/// Up to 2^34 ns, some 17 s.
const OCTAVES: u64 = 21;

const CELLS: usize = (CELLS_PER_OCTAVE * OCTAVES) as usize;

/// One slice. Counts are of what happened in it; response times are of the requests that were due in it, whenever they were answered.
#[derive(Clone, Debug)]
pub struct TimelineSlice {
    /// Requests due in it.
    pub due: u32,
    /// Right answers received in it, whenever they were due.
    pub answered: u32,
    /// Requests that failed in it, and attempts to connect, by kind.
    pub errors: Errors,
    /// Connections that were reset in it, idle ones included.
    pub reset: u32,
    /// Connections that the server closed in it without a word, while nothing was asked on them.
    pub closed_idle: u32,
    /// The response times of right answers to what was due in it.
    pub latency: SliceLatency,
    cells: [u16; CELLS],
}

/// How a connection was lost without an answer that announced it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lost {
    /// The system said that it broke.
    Reset,
    /// The server closed it while nothing was asked on it.
    ClosedIdle,
}

/// The slices of one stream, from the window's opening.
#[derive(Clone, Debug, Default)]
pub struct Timeline {
    chunks: Vec<Vec<TimelineSlice>>,
    opens_ns: u64,
    length_ns: u64,
}

impl Default for TimelineSlice {
    fn default() -> Self {
        Self {
            due: 0,
            answered: 0,
            errors: Errors::default(),
            reset: 0,
            closed_idle: 0,
            latency: SliceLatency::default(),
            cells: [0; CELLS],
        }
    }
}

impl TimelineSlice {
    /// A quantile of the response times, to 6%; `None` where there are none.
    ///
    /// ```
    /// assert_eq!(load::TimelineSlice::default().quantile_ns(0.99), None);
    /// ```
    pub fn quantile_ns(&self, q: f64) -> Option<u64> {
        let rank = ((q * f64::from(self.latency.count)).ceil() as u64).max(1);
        let mut counted = 0;
        let cell = self.cells.iter().position(|cell| {
            counted += u64::from(*cell);
            counted >= rank
        })?;
        Some(highest_of(cell).min(self.latency.max_ns))
    }

    fn took(&mut self, response_ns: u64) {
        self.latency.count += 1;
        self.latency.sum_ns = self.latency.sum_ns.saturating_add(response_ns);
        self.latency.max_ns = self.latency.max_ns.max(response_ns);
        let cell = &mut self.cells[cell_of(response_ns)];
        *cell = cell.saturating_add(1);
    }

    fn merge(&mut self, other: &Self) {
        self.due += other.due;
        self.answered += other.answered;
        self.errors.merge(&other.errors);
        self.reset += other.reset;
        self.closed_idle += other.closed_idle;
        self.latency.count += other.latency.count;
        self.latency.sum_ns = self.latency.sum_ns.saturating_add(other.latency.sum_ns);
        self.latency.max_ns = self.latency.max_ns.max(other.latency.max_ns);
        self.cells.iter_mut().zip(&other.cells).for_each(|(own, others)| *own = own.saturating_add(*others));
    }
}

impl Timeline {
    /// That of a window of `length_ns`, or of less where it is ended early.
    pub(crate) fn new(opens_ns: u64, length_ns: u64) -> Self {
        Self { chunks: Vec::new(), opens_ns, length_ns }
    }

    /// How long each slice is, in nanoseconds; the last may be shorter.
    pub fn width_ns(&self) -> u64 {
        SLICE_NS
    }

    /// All slices of the window, in the order of time.
    pub fn slices(&self) -> impl Iterator<Item = &TimelineSlice> {
        self.chunks.iter().flatten().take(self.length_ns.div_ceil(SLICE_NS) as usize)
    }

    /// The slice that holds `at_ns`. `None` outside the window.
    #[inline]
    fn at(&mut self, at_ns: u64) -> Option<&mut TimelineSlice> {
        let since_ns = at_ns.checked_sub(self.opens_ns).filter(|since_ns| *since_ns < self.length_ns)?;
        let index = (since_ns / SLICE_NS) as usize;
        while index / CHUNK >= self.chunks.len() {
            self.grow();
        }
        self.chunks[index / CHUNK].get_mut(index % CHUNK)
    }

    #[cold]
    fn grow(&mut self) {
        self.chunks.push(vec![TimelineSlice::default(); CHUNK]);
    }

    #[inline]
    pub(crate) fn due(&mut self, at_ns: u64) {
        self.at(at_ns).into_iter().for_each(|slice| slice.due += 1);
    }

    #[inline]
    pub(crate) fn answered(&mut self, at_ns: u64) {
        self.at(at_ns).into_iter().for_each(|slice| slice.answered += 1);
    }

    pub(crate) fn failed(&mut self, at_ns: u64, kind: ErrorKind) {
        self.at(at_ns).into_iter().for_each(|slice| slice.errors.add(kind));
    }

    pub(crate) fn lost(&mut self, at_ns: u64, how: Lost) {
        self.at(at_ns).into_iter().for_each(|slice| match how {
            Lost::Reset => slice.reset += 1,
            Lost::ClosedIdle => slice.closed_idle += 1,
        });
    }

    /// What was due at `due_ns` took so long.
    #[inline]
    pub(crate) fn took(&mut self, due_ns: u64, response_ns: u64) {
        self.at(due_ns).into_iter().for_each(|slice| slice.took(response_ns));
    }

    /// The window was `length_ns` long after all.
    pub(crate) fn end_at(&mut self, length_ns: u64) {
        // Nothing may have happened in its last slices.
        if let Some(last_ns) = length_ns.checked_sub(1) {
            self.at(self.opens_ns + last_ns);
        }
        self.length_ns = length_ns;
    }

    /// Adds another thread's slices of the same window.
    pub(crate) fn merge(&mut self, other: &Timeline) {
        self.length_ns = self.length_ns.max(other.length_ns);
        while self.chunks.len() < other.chunks.len() {
            self.grow();
        }
        let own = self.chunks.iter_mut().flatten();
        own.zip(other.chunks.iter().flatten()).for_each(|(own, others)| own.merge(others));
    }
}

/// The octave, and linearly within it: two shifts instead of a logarithm.
#[inline]
fn cell_of(ns: u64) -> usize {
    let ns = ns.max(1 << FIRST_OCTAVE);
    let octave = u64::from(ns.ilog2());
    let within = (ns >> (octave - u64::from(CELLS_PER_OCTAVE.ilog2()))) - CELLS_PER_OCTAVE;
    (((octave - FIRST_OCTAVE) * CELLS_PER_OCTAVE + within) as usize).min(CELLS - 1)
}

/// The largest value of a cell.
fn highest_of(cell: usize) -> u64 {
    let (octave, within) = (cell as u64 / CELLS_PER_OCTAVE, cell as u64 % CELLS_PER_OCTAVE);
    let shift = octave + FIRST_OCTAVE - u64::from(CELLS_PER_OCTAVE.ilog2());
    ((CELLS_PER_OCTAVE + within + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn what_happens_is_filed_under_its_own_instant_and_times_under_the_due_time() {
        let mut timeline = Timeline::new(100 * MS, 25 * MS);
        [99 * MS, 100 * MS, 110 * MS - 1, 125 * MS].into_iter().for_each(|at_ns| timeline.due(at_ns));
        timeline.answered(124 * MS);
        timeline.failed(112 * MS, ErrorKind::Reset);
        timeline.failed(130 * MS, ErrorKind::Reset);
        timeline.lost(112 * MS, Lost::Reset);
        timeline.lost(113 * MS, Lost::ClosedIdle);
        timeline.took(105 * MS, 7 * MS);
        timeline.end_at(25 * MS);
        let slices: Vec<_> = timeline.slices().collect();
        let counts: Vec<_> = slices.iter().map(|one| (one.due, one.answered)).collect();
        assert_eq!(counts, [(2, 0), (0, 0), (0, 1)]);
        assert_eq!(
            (slices[1].errors.of(ErrorKind::Reset), slices[1].reset, slices[1].closed_idle),
            (1, 1, 1)
        );
        assert_eq!(slices[0].latency, SliceLatency { count: 1, sum_ns: 7 * MS, max_ns: 7 * MS });
        assert_eq!((slices[0].quantile_ns(0.99), slices[1].quantile_ns(0.5)), (Some(7 * MS), None));
    }

    #[test]
    fn a_window_of_minutes_keeps_its_slices_as_narrow_as_they_were_and_one_that_is_ended_has_none_behind_it()
    {
        let mut timeline = Timeline::new(0, 3_600_000 * MS);
        timeline.due(15 * MS);
        timeline.due(300_000 * MS);
        timeline.due(300_020 * MS);
        timeline.end_at(300_011 * MS);
        assert_eq!(timeline.slices().count(), 30_002);
        assert_eq!(timeline.slices().map(|slice| slice.due).sum::<u32>(), 2);
        let mut silent = Timeline::new(0, 3_600_000 * MS);
        silent.end_at(5_000 * MS);
        assert_eq!(silent.slices().count(), 500);
    }

    #[test]
    fn threads_are_put_together_whoever_saw_more_of_the_window() {
        let (mut early, mut late) = (Timeline::new(0, 10_000 * MS), Timeline::new(0, 10_000 * MS));
        early.took(15 * MS, MS);
        late.took(16 * MS, 9 * MS);
        late.due(9_000 * MS);
        for timeline in [&mut early, &mut late] {
            timeline.end_at(9_500 * MS);
        }
        let mut other_way = late.clone();
        other_way.merge(&early);
        early.merge(&late);
        for merged in [early, other_way] {
            assert_eq!(merged.slices().count(), 950);
            let slice = merged.slices().nth(1).unwrap();
            assert_eq!((slice.latency.count, slice.quantile_ns(1.0)), (2, Some(9 * MS)));
            assert_eq!(merged.slices().nth(900).unwrap().due, 1);
        }
    }

    proptest! {
        #[test]
        fn a_value_lies_in_its_cell_which_is_narrow(ns in (1_u64 << FIRST_OCTAVE)..1 << 33) {
            let highest = highest_of(cell_of(ns));
            prop_assert!(highest >= ns && highest <= ns + ns / CELLS_PER_OCTAVE);
            prop_assert_ne!(cell_of(highest + 1), cell_of(ns));
        }

        #[test]
        fn a_quantile_is_that_of_the_values_to_six_percent(values in prop::collection::vec(10_000_u64..1 << 33, 1..400)) {
            let mut slice = TimelineSlice::default();
            values.iter().for_each(|ns| slice.took(*ns));
            let mut sorted = values;
            sorted.sort_unstable();
            let exact = sorted[((0.99 * sorted.len() as f64).ceil() as usize).max(1) - 1];
            let told = slice.quantile_ns(0.99).unwrap();
            prop_assert!(told >= exact && told <= exact + exact / CELLS_PER_OCTAVE);
        }
    }
}
