//! Rows one below the other, in groups with headings.

use maud::{Markup, html};

use crate::{model::plot::Group, render::clean::clean};

use super::{
    frame::{LEFT, text},
    words::{isolated, shortened},
};

/// How high a row is.
const ROW: f64 = 18.0;
/// How high a heading is.
const HEADING: f64 = 19.0;

/// Each row's name and what `mark` draws at its height; and where it ends.
pub(super) fn draw<T>(
    groups: &[Group<T>],
    top: f64,
    name_and_words: impl Fn(&T) -> [&String; 2],
    mark: impl Fn(&T, f64) -> Markup,
) -> (Markup, f64) {
    let mut y = top;
    let mut all = Vec::new();
    for group in groups {
        // One group alone needs no name.
        if groups.len() > 1 {
            all.push(text([0.0, y + 13.0], "b", &group.heading));
            y += HEADING;
        }
        for row in &group.rows {
            let [name, said] = name_and_words(row);
            let middle = y + ROW / 2.0;
            all.push(html! {
                g {
                    title { (isolated(name)) ": " (clean(said)) }
                    (text([LEFT - 8.0, middle + 4.0], "e", &shortened(name)))
                    (mark(row, middle))
                }
            });
            y += ROW;
        }
    }
    (html! { @for part in &all { (part) } }, y)
}
