//! Percentiles from p90 up, of which a window sees too few requests: one merged distribution a start.
//!
//! The median over windows of such a percentile hides what happens in a minority of windows, a stall of 30 ms every two
//! seconds or a round in which connections were hashed badly. So the ratio that decides is that of the merged windows of a
//! start, and the windows' own median stands beside it: where the two part, the row stalls now and then.

use std::borrow::Borrow;

use serde::{Deserialize, Serialize};

use crate::cells::Cells;
use crate::censored::{Censored, Quantile};
use crate::rounds::{Between, Bound, StartRatio, is_enough, median, pairs_of};

/// A merged percentile beyond this multiple of the windows' median is due to some windows and not to all: the spread of a
/// window's p99 around its median was 1.13 on the machine that the method was worked out on.
pub const STALLS_RATIO: f64 = 1.5;

/// One percentile of one row under one scenario.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RowTail {
    /// Which, in `0..=1`: 0.99 for p99.
    pub q: f64,
    /// That of all kept windows of all starts merged; `None` when none was kept.
    pub merged: Option<Quantile>,
    /// The median over all kept windows of the windows' own, in nanoseconds.
    pub median_of_windows_ns: Option<f64>,
    /// The starts, in their order.
    pub starts: Vec<StartTail>,
}

/// One percentile of one row in one start.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StartTail {
    /// That of the kept windows merged; `None` when none was kept.
    pub merged: Option<Quantile>,
    /// Each window's own, by round; `None` where the window was not kept.
    pub windows: Vec<Option<Quantile>>,
}

impl RowTail {
    /// The percentiles `qs` of one row, from its windows by start and round, `None` where a window was not kept. All
    /// of them in one pass, since merging is what costs, and one start after another, since distributions are large.
    pub fn of_each<C: Cells + Clone + Default, W: Borrow<Censored<C>>>(
        qs: &[f64],
        starts: impl IntoIterator<Item = Vec<Option<W>>>,
    ) -> Vec<Self> {
        let mut tails: Vec<Self> = qs
            .iter()
            .map(|&q| Self { q, merged: None, median_of_windows_ns: None, starts: Vec::new() })
            .collect();
        let (mut whole, mut of_start) = (Censored::<C>::default(), Censored::<C>::default());
        for windows in starts {
            of_start.reset();
            windows.iter().flatten().for_each(|window| of_start.merge(window.borrow()));
            whole.merge(&of_start);
            for tail in &mut tails {
                let own = |window: &Option<W>| window.as_ref()?.borrow().quantile(tail.q);
                let windows = windows.iter().map(own).collect();
                tail.starts.push(StartTail { merged: of_start.quantile(tail.q), windows });
            }
        }
        for tail in &mut tails {
            tail.merged = whole.quantile(tail.q);
            let windows = tail.starts.iter().flat_map(|start| start.windows.iter().flatten());
            tail.median_of_windows_ns =
                median(&mut windows.map(|window| window.ns() as f64).collect::<Vec<_>>());
        }
        tails
    }

    /// Whether the row stalls now and then: its merged percentile is beyond [`STALLS_RATIO`] times the windows' median.
    pub fn stalls_now_and_then(&self) -> bool {
        match (self.merged, self.median_of_windows_ns) {
            (Some(merged), Some(windows)) => merged.ns() as f64 > STALLS_RATIO * windows,
            _ => false,
        }
    }

    /// In how many starts at least half of the windows were kept.
    pub fn usable_starts(&self) -> usize {
        let enough =
            |start: &&StartTail| is_enough(start.windows.iter().flatten().count(), start.windows.len());
        self.starts.iter().filter(enough).count()
    }
}

/// The log ratio of the merged percentiles of two rows in every start: what the comparison decides by. A start needs half
/// of its rounds from both rows, as for every other figure.
pub fn merged_log_ratios(first: &RowTail, second: &RowTail) -> Vec<StartRatio> {
    each_start(first, second, |first, second, _| {
        let (a, b) = (first.merged?, second.merged?);
        Some((log_ratio(a, b), bound(a, b)))
    })
}

/// The median over rounds of the log ratios of the windows' own percentiles, by start: what is printed beside it.
pub fn window_log_ratios(first: &RowTail, second: &RowTail) -> Vec<StartRatio> {
    each_start(first, second, |_, _, pairs| {
        let mut logs: Vec<f64> = pairs.iter().map(|&(a, b)| log_ratio(a, b)).collect();
        // The middle ones may all be exact where an outer one is a bound; to say so would take their order.
        let bounds = pairs.iter().map(|&(a, b)| bound(a, b));
        Some((median(&mut logs)?, bounds.fold(Bound::Exact, either)))
    })
}

/// Every two of the rows in `entered` (indices into `rows`), once, by their merged percentiles.
pub fn every_tail_pair(rows: &[RowTail], entered: &[usize]) -> Vec<Between> {
    pairs_of(entered, |first, second| Ok(merged_log_ratios(&rows[first], &rows[second])))
}

/// Calls `ratio` for every start that has enough rounds of both rows, with those rounds' percentiles.
fn each_start(
    first: &RowTail,
    second: &RowTail,
    ratio: impl Fn(&StartTail, &StartTail, &[(Quantile, Quantile)]) -> Option<(f64, Bound)>,
) -> Vec<StartRatio> {
    let none = StartTail { merged: None, windows: Vec::new() };
    let of_start = |start: usize| {
        let (a, b) = (first.starts.get(start).unwrap_or(&none), second.starts.get(start).unwrap_or(&none));
        let both: Vec<_> =
            a.windows.iter().zip(&b.windows).filter_map(|(a, b)| Some(((*a)?, (*b)?))).collect();
        let (pairs, rounds) = (both.len(), a.windows.len().max(b.windows.len()));
        let known = if is_enough(pairs, rounds) { ratio(a, b, &both) } else { None };
        let bound = known.map_or(Bound::Exact, |(_, bound)| bound);
        StartRatio { log_ratio: known.map(|(log, _)| log), pairs, rounds, bound }
    };
    (0..first.starts.len().max(second.starts.len())).map(of_start).collect()
}

fn log_ratio(first: Quantile, second: Quantile) -> f64 {
    // A bound of an empty cell can be 0 ns; a nanosecond keeps it a number, and it stays marked as a bound.
    (first.ns().max(1) as f64).ln() - (second.ns().max(1) as f64).ln()
}

fn bound(first: Quantile, second: Quantile) -> Bound {
    match (first.is_bound(), second.is_bound()) {
        (false, false) => Bound::Exact,
        (true, false) => Bound::AtLeast,
        (false, true) => Bound::AtMost,
        (true, true) => Bound::Open,
    }
}

/// What is known of a figure made of two that are known so far.
fn either(one: Bound, other: Bound) -> Bound {
    match (one, other) {
        (Bound::Exact, same) | (same, Bound::Exact) => same,
        (one, other) if one == other => one,
        _ => Bound::Open,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use proptest::prelude::*;

    use super::*;

    fn window(us: impl IntoIterator<Item = u64>) -> Censored {
        let mut window = Censored::new();
        us.into_iter().for_each(|us| window.record(Duration::from_micros(us)));
        window
    }

    fn tail(q: f64, starts: &[Vec<Option<&Censored>>]) -> RowTail {
        RowTail::of_each(&[q], starts.iter().cloned()).remove(0)
    }

    #[test]
    fn a_stall_in_one_window_of_four_is_in_the_merged_percentile_alone() {
        let quiet = window([100; 100]);
        let stalled = window((0..100).map(|i| if i < 20 { 30_000 } else { 100 }));
        let row = tail(0.99, &[vec![Some(&quiet), Some(&stalled), Some(&quiet), Some(&quiet)]]);
        let steady = tail(0.99, &[vec![Some(&quiet); 4]]);
        // 20 of 400 requests are slow: 5%, so the 99th percentile is one of them.
        assert!(row.merged.is_some_and(|p99| (29_900_000..30_100_000).contains(&p99.ns())), "{row:?}");
        assert!(row.median_of_windows_ns.is_some_and(|ns| ns < 100_200.0), "{row:?}");
        assert!(row.stalls_now_and_then() && !steady.stalls_now_and_then());
        let merged = merged_log_ratios(&row, &steady)[0].log_ratio.expect("four pairs");
        assert!((merged - 300.0_f64.ln()).abs() < 2e-3, "{merged}");
        assert_eq!(window_log_ratios(&row, &steady)[0].log_ratio, Some(0.0));
    }

    #[test]
    fn a_row_that_is_slow_in_every_window_does_not_stall_now_and_then() {
        let slow = window((0..100).map(|i| if i < 20 { 30_000 } else { 100 }));
        assert!(!tail(0.99, &[vec![Some(&slow); 4]]).stalls_now_and_then());
    }

    #[test]
    fn windows_that_were_not_kept_are_in_nothing() {
        let (quick, slow) = (window([100; 50]), window([900; 50]));
        let row = tail(
            0.9,
            &[vec![Some(&quick), None, Some(&quick)], vec![None, None, Some(&slow)], vec![None; 3]],
        );
        assert_eq!(row.usable_starts(), 1);
        assert_eq!(row.starts[2], StartTail { merged: None, windows: vec![None; 3] });
        let ratios = merged_log_ratios(&row, &row);
        let seen: Vec<_> = ratios.iter().map(|start| (start.log_ratio, start.pairs, start.rounds)).collect();
        assert_eq!(seen, [(Some(0.0), 2, 3), (None, 1, 3), (None, 0, 3)]);
        assert!(tail(0.9, &[]).merged.is_none());
    }

    #[test]
    fn unanswered_requests_make_the_ratio_a_bound_in_their_rows_favour() {
        let answered = window([100; 100]);
        let mut lost = window([100; 90]);
        (0..10).for_each(|_| lost.give_up(Duration::from_millis(5)));
        let (whole, losing) = (tail(0.99, &[vec![Some(&answered)]]), tail(0.99, &[vec![Some(&lost)]]));
        for ratios in [merged_log_ratios, window_log_ratios] {
            assert_eq!(ratios(&losing, &whole)[0].bound, Bound::AtLeast);
            assert_eq!(ratios(&whole, &losing)[0].bound, Bound::AtMost);
            assert_eq!(ratios(&losing, &losing)[0].bound, Bound::Open);
            assert_eq!(ratios(&whole, &whole)[0].bound, Bound::Exact);
        }
        assert_eq!(either(Bound::AtLeast, Bound::AtMost), Bound::Open);
    }

    #[test]
    fn several_percentiles_are_those_of_each_alone_and_pairs_are_of_the_rows_named() {
        let windows = [window(1..=100), window(50..=400)];
        let starts = [vec![Some(&windows[0]), Some(&windows[1])], vec![Some(&windows[1]), None]];
        let both = RowTail::of_each(&[0.9, 0.99], starts.clone());
        assert_eq!(both, [tail(0.9, &starts), tail(0.99, &starts)]);
        let pairs = every_tail_pair(&both, &[1, 0]);
        assert_eq!(pairs.len(), 1);
        assert_eq!(pairs[0].starts, Ok(merged_log_ratios(&both[1], &both[0])));
    }

    proptest! {
        // Histograms are large: few cases.
        #![proptest_config(ProptestConfig::with_cases(16))]
        #[test]
        fn swapping_the_rows_changes_the_sign_and_nothing_else(
            us in prop::collection::vec(prop::collection::vec(1_u64..100_000, 1..30), 4),
        ) {
            let windows: Vec<Censored> = us.into_iter().map(window).collect();
            let first = tail(0.9, &[vec![Some(&windows[0]), Some(&windows[1])]]);
            let second = tail(0.9, &[vec![Some(&windows[2]), Some(&windows[3])]]);
            for ratios in [merged_log_ratios, window_log_ratios] {
                let (there, back) = (ratios(&first, &second)[0], ratios(&second, &first)[0]);
                prop_assert!((there.log_ratio.expect("kept") + back.log_ratio.expect("kept")).abs() < 1e-12);
            }
        }
    }
}
