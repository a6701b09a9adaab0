//! A bar each row: filled for user time, hollow for time in the kernel, striped where nobody knows.

use maud::{Markup, html};
use terminal::numbers::time;

use crate::model::plot::{Bar, Cpu};

use super::{
    frame::{Body, LEFT, TOP, WIDTH, across, path, rect, text},
    groups,
    path::Path,
    scale::Scale,
};

/// Where the axis ends, before the values.
const RIGHT: f64 = 690.0;
/// How thick a bar is.
const THICK: f64 = 10.0;
/// How far apart the stripes of a bar are.
const STRIPES: f64 = 4.0;

pub(super) fn draw(cpu: &Cpu) -> Body {
    let bars = || cpu.groups.iter().flat_map(|group| &group.rows);
    let most = bars().map(|bar| bar.us).filter(|us| us.is_finite()).fold(0.0, f64::max);
    // From zero: of a bar the length is what is read.
    let scale = Scale::linear([0.0, most], [LEFT, RIGHT], 6);
    let (rows, bottom) =
        groups::draw(&cpu.groups, TOP + 16.0, |bar| [&bar.label, &bar.said], |bar, y| mark(bar, &scale, y));
    let is_split = bars().any(|bar| bar.user_us.is_some());
    let is_whole = bars().any(|bar| bar.user_us.is_none());
    let key = |x: f64, shape: Markup, said: &str| html! { (shape) (text([x + 28.0, TOP + 5.0], "s", said)) };
    let at = |x: f64| [x, TOP - 4.0];
    let marks = html! {
        @if is_split {
            (key(LEFT, rect("bar", at(LEFT), [22.0, THICK]), "user"))
            (key(LEFT + 80.0, rect("hollow", at(LEFT + 80.0), [22.0, THICK]), "system"))
        }
        @if is_whole {
            (key(LEFT + 170.0, striped(at(LEFT + 170.0), [22.0, THICK]), "not told apart"))
        }
        (across(&scale, [TOP + 16.0, bottom], time))
        (rows)
        (text([LEFT, bottom + 28.0], "s", "CPU time of the row's processes for one right answer"))
    };
    Body { height: bottom + 35.0, marks }
}

fn mark(bar: &Bar, scale: &Scale, y: f64) -> Markup {
    let (zero, end) = (scale.at(0.0), scale.at(bar.us));
    let top = y - THICK / 2.0;
    html! {
        @match bar.user_us {
            Some(user) => {
                @let middle = scale.at(user);
                (rect("bar", [zero, top], [middle - zero, THICK]))
                (rect("hollow", [middle, top], [(end - middle).max(0.0), THICK]))
            }
            None => { (striped([zero, top], [end - zero, THICK])) }
        }
        (text([WIDTH, y + 4.0], "e", &time(bar.us)))
    }
}

fn striped([x, y]: [f64; 2], [width, height]: [f64; 2]) -> Markup {
    let stripes = (width / STRIPES).floor().max(0.0) as u32;
    let path_of = |path: Path, at: u32| path.at(x + STRIPES * f64::from(at), y).down(height);
    html! {
        (rect("hollow", [x, y], [width, height]))
        (path("n", (1..=stripes).fold(Path::new(), path_of)))
    }
}
