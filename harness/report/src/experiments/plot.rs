//! What there was around events, as a picture: a multiple for each row and kind of event, over all of its events.

use race::plan::experiment::ExperimentKind;

use crate::{
    conclusions::named::listed,
    model::{
        Plot,
        plot::{Around as Drawing, AroundOf, Drawn, Spread},
    },
};

use super::{
    figures::Figures,
    recovery::Slice,
    words::{by_kind, events, median_and_worst, requests},
};

/// From so many milliseconds before the event.
const BEFORE_MS: f64 = 300.0;
/// To so many after it.
const AFTER_MS: f64 = 1_500.0;
/// The parts of the events that the area around a line leaves below it and above.
const AREA: [f64; 2] = [0.1, 0.9];

/// `None` where nothing happened, or rows have slices that are not alike.
pub(super) fn of(kind: ExperimentKind, figures: &[Figures<'_>]) -> Option<Plot> {
    let seen: Vec<&Figures<'_>> = figures.iter().filter(|figures| !figures.events.is_empty()).collect();
    let widths = seen.iter().flat_map(|figures| &figures.events).map(|event| event.slices.width_ns);
    let width_ns =
        widths.clone().next().filter(|&width| width > 0 && widths.clone().all(|it| it == width))?;
    let width_ms = width_ns as f64 / 1e6;
    let slices = [BEFORE_MS, AFTER_MS].map(|ms| (ms / width_ms).round().min(10_000.0) as isize);
    let rows: Vec<AroundOf> = seen.iter().map(|figures| multiple(kind, figures, slices)).collect();
    let is_empty = rows.iter().all(|row| row.rate.iter().all(Option::is_none));
    if rows.is_empty() || is_empty {
        return None;
    }
    let what = match kind {
        ExperimentKind::Crash => "crashes",
        ExperimentKind::Reload => "reloads",
    };
    let said: Vec<String> =
        rows.iter().map(|row| format!("{}, {}: {}", row.label, row.kind, row.said)).collect();
    Some(Plot {
        id: "around".to_owned(),
        title: format!("Around {what}: rate, longest response and failures"),
        description: format!(
            "A multiple each row and kind of event, in slices of {width_ms} ms around the event: the rate of right answers as a part of \
             what was due before, the longest response, each the median over all events within the area from a tenth to nine tenths of \
             them, and what failed in all events together. {}.",
            listed(&said, "and")
        ),
        drawn: Drawn::Around(Drawing { from_ms: -(slices[0] as f64) * width_ms, width_ms, rows }),
    })
}

fn multiple(kind: ExperimentKind, figures: &Figures<'_>, [before, after]: [isize; 2]) -> AroundOf {
    let arounds = figures.arounds();
    let with_due: Vec<_> = arounds.iter().filter_map(|around| Some((around, around.due_before()?))).collect();
    let enough = arounds.len().div_ceil(2).max(1);
    let spread_of = |mut values: Vec<f64>| {
        values.sort_by(f64::total_cmp);
        (values.len() >= enough).then(|| Spread {
            low: quantile(&values, AREA[0]),
            middle: quantile(&values, 0.5),
            high: quantile(&values, AREA[1]),
        })
    };
    let rate = |at: isize| {
        let of = with_due.iter().filter_map(|(around, due)| Some((around.slice(at)?, due)));
        spread_of(of.map(|(slice, due)| f64::from(slice.answered) / due).collect())
    };
    let of_slices = |at: isize| -> Vec<Slice> { arounds.iter().filter_map(|it| it.slice(at)).collect() };
    let longest =
        |at: isize| spread_of(of_slices(at).iter().filter_map(|it| Some(it.longest_us? as f64)).collect());
    let failed = |at: isize| of_slices(at).iter().map(|slice| u64::from(slice.failed)).sum();
    let all = events(figures.events.len(), kind);
    AroundOf {
        label: figures.of.row.name.clone(),
        kind: match kind {
            ExperimentKind::Crash => format!("{}, {all}", figures.kind),
            ExperimentKind::Reload => all,
        },
        said: said(figures),
        rate: (-before..after).map(rate).collect(),
        longest_us: (-before..after).map(longest).collect(),
        failed: (-before..after).map(failed).collect(),
    }
}

/// `3 requests failed (reset 3); the rate is back after 20 ms (median; worst 40 ms)`.
fn said(figures: &Figures<'_>) -> String {
    let how = by_kind(&figures.failed_by_kind);
    let how = if how.is_empty() { String::new() } else { format!(" ({how})") };
    let mut said = format!("{} failed{how}", requests(figures.failed));
    for (what, times) in [("rate", &figures.rate_back), ("latency", &figures.latency_back)] {
        if let Some(times) = median_and_worst(times) {
            said.push_str(&format!("; the {what} is back after {times}"));
        }
    }
    said
}

/// The least of `sorted` that at least a part `q` of it is not above.
fn quantile(sorted: &[f64], q: f64) -> f64 {
    let rank = (q * sorted.len() as f64).ceil() as usize;
    sorted.get(rank.saturating_sub(1)).copied().unwrap_or(f64::NAN)
}
