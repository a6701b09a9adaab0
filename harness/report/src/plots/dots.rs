//! The figure that rows are compared by: a dot and its interval each row, and what chance does to a row and itself.

use race::{
    plan::scenario::Metric,
    records::window::Verdict,
    registry::Tier,
};
use stats::{Direction, exceedances::Support};
use terminal::numbers::{short, time};

use crate::{
    conclusions::{analysis::direction, itself::Itself},
    counts::{
        compared::{Figure, ranked, throughput},
        entered::{Entered, merged},
        kept::Which,
        value::{End, Value},
    },
    model::plot::{Band, Dot, Dots, Drawn, Estimate, Measure},
};

use super::all::{All, Sketch, range};

/// From this ratio of the greatest to the least on, what is small cannot be read on a linear axis.
const LOG_FROM: f64 = 8.0;

/// `None` where no row has a value.
pub(super) fn of(all: &All<'_>, itself: Option<&Itself>) -> Option<Sketch> {
    let (name, measure) = match all.scenario.rank.by {
        Metric::Throughput => ("requests/s".to_owned(), Measure::PerSecond),
        Metric::P95 | Metric::P99 => (all.percentile_name(), Measure::Microseconds),
    };
    let axis = format!("{name}{}", all.of_stream());
    let figures: Vec<Result<Value, String>> = (0..all.rows.len()).map(|row| figure(all, row)).collect();
    let values = || figures.iter().flatten();
    let ends = values().flat_map(|value| [value.low.value, value.median.value, value.high.value]);
    let [low, high] = range(ends)?;
    let best = best_controlled(all, &figures);
    let band = best.and_then(|(row, value)| band(all, row, value, itself));
    let dot = |(row, figure): (usize, &Result<Value, String>)| {
        let place = all.place(row);
        let (said, estimate) = match figure {
            Ok(value) => (in_words(value, measure, place.as_deref()), Some(estimate(value))),
            Err(reason) => (reason.clone(), None),
        };
        let place = place.filter(|_| estimate.is_some());
        (row, Dot { label: all.label(row).to_owned(), said, estimate, place })
    };
    let groups = all.by_tier(figures.iter().enumerate().map(dot));
    let description = description(all, &axis, measure, &figures, band.as_ref());
    let is_log = low > 0.0 && high / low > LOG_FROM;
    let drawn = Drawn::Dots(Dots { axis: axis.clone(), measure, is_log, band, groups });
    Some(Sketch { title: format!("{axis}, by row"), description, drawn })
}

/// A row's figure, or why there is none to draw.
fn figure(all: &All<'_>, row: usize) -> Result<Value, String> {
    let entered = &all.rows[row];
    let load = &all.analysis.loads[row];
    if load.is_overloaded() {
        return Err(load.note().unwrap_or_else(|| "overloaded".to_owned()));
    }
    if entered.line.failed.is_some() {
        return Err("failed".to_owned());
    }
    let value = match ranked(all.scenario) {
        Figure::Percentile(q) => {
            let times = entered.ranked_times();
            match times.support(q) {
                Support::Needs { .. } => return Err(format!("too little behind its {}", all.percentile_name())),
                Support::Enough | Support::Nothing => times.tail(q).and_then(merged).map(Value::from),
            }
        }
        _ => throughput_of(entered, &all.scenario.rank.stream),
    };
    value.ok_or_else(|| "nothing counts".to_owned())
}

/// It is a lower bound where the generator was the bottleneck in most windows.
fn throughput_of(entered: &Entered<'_>, stream: &str) -> Option<Value> {
    let value = Value::of_windows(&throughput(&entered.line, stream, Which::Gated))?;
    let is_bound = |verdict: &Verdict| matches!(verdict, Verdict::Valid { generator_bound: true });
    let (mut bound, mut all) = (0, 0);
    for window in entered.line.windows() {
        all += 1;
        bound += usize::from(is_bound(&window.record.verdict));
    }
    let end = |end: End| End { is_bound: 2 * bound > all, ..end };
    Some(Value { median: end(value.median), high: end(value.high), ..value })
}

fn estimate(value: &Value) -> Estimate {
    Estimate {
        value: value.median.value,
        is_bound: value.median.is_bound,
        interval: value.is_confident.then_some([value.low.value, value.high.value]),
        is_open: value.high.is_bound,
    }
}

fn in_words(value: &Value, measure: Measure, place: Option<&str>) -> String {
    let end = |end: End| format!("{}{}", if end.is_bound { "> " } else { "" }, shown(end.value, measure));
    let interval = match value.is_confident {
        true => format!(" [{}, {}]", end(value.low), end(value.high)),
        false => format!(" (of {} starts)", value.starts),
    };
    let place = place.map_or_else(String::new, |place| format!(", place {place}"));
    format!("{}{interval}{place}", end(value.median))
}

fn shown(value: f64, measure: Measure) -> String {
    match measure {
        Measure::Microseconds => time(value),
        Measure::PerSecond => format!("{}/s", short(value)),
    }
}

/// The row that the band is drawn around: the best of those whose twin it is about.
fn best_controlled(all: &All<'_>, figures: &[Result<Value, String>]) -> Option<(usize, f64)> {
    let is_asked = |row: &usize| {
        let line = &all.rows[*row].line;
        line.row.tier == Tier::Controlled && !line.twin
    };
    let rows = (0..figures.len()).filter(is_asked);
    let values = rows.filter_map(|row| Some((row, figures[row].as_ref().ok()?.median.value)));
    match direction(all.scenario) {
        Direction::HigherIsBetter => values.max_by(|(_, a), (_, b)| a.total_cmp(b)),
        Direction::LowerIsBetter => values.min_by(|(_, a), (_, b)| a.total_cmp(b)),
    }
}

fn band(all: &All<'_>, row: usize, value: f64, itself: Option<&Itself>) -> Option<Band> {
    let ratio = itself?.ranked.as_ref()?.once_in_twenty;
    (ratio.is_finite() && ratio > 1.0 && value > 0.0).then(|| Band {
        low: value / ratio,
        high: value * ratio,
        meaning: format!(
            "what chance does to a row and itself: a ratio of {ratio:.3}, beyond it once in twenty; drawn around {}",
            all.label(row)
        ),
    })
}

fn description(
    all: &All<'_>,
    axis: &str,
    measure: Measure,
    figures: &[Result<Value, String>],
    band: Option<&Band>,
) -> String {
    let mut said = vec![format!("{axis} of each row, the median of its starts with its interval.")];
    if let Some((row, value)) = best_controlled(all, figures) {
        said.push(format!("Best of the controlled rows is {}, {}.", all.label(row), shown(value, measure)));
    }
    if let Some([low, high]) = range(figures.iter().flatten().map(|value| value.median.value)) {
        said.push(format!("Rows lie between {} and {}.", shown(low, measure), shown(high, measure)));
    }
    let without = figures.iter().filter(|figure| figure.is_err()).count();
    if without > 0 {
        said.push(format!("Without a value, and why stands in its place: {without} of {}.", figures.len()));
    }
    said.extend(band.map(|band| format!("The band is {}.", band.meaning)));
    said.join(" ")
}
