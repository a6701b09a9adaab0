//! A strip each row along the run: its name, its windows in columns with the starts apart, and what each start comes to.

use maud::{Markup, html};

use crate::{
    model::plot::{Columns, OfRow},
    render::clean::clean,
};

use super::{
    frame::{LEFT, TOP, WIDTH, path, text},
    path::{Path, number},
    words::{isolated, shortened},
};

/// Where strips end, before their scale.
const RIGHT: f64 = WIDTH - 64.0;
/// A window is no wider than this.
const WIDEST: f64 = 14.0;
/// Where the first strip begins, below the numbers of the starts.
pub(super) const BELOW: f64 = TOP + 18.0;

/// The scale is the same for all strips, and written beside one in so many.
pub(super) const SCALE_EVERY: usize = 6;

/// Where each start and window is.
pub(super) struct Layout {
    /// How wide a window is.
    pub(super) width: f64,
    /// By start: the number, the first column, and how many there are.
    starts: Vec<(usize, usize, usize)>,
    /// In all, with one between two starts.
    columns: usize,
}

impl Layout {
    pub(super) fn of(columns: &[Columns]) -> Self {
        let mut next = 0;
        let starts = columns.iter().map(|start| {
            let first = next;
            next += start.windows + 1;
            (start.start, first, start.windows)
        });
        let starts = starts.collect();
        let columns = next.saturating_sub(1).max(1);
        let width = (RIGHT - LEFT) / columns as f64;
        // Whole numbers are shorter, and sharper.
        let width = if width >= 2.0 { width.floor() } else { width };
        Self { width: width.min(WIDEST), starts, columns }
    }

    /// The column of a window, by its start's place among the starts.
    pub(super) fn column(&self, start: usize, window: usize) -> usize {
        self.starts.get(start).map_or(0, |(_, first, _)| first + window)
    }

    /// The middle of a column, from where strips begin.
    pub(super) fn middle(&self, column: usize) -> f64 {
        (column as f64 + 0.5) * self.width
    }

    /// Where strips end.
    pub(super) fn end(&self) -> f64 {
        self.columns as f64 * self.width
    }

    /// The numbers of the starts above all strips, as many as have room.
    pub(super) fn numbers(&self) -> Markup {
        let room = (24.0 / (self.width * 2.0).max(1.0)).ceil() as usize;
        let every = if self.starts.len() > 12 { room.max(1) } else { 1 };
        let shown = self.starts.iter().filter(|(_, _, windows)| *windows > 0).step_by(every);
        html! {
            (text([LEFT - 8.0, TOP + 12.0], "e s", "start"))
            @for (number, first, windows) in shown {
                @let middle = LEFT + (*first as f64 + *windows as f64 / 2.0) * self.width;
                (text([middle, TOP + 12.0], "k", &number.to_string()))
            }
        }
    }
}

/// All strips, one below the other.
pub(super) fn all(strips: &[Markup], height: f64) -> Markup {
    // What is over the marks of a start takes its height from here, and nothing else does.
    html! { g stroke-width=(number(height)) { @for strip in strips { (strip) } } }
}

/// One row's strip, `height` high, with `marks` in it: these count from its own corner.
pub(super) fn strip<T>(layout: &Layout, row: &OfRow<T>, top: f64, height: f64, marks: &Markup) -> Markup {
    let name = shortened(&row.label);
    let beside = isolated(&name);
    let starts = row.starts.iter().enumerate().filter(|(_, start)| !start.windows.is_empty());
    let titles = starts.map(|(at, start)| {
        let number_of = layout.starts.get(at).map_or(at + 1, |(number, ..)| *number);
        let from = layout.column(at, 0) as f64 * layout.width;
        let length = start.windows.len() as f64 * layout.width;
        let over = Path::new().at(from, height / 2.0).right(length).into_text();
        html! { path d=(over) { title { (beside) ", start " (number_of) ": " (clean(&start.said)) } } }
    });
    let titles: Vec<Markup> = titles.collect();
    html! {
        g transform={ "translate(" (number(LEFT)) " " (number(top)) ")" } {
            text class="e" x="-8" y=(number(height / 2.0 + 4.0)) {
                // Not where it would say again what stands there.
                @if name != row.label || row.note.is_some() {
                    title { (isolated(&row.label)) @if let Some(note) = &row.note { ": " (clean(note)) } }
                }
                (name) @if row.note.is_some() { " *" }
            }
            (marks)
            // Over the marks, as high as the strip, and seen by nobody but the pointer.
            g class="t" { @for title in &titles { (title) } }
        }
    }
}

/// A line below each of `count` strips, `height` high and `apart` from one to the next.
pub(super) fn lines(layout: &Layout, count: usize, height: f64, apart: f64) -> Markup {
    let below = |at: usize| BELOW + apart * at as f64 + height;
    path("g", (0..count).fold(Path::new(), |path, at| path.at(LEFT, below(at)).right(layout.end())))
}

/// What the star beside a name means, of the rows that have one.
pub(super) fn notes<T>(rows: &[OfRow<T>]) -> Option<String> {
    let notes =
        rows.iter().filter_map(|row| Some(format!("{}: {}", shortened(&row.label), row.note.as_ref()?)));
    let notes: Vec<String> = notes.collect();
    (!notes.is_empty()).then(|| format!("* {}", notes.join("; ")))
}
