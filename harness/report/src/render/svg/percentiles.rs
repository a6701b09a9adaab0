//! A line each row. Colour, dashes and the shape at a line's end tell rows apart, each of its own, and the name stands beside it.

use maud::{Markup, html};
use terminal::numbers::time;

use crate::{
    model::plot::{Line, Percentiles},
    render::clean::clean,
};

use super::{
    frame::{Body, TOP, across, note, path, text, upwards},
    path::Path,
    scale::{Scale, percent},
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

/// As many colours as are told apart with any eyes.
pub(super) const COLOURS: usize = 6;
/// As many ways to dash a line.
pub(super) const DASHES: usize = 5;
/// As many shapes.
pub(super) const SHAPES: usize = 6;

pub(super) fn draw(percentiles: &Percentiles) -> Body {
    let lines = &percentiles.lines;
    let height = LEAST.max(ROW * lines.len() as f64);
    let bottom = TOP + height;
    let points = || lines.iter().flat_map(|line| &line.points);
    let most = points().map(|point| point.nines).fold(1.0, f64::max);
    let range = points()
        .map(|point| point.us)
        .fold([f64::INFINITY, 0.0], |[low, high], us| [low.min(us), high.max(us)]);
    let x = Scale::nines(most, [LEFT, RIGHT]);
    let y = Scale::log([range[0].min(range[1]), range[1]], [bottom, TOP], 9);
    let ends: Vec<[f64; 2]> = lines.iter().map(|line| end_of(line, &x, &y)).collect();
    let names =
        apart(&ends.iter().map(|end| end[1]).collect::<Vec<_>>(), [TOP + ROW / 2.0, bottom - ROW / 2.0]);
    let marks = html! {
        (across(&x, [TOP, bottom], percent))
        (upwards(&y, [LEFT, RIGHT], time))
        @for ((one, end), name) in lines.iter().zip(&ends).zip(&names) { (line(one, [&x, &y], *end, *name)) }
        (text([LEFT, bottom + 28.0], "s", "percentile, by its nines; time upwards, logarithmic"))
        @if let Some(said) = &percentiles.note { (note(bottom + 43.0, said)) }
    };
    Body { height: bottom + if percentiles.note.is_some() { 50.0 } else { 35.0 }, marks }
}

fn end_of(line: &Line, x: &Scale, y: &Scale) -> [f64; 2] {
    line.points.last().map_or([LEFT, TOP], |point| [x.at(point.nines), y.at(point.us)].map(f64::round))
}

fn line(line: &Line, [x, y]: [&Scale; 2], end: [f64; 2], name_y: f64) -> Markup {
    let Line { style, .. } = *line;
    let shape = (style + style / COLOURS) % SHAPES;
    let class = format!("c{} d{}", style % COLOURS, (style / COLOURS) % DASHES);
    // Whole numbers along the axis, which are shorter and no less to be seen.
    let places = line.points.iter().map(|point| [x.at(point.nines).round(), y.at(point.us)]);
    let places: Vec<[f64; 2]> = places.collect();
    let middle = SAMPLE + SAMPLE_LENGTH / 2.0;
    let leader = Path::new().through(&[[end[0] + 5.0, end[1]], [SAMPLE - 3.0, name_y]]);
    // What comes next is longer than this, and nobody knows how much.
    let arrow = match line.is_open {
        true => Path::new()
            .at(end[0], end[1] - 4.0)
            .down(-12.0)
            .by(&[[-3.0, 4.0]])
            .at(end[0], end[1] - 16.0)
            .by(&[[3.0, 4.0]]),
        false => Path::new(),
    };
    let shapes = marker(marker(Path::new(), end, shape), [middle, name_y], shape);
    html! {
        g class=(class) {
            title { (isolated(&line.label)) ": " (clean(&line.said)) }
            (path("r", leader))
            (path("l", Path::new().through(&places).at(SAMPLE, name_y).right(SAMPLE_LENGTH)))
            (path("q", shapes))
            (path("n", arrow))
            (text([SAMPLE + SAMPLE_LENGTH + 5.0, name_y + 4.0], "", &shortened(&line.label)))
        }
    }
}

/// A shape around a place, by its number.
pub(super) fn marker(path: Path, [x, y]: [f64; 2], shape: usize) -> Path {
    match shape {
        0 => path.at(x - 3.0, y - 3.0).right(6.0).down(6.0).right(-6.0).closed(),
        1 => path.at(x, y - 4.0).by(&[[4.0, 7.0], [-8.0, 0.0]]).closed(),
        2 => path.at(x, y - 4.0).by(&[[4.0, 4.0], [-4.0, 4.0], [-4.0, -4.0]]).closed(),
        3 => path.at(x, y + 4.0).by(&[[4.0, -7.0], [-8.0, 0.0]]).closed(),
        4 => path.at(x - 1.0, y - 4.0).right(2.0).down(8.0).right(-2.0).closed(),
        _ => path.at(x - 4.0, y - 1.0).right(8.0).down(2.0).right(-8.0).closed(),
    }
}

/// Where names stand so that none covers another, each as near to its line's end as the others let it.
pub(super) fn apart(wanted: &[f64], [top, bottom]: [f64; 2]) -> Vec<f64> {
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|&a, &b| wanted[a].total_cmp(&wanted[b]).then(a.cmp(&b)));
    let mut places = vec![0.0; wanted.len()];
    let mut least = top;
    for &row in &order {
        places[row] = wanted[row].max(least);
        least = places[row] + ROW;
    }
    let mut most = bottom;
    for &row in order.iter().rev() {
        places[row] = places[row].min(most);
        most = places[row] - ROW;
    }
    places
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_are_apart_and_in_the_order_of_their_lines() {
        let ends = [0.0, 100.0, 100.0, 99.0, 260.0, 300.0];
        let places = apart(&ends, [0.0, 260.0]);
        let mut sorted = places.clone();
        sorted.sort_by(f64::total_cmp);
        assert!(sorted.windows(2).all(|two| two[1] - two[0] >= ROW - 1e-9), "{places:?}");
        assert!(places.iter().all(|place| (0.0..=260.0).contains(place)), "{places:?}");
        assert!(places[3] < places[1] && places[1] < places[2], "{places:?}");
        assert!(apart(&[], [0.0, 1.0]).is_empty());
    }

    #[test]
    fn thirty_rows_have_each_a_colour_and_dashes_that_no_other_has() {
        let pairs: BTreeSet<(usize, usize)> =
            (0..30).map(|style| (style % COLOURS, (style / COLOURS) % DASHES)).collect();
        assert_eq!(pairs.len(), 30);
    }
}
