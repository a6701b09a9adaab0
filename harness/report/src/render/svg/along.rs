//! Rates and latencies along the run: two strips of marks each row, discs for rates and dashes for latencies.

use maud::html;
use terminal::numbers::{short, time};

use crate::model::plot::{Along, OfRow, Pair};

use super::{
    frame::{Body, LEFT, cross, note, path, text},
    path::Path,
    scale::Scale,
    strips::{BELOW, Layout, SCALE_EVERY, all, lines, notes, strip},
};

/// How high the strip of rates is.
const RATES: f64 = 16.0;
/// How high that of latencies is.
const LATENCIES: f64 = 24.0;
/// What is between the two.
const GAP: f64 = 4.0;
const HEIGHT: f64 = RATES + GAP + LATENCIES;
/// How far rows are apart.
const BETWEEN: f64 = 8.0;
/// Rates beyond these parts of the median are at the edge of their strip: what is near one is what must be seen.
const RATES_SHOWN: [f64; 2] = [0.5, 1.5];

pub(super) fn draw(along: &Along) -> Body {
    let layout = Layout::of(&along.starts);
    let [rates, latencies] = scales(along);
    let apart = HEIGHT + BETWEEN;
    let mut strips = Vec::new();
    for (at, row) in along.rows.iter().enumerate() {
        let [discs, dashes, crosses] = marks(&layout, row, [&rates, &latencies]);
        let x = layout.end() + 4.0;
        let ends = [rates.ticks(), latencies.ticks()].map(|ticks| [ticks.first(), ticks.last()]);
        let marks = html! {
            (path("p", discs))
            (path("y", dashes))
            (path("n", crosses))
            @if let ([Some(low), Some(high)], true) = (ends[0], at % SCALE_EVERY == 0) {
                (text([x, 7.0], "s", &format!("{} to {}", short(*low), short(*high))))
            }
            @if let ([Some(low), Some(high)], true) = (ends[1], at % SCALE_EVERY == 0) {
                (text([x, RATES + GAP + 8.0], "s", &time(*high)))
                (text([x, HEIGHT], "s", &time(*low)))
            }
        };
        strips.push(strip(&layout, row, BELOW + apart * at as f64, HEIGHT, &marks));
    }
    let y = BELOW + apart * strips.len() as f64;
    let rate = "rate, as a part of the row's median (the line)";
    let latency = format!("{}, logarithmic", along.percentile);
    let marks = html! {
        (layout.numbers())
        (lines(&layout, strips.len(), rates.at(1.0), apart))
        (lines(&layout, strips.len(), HEIGHT, apart))
        (all(&strips, HEIGHT))
        (path("n", cross(Path::new(), [LEFT - 100.0, y + 6.0], 5.0)))
        (text([LEFT - 92.0, y + 10.0], "s", "does not count"))
        (path("p", Path::new().at(LEFT + 5.0, y + 6.0).right(0.0)))
        (text([LEFT + 17.0, y + 10.0], "s", rate))
        (path("y", Path::new().at(LEFT + 278.0, y + 6.0).right(6.0)))
        (text([LEFT + 292.0, y + 10.0], "s", &latency))
        @if let Some(said) = notes(&along.rows) { (note(y + 32.0, &said)) }
    };
    Body { height: y + 38.0, marks }
}

/// The same for all rows, so that one is seen beside the other. What is known of a row beside its name may be that it was overloaded: where
/// others are not, it is at the edge of their scale.
fn scales(along: &Along) -> [Scale; 2] {
    let is_plain = |row: &&OfRow<Pair>| row.note.is_none() || along.rows.iter().all(|row| row.note.is_some());
    let pairs =
        || along.rows.iter().filter(is_plain).flat_map(|row| &row.starts).flat_map(|start| &start.windows);
    let [least, most] = RATES_SHOWN;
    let rates = pairs().filter_map(|pair| pair.rate).map(|rate| rate.clamp(least, most));
    let [low, high] =
        rates.fold([0.95, 1.05], |[low, high], rate| [f64::min(low, rate), f64::max(high, rate)]);
    let times = pairs().filter_map(|pair| pair.us).filter(|us| us.is_finite());
    let range = times.fold([f64::INFINITY, 0.0], |[low, high], us| [low.min(us), high.max(us)]);
    [
        Scale::linear([low, high], [RATES - 2.0, 2.0], 4),
        Scale::log([range[0].min(range[1]), range[1]], [HEIGHT - 2.0, RATES + GAP + 2.0], 9),
    ]
}

/// Discs, dashes, and the crosses of windows that do not count.
fn marks(layout: &Layout, row: &OfRow<Pair>, [rates, latencies]: [&Scale; 2]) -> [Path; 3] {
    let (mut discs, mut dashes, mut crosses) = (Path::new(), Path::new(), Path::new());
    let dash = (layout.width - 2.0).clamp(1.0, 6.0).round();
    for (start, of_start) in row.starts.iter().enumerate() {
        for (window, pair) in of_start.windows.iter().enumerate() {
            let x = layout.middle(layout.column(start, window));
            let rate = pair.rate.map(|rate| rates.at(rate).round());
            let latency = pair.us.map(|us| latencies.at(us).round());
            if pair.counts {
                discs = rate.into_iter().fold(discs, |path, y| path.at(x, y).right(0.0));
                dashes = latency.into_iter().fold(dashes, |path, y| path.at(x - dash / 2.0, y).right(dash));
            } else {
                // Of a window without figures, at the foot of either strip.
                let places = [rate.unwrap_or(RATES - 2.0), latency.unwrap_or(HEIGHT - 2.0)];
                crosses =
                    places.into_iter().fold(crosses, |path, y| cross(path, [x, y], layout.width.min(4.0)));
            }
        }
    }
    [discs, dashes, crosses]
}
