//! What all pictures have in common: their outermost element, their names, axes and legends.

use std::fmt::Write as _;

use maud::{Markup, PreEscaped, html};

use crate::{model::Plot, render::clean::clean};

use super::{
    path::{Path, number},
    scale::Scale,
    words::cut,
};

/// How wide every picture is, in its own units: those of its text, of which a letter is 11 high.
pub(super) const WIDTH: f64 = 760.0;
/// Where what is drawn begins, beside the names of rows.
pub(super) const LEFT: f64 = 196.0;
/// Where what is drawn begins, below the title.
pub(super) const TOP: f64 = 26.0;
/// As many letters as a line below a picture has room for.
const LINE: usize = 125;
/// As many as the title has.
const TITLE: usize = 90;

/// What is drawn, and how high it is.
pub(super) struct Body {
    pub(super) height: f64,
    pub(super) marks: Markup,
}

/// The whole, with a style of its own where it is no part of a page.
pub(super) fn picture(plot: &Plot, body: &Body, style: Option<&str>) -> Markup {
    let [title, description] = ["t", "d"].map(|part| format!("{}-{part}", plot.id));
    let (width, height) = (number(WIDTH), number(body.height));
    let view = format!("0 0 {width} {height}");
    html! {
        svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox=(view) width=(width) height=(height)
            role="img" aria-labelledby={ (title) " " (description) } {
            title id=(title) { (clean(&plot.title)) }
            desc id=(description) { (clean(&plot.description)) }
            @if let Some(style) = style {
                style { (PreEscaped(style)) }
                (rect("ground", [0.0, 0.0], [WIDTH, body.height]))
            }
            (text([0.0, 13.0], "h", &cut(&plot.title, TITLE)))
            (body.marks)
        }
    }
}

/// Text at a place.
pub(super) fn text([x, y]: [f64; 2], class: &str, text: &str) -> Markup {
    html! { text class=(class) x=(number(x)) y=(number(y)) { (clean(text)) } }
}

/// A path of a class; nothing of an empty one.
pub(super) fn path(class: &str, path: Path) -> Markup {
    if path.is_empty() { PreEscaped(String::new()) } else { empty("path", class, &[("d", path.into_text())]) }
}

/// An element without content. maud gives each an end tag, and of some thousands of them these are a tenth of a picture. Nothing that comes
/// from a record may be in it: names of classes and numbers need no escaping.
fn empty(name: &str, class: &str, attributes: &[(&str, String)]) -> Markup {
    let mut text = format!("<{name} class=\"{class}\"");
    for (name, value) in attributes {
        let _ = write!(text, " {name}=\"{value}\"");
    }
    text.push_str("/>");
    PreEscaped(text)
}

/// A line below a picture, as far as there is room.
pub(super) fn note(y: f64, said: &str) -> Markup {
    text([0.0, y], "s", &cut(said, LINE))
}

/// A horizontal axis: lines from `top` to `bottom`, with their values below.
pub(super) fn across(scale: &Scale, [top, bottom]: [f64; 2], show: impl Fn(f64) -> String) -> Markup {
    let lines =
        scale.ticks().iter().fold(Path::new(), |path, tick| path.at(scale.at(*tick), top).down(bottom - top));
    html! {
        (path("g", lines))
        @for tick in scale.ticks() { (text([scale.at(*tick), bottom + 13.0], "k", &show(*tick))) }
    }
}

/// A vertical axis: lines from `left` to `right`, with their values before them.
pub(super) fn upwards(scale: &Scale, [left, right]: [f64; 2], show: impl Fn(f64) -> String) -> Markup {
    let lines = scale
        .ticks()
        .iter()
        .fold(Path::new(), |path, tick| path.at(left, scale.at(*tick)).right(right - left));
    html! {
        (path("g", lines))
        @for tick in scale.ticks() { (text([left - 5.0, scale.at(*tick) + 4.0], "e", &show(*tick))) }
    }
}

/// A cross around a place.
pub(super) fn cross(path: Path, [x, y]: [f64; 2], size: f64) -> Path {
    let half = size / 2.0;
    path.at(x - half, y - half).by(&[[size, size]]).at(x - half, y + half).by(&[[size, -size]])
}

/// A disc around a place.
pub(super) fn disc([x, y]: [f64; 2], class: &str) -> Markup {
    empty("circle", class, &[("cx", number(x)), ("cy", number(y)), ("r", "3.5".to_owned())])
}

/// A box.
pub(super) fn rect(class: &str, [x, y]: [f64; 2], [width, height]: [f64; 2]) -> Markup {
    let [x, y, width, height] = [x, y, width, height].map(number);
    empty("rect", class, &[("x", x), ("y", y), ("width", width), ("height", height)])
}
