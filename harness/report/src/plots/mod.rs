//! Makes a scenario's pictures from its rows: what is in them, in the units of their axes, and not how they look.
//!
//! A picture that would show nothing is left out. Windows that do not count are in those that go along the run, and marked.

mod all;
mod along;
mod cpu;
mod dots;
mod percentiles;
mod times;
mod windows;

use crate::{
    conclusions::{field::Field, itself::Itself},
    model::Plot,
};

use all::{All, Sketch};

/// A scenario's pictures: the figure that rows are compared by, latency by percentile, windows by latency, CPU time, and what there was
/// along the run.
pub(crate) fn of(field: &Field<'_>, itself: Option<&Itself>) -> Vec<Plot> {
    let all = All::new(field);
    let drawn = [
        ("dots", dots::of(&all, itself)),
        ("percentiles", percentiles::of(&all)),
        ("windows", windows::of(&all)),
        ("cpu", cpu::of(&all)),
        ("along", along::of(&all)),
    ];
    let plot = |(kind, drawn): (&str, Option<Sketch>)| {
        let Sketch { title, description, drawn } = drawn?;
        Some(Plot { id: kind.to_owned(), title, description, drawn })
    };
    drawn.into_iter().filter_map(plot).collect()
}

#[cfg(test)]
mod tests;
