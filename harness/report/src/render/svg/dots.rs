//! A dot and its interval each row. What is only known from below is hollow, with an arrow to where it may be.

use maud::{Markup, html};
use terminal::numbers::{short, time};

use crate::{
    model::plot::{Dot, Dots, Estimate, Measure},
    render::clean::clean,
};

use super::{
    frame::{Body, LEFT, TOP, WIDTH, across, disc, note, path, rect, text},
    groups,
    path::Path,
    scale::Scale,
    words::cut,
};

/// Where the axis ends, before the places.
const RIGHT: f64 = 690.0;
/// How far an arrow reaches.
const ARROW: f64 = 18.0;
/// As many letters as fit in the place of a dot.
const SAID: usize = 80;

pub(super) fn draw(dots: &Dots) -> Body {
    let scale = scale(dots);
    let show = |value: f64| match dots.measure {
        Measure::Microseconds => time(value),
        Measure::PerSecond | Measure::Bytes => short(value),
    };
    let mark = |dot: &Dot, y: f64| mark(dot, &scale, y);
    let (rows, bottom) = groups::draw(&dots.groups, TOP, |dot| [&dot.label, &dot.said], mark);
    let has_places = dots.groups.iter().flat_map(|group| &group.rows).any(|dot| dot.place.is_some());
    let kind = if dots.is_log { ", logarithmic" } else { "" };
    let marks = html! {
        @if let Some(band) = &dots.band {
            g {
                title { "The band: " (clean(&band.meaning)) }
                (rect("band", [scale.at(band.low), TOP], [scale.at(band.high) - scale.at(band.low), bottom - TOP]))
                (path("bandedge", edges(&scale, [band.low, band.high], [TOP, bottom])))
            }
        }
        (across(&scale, [TOP, bottom], show))
        @if has_places { (text([WIDTH, TOP - 6.0], "e", "place")) }
        (rows)
        (text([LEFT, bottom + 28.0], "s", &format!("{}{kind}", dots.axis)))
        @if let Some(band) = &dots.band { (note(bottom + 43.0, &format!("Band: {}.", band.meaning))) }
    };
    Body { height: bottom + if dots.band.is_some() { 50.0 } else { 35.0 }, marks }
}

fn scale(dots: &Dots) -> Scale {
    let estimates = dots.groups.iter().flat_map(|group| &group.rows).filter_map(|dot| dot.estimate);
    let ends = estimates.flat_map(|it| {
        let [low, high] = it.interval.unwrap_or([it.value; 2]);
        [low, it.value, high]
    });
    let ends = ends.filter(|end| end.is_finite());
    let [low, high] =
        ends.fold([f64::INFINITY, f64::NEG_INFINITY], |[low, high], end| [low.min(end), high.max(end)]);
    let range = if low <= high { [low, high] } else { [0.0, 1.0] };
    match dots.is_log {
        true => Scale::log(range, [LEFT, RIGHT], 8),
        false => Scale::linear(range, [LEFT, RIGHT], 6),
    }
}

fn edges(scale: &Scale, ends: [f64; 2], [top, bottom]: [f64; 2]) -> Path {
    ends.iter().fold(Path::new(), |path, end| path.at(scale.at(*end), top).down(bottom - top))
}

fn mark(dot: &Dot, scale: &Scale, y: f64) -> Markup {
    let Some(estimate) = &dot.estimate else {
        return text([LEFT + 4.0, y + 4.0], "i", &cut(&dot.said, SAID));
    };
    let Estimate { value, is_bound, interval, is_open } = *estimate;
    let at = scale.at(value);
    let end = interval.map_or(at, |[_, high]| scale.at(high));
    let line = interval.map_or_else(Path::new, |[low, _]| {
        let from = scale.at(low);
        Path::new().at(from, y).right(end - from)
    });
    let arrow = match is_bound || is_open {
        true => Path::new().at(end, y).right(ARROW).by(&[[-5.0, -4.0]]).at(end + ARROW, y).by(&[[-5.0, 4.0]]),
        false => Path::new(),
    };
    html! {
        (path("w", line))
        (path("n", arrow))
        (disc([at, y], if is_bound { "o" } else { "m" }))
        @if let Some(place) = &dot.place { (text([WIDTH, y + 4.0], "e", place)) }
    }
}
