//! What an engine thread shows while it runs. It writes now and then, or a cell at a time, without ordering or
//! locks; the outcome is never made from it.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

/// One engine thread's board. On cache lines of its own, so that a reader does not slow a writer's neighbour.
#[derive(Debug, Default)]
#[repr(align(128))]
pub(crate) struct Board {
    ok: AtomicU64,
    errors: AtomicU64,
    in_flight: AtomicU64,
    queued: AtomicU64,
    pub(crate) response: LiveHistogram,
    pub(crate) lag: LiveHistogram,
}

/// What all boards show together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Shown {
    pub(crate) ok: u64,
    pub(crate) errors: u64,
    pub(crate) in_flight: u64,
    pub(crate) queued: u64,
}

impl Board {
    pub(crate) fn show(&self, shown: Shown) {
        self.ok.store(shown.ok, Relaxed);
        self.errors.store(shown.errors, Relaxed);
        self.in_flight.store(shown.in_flight, Relaxed);
        self.queued.store(shown.queued, Relaxed);
    }

    pub(crate) fn sum(boards: &[Board]) -> Shown {
        boards.iter().fold(Shown::default(), |sum, board| Shown {
            ok: sum.ok + board.ok.load(Relaxed),
            errors: sum.errors + board.errors.load(Relaxed),
            in_flight: sum.in_flight + board.in_flight.load(Relaxed),
            queued: sum.queued + board.queued.load(Relaxed),
        })
    }
}

/// Cells per factor of two: a value is known to 3%.
const CELLS_PER_OCTAVE: u64 = 32;

/// Up to 2^36 ns, some 69 s.
const OCTAVES: u64 = 36;

const CELLS: usize = (CELLS_PER_OCTAVE * OCTAVES) as usize;

/// Counts of durations in cells that another thread may read meanwhile.
#[derive(Debug)]
pub(crate) struct LiveHistogram(Box<[AtomicU64]>);

impl Default for LiveHistogram {
    fn default() -> Self {
        Self((0..CELLS).map(|_| AtomicU64::new(0)).collect())
    }
}

impl LiveHistogram {
    /// Counts one. Only its own thread writes, so that reading and writing need not be one step.
    #[inline]
    pub(crate) fn record_ns(&self, ns: u64) {
        let cell = &self.0[cell_of(ns)];
        cell.store(cell.load(Relaxed) + 1, Relaxed);
    }

    /// Adds its counts to `counts`.
    pub(crate) fn add_to(&self, counts: &mut LiveCounts) {
        counts.0.iter_mut().zip(&self.0).for_each(|(sum, cell)| *sum += cell.load(Relaxed));
    }
}

/// A copy of live histograms at one instant.
#[derive(Clone, Debug)]
pub(crate) struct LiveCounts(Vec<u64>);

impl LiveCounts {
    pub(crate) fn none() -> Self {
        Self(vec![0; CELLS])
    }

    /// The quantile of what was counted since `earlier`, in nanoseconds, to 3%; `None` when that was nothing.
    pub(crate) fn quantile_since(&self, earlier: &LiveCounts, q: f64) -> Option<u64> {
        let since = |cell: usize| self.0[cell].saturating_sub(earlier.0[cell]);
        let all: u64 = (0..CELLS).map(since).sum();
        let rank = ((q * all as f64).ceil() as u64).max(1);
        let mut counted = 0;
        (0..CELLS)
            .find(|&cell| {
                counted += since(cell);
                counted >= rank
            })
            .map(highest_of)
    }
}

/// The octave, and linearly within it: two shifts instead of a logarithm.
#[inline]
fn cell_of(ns: u64) -> usize {
    let ns = ns.max(CELLS_PER_OCTAVE);
    let octave = u64::from(ns.ilog2());
    let within = (ns >> (octave - u64::from(CELLS_PER_OCTAVE.ilog2()))) - CELLS_PER_OCTAVE;
    ((octave * CELLS_PER_OCTAVE + within) as usize).min(CELLS - 1)
}

/// The largest value of a cell.
fn highest_of(cell: usize) -> u64 {
    let (octave, within) = (cell as u64 / CELLS_PER_OCTAVE, cell as u64 % CELLS_PER_OCTAVE);
    let shift = octave.saturating_sub(u64::from(CELLS_PER_OCTAVE.ilog2()));
    ((CELLS_PER_OCTAVE + within + 1) << shift) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    proptest::proptest! {
        #[test]
        fn a_value_lies_in_its_cell_which_is_narrow(ns in CELLS_PER_OCTAVE..1 << 35) {
            let highest = highest_of(cell_of(ns));
            proptest::prop_assert!(highest >= ns && highest <= ns + ns / CELLS_PER_OCTAVE);
            proptest::prop_assert_eq!(cell_of(highest), cell_of(ns));
            proptest::prop_assert_ne!(cell_of(highest + 1), cell_of(ns));
        }
    }

    #[test]
    fn quantiles_are_of_what_came_since() {
        let (live, mut first, mut second) =
            (LiveHistogram::default(), LiveCounts::none(), LiveCounts::none());
        (0..1_000).for_each(|_| live.record_ns(50_000_000));
        live.add_to(&mut first);
        assert_eq!(first.quantile_since(&first, 0.5), None);
        (0..99).for_each(|_| live.record_ns(1_000));
        live.record_ns(u64::MAX);
        live.add_to(&mut second);
        assert_eq!(second.quantile_since(&first, 0.99), Some(highest_of(cell_of(1_000))));
        assert_eq!(second.quantile_since(&first, 1.0), Some(highest_of(CELLS - 1)));
    }
}
