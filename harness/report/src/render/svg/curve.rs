//! Latency against throughput: a line each row, with an interval at each of its steps, and what latency is to be below.

use maud::{Markup, html};
use terminal::numbers::{short, time};

use crate::{
    model::plot::{Curve, CurveOf},
    render::clean::clean,
};

use super::{
    frame::{Body, TOP, across, path, text, upwards},
    path::Path,
    percentiles::{COLOURS, DASHES, SHAPES, apart, marker},
    scale::Scale,
    words::{isolated, shortened},
};

const LEFT: f64 = 52.0;
/// Where lines end at the latest.
const RIGHT: f64 = 536.0;
/// Where a sample of each line begins, beside its name.
const SAMPLE: f64 = 552.0;
/// How long that is.
const SAMPLE_LENGTH: f64 = 26.0;
/// How far names are apart.
const ROW: f64 = 14.0;
/// The least height.
const LEAST: f64 = 250.0;

pub(super) fn draw(curve: &Curve) -> Body {
    let lines = &curve.lines;
    let height = LEAST.max(ROW * lines.len() as f64);
    let bottom = TOP + height;
    let points = || lines.iter().flat_map(|line| &line.points);
    let rates = range(points().map(|point| point.per_second));
    let times = points().flat_map(|point| {
        let [low, high] = point.us.interval.unwrap_or([point.us.value; 2]);
        [low, point.us.value, high]
    });
    let x = Scale::log(rates, [LEFT, RIGHT], 9);
    let y = Scale::log(range(times.chain(curve.objective_us)), [bottom, TOP], 9);
    let ends: Vec<[f64; 2]> = lines.iter().map(|line| end_of(line, &x, &y)).collect();
    let names =
        apart(&ends.iter().map(|end| end[1]).collect::<Vec<_>>(), [TOP + ROW / 2.0, bottom - ROW / 2.0]);
    let axis = format!("right answers a second; {} upwards; both logarithmic", curve.percentile);
    let marks = html! {
        (across(&x, [TOP, bottom], short))
        (upwards(&y, [LEFT, RIGHT], time))
        @if let Some(us) = curve.objective_us.filter(|us| us.is_finite()) {
            g {
                title { "The objective: below " (time(us)) }
                (path("bandedge", Path::new().at(LEFT, y.at(us)).right(RIGHT - LEFT)))
            }
        }
        @for ((one, end), name) in lines.iter().zip(&ends).zip(&names) { (line(one, [&x, &y], *end, *name)) }
        (text([LEFT, bottom + 28.0], "s", &axis))
    };
    Body { height: bottom + 35.0, marks }
}

/// From the least to the greatest that is a number.
fn range(values: impl Iterator<Item = f64>) -> [f64; 2] {
    let sound = values.filter(|value| value.is_finite());
    let [low, high] = sound
        .fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], value| [low.min(value), high.max(value)]);
    if low <= high { [low, high] } else { [1.0, 10.0] }
}

fn end_of(line: &CurveOf, x: &Scale, y: &Scale) -> [f64; 2] {
    line.points
        .last()
        .map_or([LEFT, TOP], |point| [x.at(point.per_second), y.at(point.us.value)].map(f64::round))
}

fn line(line: &CurveOf, [x, y]: [&Scale; 2], end: [f64; 2], name_y: f64) -> Markup {
    let CurveOf { style, .. } = *line;
    let shape = (style + style / COLOURS) % SHAPES;
    let class = format!("c{} d{}", style % COLOURS, (style / COLOURS) % DASHES);
    let places: Vec<[f64; 2]> =
        line.points.iter().map(|point| [x.at(point.per_second), y.at(point.us.value)]).collect();
    let middle = SAMPLE + SAMPLE_LENGTH / 2.0;
    let leader = Path::new().through(&[[end[0] + 5.0, end[1]], [SAMPLE - 3.0, name_y]]);
    let intervals = line.points.iter().fold(Path::new(), |path, point| match point.us.interval {
        Some([low, high]) => {
            let (at, low, high) = (x.at(point.per_second), y.at(low), y.at(high));
            path.at(at, high).down(low - high)
        }
        None => path,
    });
    // At the next step it has no percentile: it was overloaded.
    let arrow = match line.is_open && !line.points.is_empty() {
        true => Path::new()
            .at(end[0], end[1] - 4.0)
            .down(-12.0)
            .by(&[[-3.0, 4.0]])
            .at(end[0], end[1] - 16.0)
            .by(&[[3.0, 4.0]]),
        false => Path::new(),
    };
    let shapes =
        places.iter().fold(marker(Path::new(), [middle, name_y], shape), |path, &at| marker(path, at, shape));
    html! {
        g class=(class) {
            title { (isolated(&line.label)) ": " (clean(&line.said)) }
            (path("r", leader))
            (path("w", intervals))
            (path("l", Path::new().through(&places).at(SAMPLE, name_y).right(SAMPLE_LENGTH)))
            (path("q", shapes))
            (path("n", arrow))
            (text([SAMPLE + SAMPLE_LENGTH + 5.0, name_y + 4.0], "", &shortened(&line.label)))
        }
    }
}
