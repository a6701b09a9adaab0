//! A row's response times, decoded once and one start at a time, of which pictures keep only bins and percentiles.

use std::collections::BTreeMap;

use race::records::window::{StreamRecord, WindowRecord};
use stats::{Censored, Quantile, Sparse};

use crate::counts::kept::{Line, Start, Which};

/// Bins to a factor of ten: a tenth apart, finer than any picture shows.
const PER_DECADE: f64 = 24.0;
/// Up to 100 s, from 1 us on; what is beyond either end is in the last bin there.
const MOST: f64 = 8.0 * PER_DECADE - 1.0;

/// Points to a nine.
const PER_NINE: u32 = 10;
/// Ten nines need 10^11 requests.
const MOST_NINES: u32 = 10;
/// A percentile with fewer requests beyond it is not drawn.
const FEWEST_BEYOND: f64 = 10.0;

/// Response times of one stream of a row.
#[derive(Debug, Default)]
pub(super) struct RowTimes {
    /// Every start.
    pub(super) starts: Vec<StartTimes>,
    /// Percentiles over all windows that count, ascending by their number of nines.
    pub(super) percentiles: Vec<(f64, Quantile)>,
}

/// Those of one start.
#[derive(Debug)]
pub(super) struct StartTimes {
    /// Which, counted from 0.
    pub(super) number: usize,
    /// Everything that was measured, in the order of time.
    pub(super) windows: Vec<OneWindow>,
}

/// Those of one window, whether it counts or not.
#[derive(Debug, Default)]
pub(super) struct OneWindow {
    pub(super) counts: bool,
    /// Right answers a second; `None` where the server failed before the window ended.
    pub(super) rate: Option<f64>,
    /// The percentile that was asked for.
    pub(super) percentile: Option<Quantile>,
    /// How many requests are in each bin, of those that hold any. What was never answered is at the age at which it was given up.
    pub(super) bins: BTreeMap<u16, u64>,
}

impl RowTimes {
    pub(super) fn of(line: &Line<'_>, stream: &str, q: f64) -> Self {
        let mut whole = Censored::<Sparse>::default();
        let starts = line.starts.iter().map(|start| StartTimes::of(start, stream, q, &mut whole)).collect();
        Self { starts, percentiles: percentiles(&whole) }
    }
}

impl StartTimes {
    fn of(start: &Start<'_>, stream: &str, q: f64, whole: &mut Censored<Sparse>) -> Self {
        let counts = |record: &WindowRecord| {
            start.windows(Which::Gated).iter().flatten().any(|window| std::ptr::eq(window.record, record))
        };
        let windows = start.measured.iter().map(|record| {
            let counts = counts(record);
            let of_stream =
                record.measured.as_ref().and_then(|measured| Some((measured, measured.stream(stream)?)));
            let Some((measured, of_stream)) = of_stream else {
                return OneWindow { counts, ..OneWindow::default() };
            };
            let times = StreamRecord::response_times(of_stream);
            if counts {
                whole.merge(&times);
            }
            OneWindow {
                counts,
                rate: Some(measured.answered_per_second(of_stream)),
                percentile: times.quantile(q),
                bins: binned(&times),
            }
        });
        Self { number: start.number, windows: windows.collect() }
    }
}

fn binned(times: &Censored<Sparse>) -> BTreeMap<u16, u64> {
    let mut bins = BTreeMap::new();
    for (ns, count) in times.answered().recorded().chain(times.given_up().recorded()) {
        *bins.entry(bin_of(ns)).or_insert(0) += count;
    }
    bins
}

fn bin_of(ns: u64) -> u16 {
    let us = ns as f64 / 1000.0;
    // Of no time at all the logarithm is the least number there is.
    (us.log10() * PER_DECADE).floor().clamp(0.0, MOST) as u16
}

/// Where a bin begins, microseconds.
pub(super) fn begin_of(bin: u16) -> f64 {
    10_f64.powf(f64::from(bin) / PER_DECADE)
}

fn percentiles(all: &Censored<Sparse>) -> Vec<(f64, Quantile)> {
    let nines = (0..=MOST_NINES * PER_NINE).map(|step| f64::from(step) / f64::from(PER_NINE));
    let beyond = |nines: f64| 10_f64.powf(-nines);
    let known = nines.take_while(|&nines| all.len() as f64 * beyond(nines) >= FEWEST_BEYOND - 1e-9);
    known.filter_map(|nines| Some((nines, all.quantile(1.0 - beyond(nines))?))).collect()
}

#[cfg(test)]
mod tests {
    use stats::Histogram;

    use super::*;

    #[test]
    fn bins_are_logarithmic_and_hold_whatever_there_is() {
        let bins = [0, 1, 999, 1_000, 10_000, 1_000_000_000, u64::MAX].map(bin_of);
        assert_eq!(bins, [0, 0, 0, 0, 24, 144, 191]);
        assert!((begin_of(24) - 10.0).abs() < 1e-9 && begin_of(0) == 1.0);
    }

    #[test]
    fn percentiles_end_where_fewer_than_ten_requests_are_beyond() {
        let mut histogram = Histogram::new();
        (1..=1000_u64).for_each(|us| histogram.record_ns(1000 * us));
        let percentiles = percentiles(&Censored::from_parts(Sparse::of(&histogram), Sparse::default()));
        let (nines, last) = *percentiles.last().unwrap();
        assert_eq!((percentiles.len(), nines), (21, 2.0));
        assert!((980_000..=1_000_000).contains(&last.ns()), "{last}");
        assert!(percentiles.is_sorted_by_key(|(_, quantile)| quantile.ns()));
    }

    #[test]
    fn of_nothing_there_are_no_percentiles() {
        assert!(percentiles(&Censored::default()).is_empty());
    }
}
