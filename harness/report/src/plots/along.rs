//! Rates and latencies along the run: what changed from start to start, or in the course of one.

use stats::summary::median_interval;

use crate::model::plot::{Along, Drawn, OfRow, Pair};

use super::{
    all::{All, Sketch},
    times::OneWindow,
    windows::starts,
};

/// `None` where no window has either.
pub(super) fn of(all: &All<'_>) -> Option<Sketch> {
    let rows: Vec<OfRow<Pair>> = all.measured().map(|row| along(all, row)).collect();
    let windows = || rows.iter().flat_map(|row| &row.starts).flat_map(|start| &start.windows);
    windows().find(|window| window.rate.is_some() || window.us.is_some())?;
    let percentile = all.percentile_name();
    let description = format!(
        "A strip each row, a mark each window in the order of time: above, the rate of right answers as a part of the row's own median; \
         below, its {percentile}{}. {} of {} windows do not count, and are crosses.",
        all.of_stream(),
        windows().filter(|window| !window.counts).count(),
        windows().count(),
    );
    let title = format!("Rate and {percentile}{} along the run", all.of_stream());
    Some(Sketch {
        title,
        description,
        drawn: Drawn::Along(Along { starts: all.columns(), percentile, rows }),
    })
}

fn along(all: &All<'_>, row: usize) -> OfRow<Pair> {
    let windows = || all.times[row].starts.iter().flat_map(|start| &start.windows);
    let rates = |counting: bool| -> Vec<f64> {
        windows().filter(|window| window.counts || !counting).filter_map(|window| window.rate).collect()
    };
    // Of a row of which nothing counts, those that do not are all that there is.
    let median = median_interval(&rates(true)).or_else(|| median_interval(&rates(false)));
    let median = median.map(|interval| interval.median).filter(|&median| median > 0.0);
    let of_window = |window: &OneWindow| Pair {
        counts: window.counts,
        rate: window.rate.zip(median).map(|(rate, median)| rate / median),
        us: window.percentile.map(|time| time.ns() as f64 / 1000.0),
    };
    OfRow {
        label: all.label(row).to_owned(),
        note: all.note(row),
        starts: starts(all, row, &[all.percentile], of_window),
    }
}
