//! Pictures as SVG: inline in a page, or a file of their own.
//!
//! Written with maud and the few files beside this one rather than with a library for charts. What matters more than kinds of charts
//! is that the same plot gives the same bytes, that colours are variables of a style sheet, so that a page under a policy without style
//! attributes shows them in light, dark and forced colours, that every mark has a title, and that names are escaped, whatever they hold.
//! No library was found that does all four; maud escapes, and the rest is arithmetic.
//!
//! Elements have an end tag each or end in `/>`, so that what is HTML is XML as well.

mod along;
mod around;
mod cpu;
mod curve;
mod dots;
mod frame;
mod groups;
mod path;
mod percentiles;
mod scale;
mod strips;
mod windows;
mod words;

use maud::{Markup, PreEscaped};

use crate::model::plot::{Drawn, Plot};

use frame::Body;

/// The colours and classes of all pictures, for the page that they are in. Everything in it is about what is inside of `.plot`.
pub const STYLE: &str = include_str!("svg.css");

/// A picture for a page that has [`STYLE`]: no style attributes, and no identifier that does not begin with the plot's own.
pub fn inline(plot: &Plot) -> Markup {
    frame::picture(plot, &body(plot), None)
}

/// A picture that is a file of its own.
pub fn standalone(plot: &Plot) -> String {
    let picture = frame::picture(plot, &body(plot), Some(STYLE));
    let PreEscaped(picture) = picture;
    format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{picture}\n")
}

fn body(plot: &Plot) -> Body {
    match &plot.drawn {
        Drawn::Dots(dots) => dots::draw(dots),
        Drawn::Percentiles(percentiles) => percentiles::draw(percentiles),
        Drawn::Windows(windows) => windows::draw(windows),
        Drawn::Cpu(cpu) => cpu::draw(cpu),
        Drawn::Along(along) => along::draw(along),
        Drawn::Around(around) => around::draw(around),
        Drawn::Curve(curve) => curve::draw(curve),
    }
}

#[cfg(test)]
mod tests;
