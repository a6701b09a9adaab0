//! Windows by latency, a band each row: whether a tail is in all windows or in a few, and in which starts.

use std::collections::BTreeMap;

use terminal::numbers::time;

use crate::{
    counts::{entered::Entered, kept::Which, times::name_of},
    model::plot::{Drawn, Levels, OfRow, OfStart, Windows},
};

use super::{
    all::{All, Sketch},
    times::{OneWindow, StartTimes, begin_of},
};

/// As many bins as a band has room for.
const MOST_BINS: u16 = 16;
/// As few, so that rows that are all alike are a stripe and no block.
const FEWEST_BINS: u16 = 12;
/// The least share of a window's requests for the levels 2, 3 and 4.
const LEVELS: [f64; 3] = [0.01, 0.05, 0.25];

/// `None` where no request was recorded in any window.
pub(super) fn of(all: &All<'_>) -> Option<Sketch> {
    let bins = Bins::over(all)?;
    let tail = all.field.scenario.rank.by.percentile().unwrap_or(0.99);
    let row = |row: usize| OfRow {
        label: all.label(row).to_owned(),
        note: all.note(row),
        starts: starts(all, row, &[0.5, tail], |window| Levels {
            counts: window.counts,
            levels: bins.levels(&window.bins),
        }),
    };
    let rows: Vec<OfRow<Levels>> = all.measured().map(row).collect();
    let windows = || rows.iter().flat_map(|row| &row.starts).flat_map(|start| &start.windows);
    let [low, high] = [bins.begin(0), bins.begin(bins.count)];
    let description = format!(
        "A band each row, a column each window in the order of time, latency upwards from {} to {}: the stronger its shade, the larger the part of \
         the window's requests. {} of {} windows do not count, and have a cross at their foot. What was never answered is where it was \
         given up, and what is beyond either end is in the last bin there: overloaded rows do not stretch the scale.",
        time(low),
        time(high),
        windows().filter(|window| !window.counts).count(),
        windows().count(),
    );
    let edges_us = (0..=bins.count).map(|bin| bins.begin(bin)).collect();
    let drawn = Windows { starts: all.columns(), edges_us, levels: LEVELS.to_vec(), rows };
    let title = format!("Windows by latency{}", all.of_stream());
    Some(Sketch { title, description, drawn: Drawn::Windows(drawn) })
}

/// A row's windows by start, with what each start comes to, in these percentiles among others.
pub(super) fn starts<T>(
    all: &All<'_>,
    row: usize,
    percentiles: &[f64],
    of: impl Fn(&OneWindow) -> T,
) -> Vec<OfStart<T>> {
    let of_start = |(at, start): (usize, &StartTimes)| OfStart {
        said: said(&all.field.rows[row], at, percentiles),
        windows: start.windows.iter().map(&of).collect(),
    };
    all.times[row].starts.iter().enumerate().map(of_start).collect()
}

/// `4 of 4 kept, p50 23 us, p99 48 us`.
fn said(row: &Entered<'_>, at: usize, percentiles: &[f64]) -> String {
    let start = &row.line.starts[at];
    let kept = start.windows(Which::Gated).iter().flatten().count();
    if start.measured.is_empty() {
        return "not measured".to_owned();
    }
    if start.planned == 0 {
        return "nothing of it counts".to_owned();
    }
    let percentile = |&q: &f64| {
        let time_of = row.ranked_times().tail(q)?.starts.get(at)?.merged?;
        let bound = if time_of.is_bound() { "> " } else { "" };
        Some(format!(", {} {bound}{}", name_of(q), time(time_of.ns() as f64 / 1000.0)))
    };
    let percentiles: String = percentiles.iter().filter_map(percentile).collect();
    format!("{kept} of {} kept{percentiles}", start.planned.max(kept))
}

/// How fine bins are put together.
struct Bins {
    first: u16,
    /// Fine bins to one of these.
    width: u16,
    count: u16,
}

impl Bins {
    /// All that hold anything; of an overloaded row, whose times are as long as it was loaded, only where there is no other.
    fn over(all: &All<'_>) -> Option<Self> {
        Self::of_rows(all, |row| !all.is_overloaded(row)).or_else(|| Self::of_rows(all, |_| true))
    }

    fn of_rows(all: &All<'_>, is_asked: impl Fn(usize) -> bool) -> Option<Self> {
        let starts = all.measured().filter(|&row| is_asked(row)).flat_map(|row| &all.times[row].starts);
        let windows = starts.flat_map(|start| &start.windows);
        let used = windows.flat_map(|window| window.bins.keys().copied());
        let (first, last) = used.fold(None, |ends, bin| {
            let (first, last) = ends.unwrap_or((bin, bin));
            Some((first.min(bin), last.max(bin)))
        })?;
        Some(Self::between(first, last))
    }

    fn between(first: u16, last: u16) -> Self {
        let span = last - first + 1;
        let width = span.div_ceil(MOST_BINS);
        let count = span.div_ceil(width).max(FEWEST_BINS);
        // What is in the middle stays there.
        let beside = (count * width - span) / 2;
        Self { first: first.saturating_sub(beside), width, count }
    }

    fn begin(&self, bin: u16) -> f64 {
        begin_of(self.first + bin * self.width)
    }

    /// None where there was no request.
    fn levels(&self, fine: &BTreeMap<u16, u64>) -> Vec<u8> {
        let all: u64 = fine.values().sum();
        if all == 0 {
            return Vec::new();
        }
        let mut counts = vec![0_u64; usize::from(self.count)];
        for (bin, count) in fine {
            let at = usize::from((bin.saturating_sub(self.first)) / self.width).min(counts.len() - 1);
            counts[at] += count;
        }
        counts.iter().map(|&count| level(count as f64 / all as f64)).collect()
    }
}

fn level(share: f64) -> u8 {
    let beyond = LEVELS.iter().filter(|&&least| share >= least).count() as u8;
    if share > 0.0 { 1 + beyond } else { 0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bins_cover_what_there_is_and_are_neither_many_nor_few() {
        for (first, last) in [(0, 0), (0, 191), (40, 41), (190, 191), (10, 25), (10, 26)] {
            let bins = Bins::between(first, last);
            let end = bins.first + bins.count * bins.width;
            assert!((FEWEST_BINS..=MOST_BINS).contains(&bins.count), "{first} {last}: {}", bins.count);
            assert!(bins.first <= first && last < end, "{first} {last}: {} {end}", bins.first);
        }
    }

    #[test]
    fn the_level_is_that_of_the_share_of_requests() {
        assert_eq!([0.0, 0.000_1, 0.01, 0.05, 0.249, 0.25, 1.0].map(level), [0, 1, 2, 3, 3, 4, 4]);
        let bins = Bins::between(4, 19);
        let levels = bins.levels(&[(0, 1), (9, 998), (190, 1)].into());
        assert_eq!((levels.len(), levels[0], levels[5], levels[15]), (16, 1, 4, 1));
        assert!(bins.levels(&BTreeMap::new()).is_empty());
    }
}
