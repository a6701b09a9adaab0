//! The figure that rows are compared by: a dot and its interval each row, and what chance does to a row and itself.

use race::{plan::scenario::Metric, registry::Tier};
use terminal::numbers::{short, time};

use crate::{
    conclusions::{itself::Itself, named::ranked_figure, notes::is_lower_bound},
    counts::{
        entered::ranked_value,
        value::{End, Value},
    },
    model::plot::{Band, Dot, Dots, Drawn, Estimate, Measure},
    tables::support::instead_of,
};

use super::all::{All, Sketch, range};

/// From this ratio of the greatest to the least on, what is small cannot be read on a linear axis.
const LOG_FROM: f64 = 8.0;

/// `None` where no row has a value.
pub(super) fn of(all: &All<'_>, itself: Option<&Itself>) -> Option<Sketch> {
    let scenario = all.field.scenario;
    let measure = match scenario.rank.by {
        Metric::Throughput => Measure::PerSecond,
        Metric::IdleMemory => Measure::Bytes,
        Metric::P95 | Metric::P99 => Measure::Microseconds,
    };
    let axis = ranked_figure(scenario);
    let figures: Vec<Result<Value, String>> = (0..all.times.len()).map(|row| figure(all, row)).collect();
    let shown = || all.order.iter().filter_map(|&row| figures[row].as_ref().ok());
    let [low, high] =
        range(shown().flat_map(|value| [value.low.value, value.median.value, value.high.value]))?;
    let best = best_controlled(all, &figures);
    let band = best.and_then(|(row, value)| band(all, row, value, itself));
    let groups = all.by_tier(|row| {
        let place = all.place(row);
        let (said, estimate) = match &figures[row] {
            Ok(value) => (in_words(value, measure, place.as_deref()), Some(estimate(value))),
            Err(reason) => (reason.clone(), None),
        };
        let place = place.filter(|_| estimate.is_some());
        Some(Dot { label: all.label(row).to_owned(), said, estimate, place })
    });
    let mut description = vec![format!("{axis} of each row: the median of its starts, with its interval.")];
    if let Some((row, value)) = best {
        let value = in_unit(value, measure);
        description.push(format!("Best of the controlled rows is {}, with {value}.", all.label(row)));
    }
    if let Some([low, high]) = range(shown().map(|value| value.median.value)) {
        description.push(format!(
            "All lie between {} and {}.",
            in_unit(low, measure),
            in_unit(high, measure)
        ));
    }
    match all.order.len() - shown().count() {
        0 => {}
        without => {
            description.push(format!("{without} of {} have none, and it is said why.", all.order.len()));
        }
    }
    description.extend(band.as_ref().map(|band| format!("The band is {}.", band.meaning)));
    let is_log = low > 0.0 && high / low > LOG_FROM;
    let title = format!("{axis}, by row");
    let drawn = Drawn::Dots(Dots { axis, measure, is_log, band, groups });
    Some(Sketch { title, description: description.join(" "), drawn })
}

/// A row's figure, or why there is none to draw.
fn figure(all: &All<'_>, row: usize) -> Result<Value, String> {
    let (scenario, entered) = (all.field.scenario, &all.field.rows[row]);
    let load = &all.field.analysis.loads[row];
    if load.is_overloaded() {
        return Err(load.note().unwrap_or_else(|| "overloaded".to_owned()));
    }
    if entered.line.failed.is_some() {
        return Err("failed: it answered wrongly".to_owned());
    }
    let value = ranked_value(scenario, entered).ok_or_else(|| "nothing of it counts".to_owned())?;
    match scenario.rank.by.percentile() {
        Some(q) => match instead_of(entered.ranked_times(), q, all.field.whole()) {
            Some(instead) => Err(instead),
            None => Ok(value),
        },
        // A lower bound where the generator was the bottleneck in most windows.
        None => {
            let is_bound = is_lower_bound(&entered.line);
            let end = |end: End| End { is_bound, ..end };
            Ok(Value { median: end(value.median), high: end(value.high), ..value })
        }
    }
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
    let end = |end: End| format!("{}{}", if end.is_bound { "> " } else { "" }, in_unit(end.value, measure));
    let interval = match value.is_confident {
        true => format!(" [{}, {}]", end(value.low), end(value.high)),
        false => format!(" (of {} starts)", value.starts),
    };
    let place = place.map_or_else(String::new, |place| format!(", place {place}"));
    format!("{}{interval}{place}", end(value.median))
}

fn in_unit(value: f64, measure: Measure) -> String {
    match measure {
        Measure::Microseconds => time(value),
        Measure::PerSecond => format!("{}/s", short(value)),
        Measure::Bytes => format!("{} B", short(value)),
    }
}

/// The first of the rows whose like the band is about, in an order of which the best is first.
fn best_controlled(all: &All<'_>, figures: &[Result<Value, String>]) -> Option<(usize, f64)> {
    let is_controlled = |row: &&usize| all.line(**row).row.tier == Tier::Controlled;
    let rows = all.order.iter().filter(is_controlled);
    rows.filter_map(|&row| Some((row, figures[row].as_ref().ok()?.median.value))).next()
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
