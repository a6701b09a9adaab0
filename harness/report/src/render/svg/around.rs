//! A small multiple each row and kind of event: rate, longest response and failures, aligned by the event.
//!
//! A line is the median over all events, slice by slice; the area around it holds from a tenth to nine tenths of them.

use maud::{Markup, html};
use terminal::numbers::{short, thousands, time};

use crate::{
    model::plot::{Around, AroundOf, Spread},
    render::clean::clean,
};

use super::{
    frame::{Body, LEFT, TOP, WIDTH, path, rect, text},
    path::Path,
    scale::Scale,
    words::{cut, isolated, shortened},
};

/// Where slices end, before their scales.
const RIGHT: f64 = WIDTH - 64.0;
/// How high the strip of rates is.
const RATES: f64 = 36.0;
/// How high that of the longest responses is.
const LONGEST: f64 = 36.0;
/// How high that of failures is.
const FAILED: f64 = 14.0;
/// What is between two strips.
const GAP: f64 = 5.0;
const HEIGHT: f64 = RATES + GAP + LONGEST + GAP + FAILED;
/// How far multiples are apart.
const BETWEEN: f64 = 16.0;
/// As many letters as have room below a row's name.
const KIND: usize = 32;
/// A rate above this part of what is due is at the edge: what was late comes all at once.
const MOST_RATE: f64 = 1.5;
/// How far apart the times are that are marked, milliseconds.
const EVERY_MS: f64 = 300.0;

pub(super) fn draw(around: &Around) -> Body {
    let scales = Scales::of(around);
    let multiples = around.rows.iter().enumerate().map(|(at, of)| {
        let top = TOP + (HEIGHT + BETWEEN) * at as f64;
        html! { g transform={ "translate(0 " (super::path::number(top)) ")" } { (multiple(of, &scales)) } }
    });
    let multiples: Vec<Markup> = multiples.collect();
    let bottom = TOP + (HEIGHT + BETWEEN) * around.rows.len() as f64 - BETWEEN;
    let times = scales.times();
    let lines = times.iter().fold(Path::new(), |path, ms| path.at(scales.x(*ms), TOP).down(bottom - TOP));
    let event = Path::new().at(scales.x(0.0), TOP).down(bottom - TOP);
    let marks = html! {
        (path("g", lines))
        @for multiple in &multiples { (multiple) }
        // Over what happens in its slice.
        g { title { "The event" } (path("bandedge", event)) }
        @for ms in &times { (text([scales.x(*ms), bottom + 13.0], "k", &seconds(*ms))) }
        (legend(bottom + 24.0, !scales.failed_most.eq(&0)))
    };
    Body { height: bottom + 44.0, marks }
}

/// `0.3 s`.
fn seconds(ms: f64) -> String {
    if ms == 0.0 { "event".to_owned() } else { format!("{} s", short(ms / 1000.0)) }
}

/// The same for all multiples, so that one is seen beside the other.
struct Scales {
    from_ms: f64,
    width_ms: f64,
    slices: usize,
    rates: Scale,
    longest: Scale,
    failed: Scale,
    /// The most that failed in any slice.
    failed_most: u64,
}

impl Scales {
    fn of(around: &Around) -> Self {
        let rows = || around.rows.iter();
        let slices = rows().flat_map(|of| [of.rate.len(), of.longest_us.len(), of.failed.len()]).max();
        let spreads = rows().flat_map(|of| of.longest_us.iter().flatten());
        let ends = spreads.flat_map(|spread| [spread.low, spread.high]).filter(|us| us.is_finite());
        let [low, high] = ends.fold([f64::INFINITY, 0.0], |[low, high], us| [low.min(us), high.max(us)]);
        let failed_most = rows().flat_map(|of| of.failed.iter().copied()).max().unwrap_or(0);
        let longest_from = RATES + GAP;
        let failed_from = longest_from + LONGEST + GAP;
        let or = |value: f64, otherwise: f64| if value.is_finite() { value } else { otherwise };
        Self {
            from_ms: or(around.from_ms, 0.0),
            width_ms: or(around.width_ms, 1.0),
            slices: slices.unwrap_or(0),
            rates: Scale::linear([0.0, MOST_RATE], [RATES, 0.0], 3),
            longest: Scale::log([low.min(high), high], [longest_from + LONGEST, longest_from], 6),
            // One is seen beside a thousand: a bar's foot is half of one.
            failed: Scale::log([0.5, (failed_most as f64).max(1.0)], [failed_from + FAILED, failed_from], 4),
            failed_most,
        }
    }

    /// Where a time is.
    fn x(&self, ms: f64) -> f64 {
        let whole = (self.width_ms * self.slices as f64).max(f64::MIN_POSITIVE);
        LEFT + (RIGHT - LEFT) * ((ms - self.from_ms) / whole).clamp(0.0, 1.0)
    }

    /// Where the middle of a slice is; in whole numbers, which are shorter.
    fn middle(&self, slice: usize) -> f64 {
        self.x(self.from_ms + (slice as f64 + 0.5) * self.width_ms).round()
    }

    /// The times to mark: the event's, and others around it.
    fn times(&self) -> Vec<f64> {
        let end = self.from_ms + self.width_ms * self.slices as f64;
        let [first, last] =
            [(self.from_ms / EVERY_MS).ceil(), (end / EVERY_MS).floor()].map(|at| at.clamp(-20.0, 20.0));
        (first as i64..=last as i64).map(|at| at as f64 * EVERY_MS).collect()
    }
}

fn multiple(of: &AroundOf, scales: &Scales) -> Markup {
    let feet = [RATES, RATES + GAP + LONGEST, HEIGHT];
    let ground = feet.iter().fold(Path::new(), |path, foot| path.at(LEFT, *foot).right(RIGHT - LEFT));
    let whole = Path::new().at(LEFT, scales.rates.at(1.0)).right(RIGHT - LEFT);
    let [least, most] = [scales.longest.ticks().first(), scales.longest.ticks().last()];
    let x = RIGHT + 4.0;
    html! {
        title { (isolated(&of.label)) ", " (clean(&of.kind)) ": " (clean(&of.said)) }
        (path("g", ground))
        (path("g", whole))
        (text([LEFT - 8.0, 12.0], "e", &shortened(&of.label)))
        (text([LEFT - 8.0, 25.0], "e s", &cut(&of.kind, KIND)))
        g class="c0" { (spread(&of.rate, scales, &scales.rates)) }
        g class="c1" { (spread(&of.longest_us, scales, &scales.longest)) }
        (path("n w", bars(&of.failed, scales)))
        (text([x, scales.rates.at(1.0) + 3.0], "s", "all due"))
        @if let (Some(least), Some(most)) = (least, most) {
            (text([x, RATES + GAP + 8.0], "s", &time(*most)))
            (text([x, RATES + GAP + LONGEST], "s", &time(*least)))
        }
        @if scales.failed_most > 0 { (text([x, HEIGHT], "s", &format!("to {}", thousands(scales.failed_most as f64)))) }
    }
}

/// A median and the area around it, in as many parts as there are stretches of slices that have one.
fn spread(slices: &[Option<Spread>], scales: &Scales, scale: &Scale) -> Markup {
    let (mut area, mut line) = (Path::new(), Path::new());
    let mut from = 0;
    for stretch in slices.chunk_by(|a, b| a.is_some() == b.is_some()) {
        let spreads = stretch.iter().flatten().enumerate();
        let places = |of: fn(&Spread) -> f64| -> Vec<[f64; 2]> {
            let place = |(at, spread): (usize, &Spread)| [scales.middle(from + at), scale.at(of(spread))];
            spreads.clone().map(place).collect()
        };
        match corners(places(|spread| spread.middle)).as_slice() {
            [[x, y]] => line = line.at(*x, *y).right(0.0),
            corners => line = line.through(corners),
        }
        let mut around = corners(places(|spread| spread.high));
        around.extend(corners(places(|spread| spread.low)).into_iter().rev());
        if around.len() > 2 {
            area = area.through(&around).closed();
        }
        from += stretch.len();
    }
    html! { (faint(&path("q", area))) (path("l", line)) }
}

/// What is filled, so that lines are seen through it. By attributes of its own: the sheet of styles is in every picture, and this in few.
fn faint(marks: &Markup) -> Markup {
    html! { g fill-opacity=".25" stroke-opacity="0" { (marks) } }
}

/// The places at which a line turns: what lies between two others at the same height is drawn without it.
fn corners(places: Vec<[f64; 2]>) -> Vec<[f64; 2]> {
    let height = |at: usize| (places[at][1] * 10.0).round();
    let is_corner = |at: usize| {
        at == 0 || at + 1 == places.len() || height(at - 1) != height(at) || height(at + 1) != height(at)
    };
    (0..places.len()).filter(|&at| is_corner(at)).map(|at| places[at]).collect()
}

/// A bar for each slice in which anything failed.
fn bars(failed: &[u64], scales: &Scales) -> Path {
    let slices = failed.iter().enumerate().filter(|(_, failed)| **failed > 0);
    slices.fold(Path::new(), |path, (at, failed)| {
        let top = scales.failed.at(*failed as f64);
        path.at(scales.middle(at), top).down(HEIGHT - top)
    })
}

/// What the strips are.
fn legend(y: f64, has_failures: bool) -> Markup {
    let failures = match has_failures {
        true => "failures of all events, logarithmic",
        false => "failures: none",
    };
    let strips = [("c0", "rate, of what is due"), ("c1", "longest response, logarithmic")];
    html! {
        @for (at, (class, said)) in strips.into_iter().enumerate() {
            @let x = LEFT + 150.0 * at as f64;
            g class=(class) {
                title { (said) }
                (faint(&rect("m", [x, y], [14.0, 10.0])))
                (path("l", Path::new().at(x, y + 5.0).right(14.0)))
            }
            (text([x + 19.0, y + 9.0], "s", said))
        }
        (path("n w", Path::new().at(LEFT + 340.0, y).down(10.0)))
        (text([LEFT + 346.0, y + 9.0], "s", failures))
        (text([0.0, y + 9.0], "s", "line: median; area: 10% to 90%"))
    }
}
