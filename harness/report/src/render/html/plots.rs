//! Pictures, each as wide as it can be read, in a part of the page that scrolls by itself where the page is narrower.

use maud::{Markup, html};

use crate::{
    model::{Plot, plot::Drawn},
    render::{clean::clean, svg},
};

use super::words::{id_within, more};

/// The pictures of a scenario: those of the rows' figures, and for those who ask what these come from.
pub(super) fn plots(of: &[Plot], section: &str, scenario: &str) -> Markup {
    let is_first = |plot: &&Plot| matches!(plot.drawn, Drawn::Dots(_) | Drawn::Percentiles(_));
    html! {
        @for plot in of.iter().filter(is_first) { (figure(plot, section, scenario)) }
        @for plot in of.iter().filter(|plot| !is_first(plot)) {
            (more(&plot.title, &figure(plot, section, scenario)))
        }
    }
}

fn figure(of: &Plot, section: &str, scenario: &str) -> Markup {
    let label = format!("{scenario}: {}", of.title);
    // Each scenario has plots that are called alike, and a page has room for one of a name.
    let own = Plot { id: id_within(section, &of.id), ..of.clone() };
    html! { figure.scroll role="region" tabindex="0" aria-label=(clean(&label)) { (svg::inline(&own)) } }
}
