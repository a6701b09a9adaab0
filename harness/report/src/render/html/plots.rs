//! Pictures, each as wide as it can be read, in a part of the page that scrolls by itself where the page is narrower.

use maud::{Markup, html};

use crate::{
    model::{Plot, plot::Drawn},
    render::{clean::clean, svg},
};

use super::words::{id_within, more};

/// The pictures of a scenario's figures, which everybody sees.
pub(super) fn shown(of: &[Plot], section: &str, scenario: &str) -> Markup {
    html! { @for plot in of.iter().filter(is_of_figures) { (figure(plot, section, scenario)) } }
}

/// The others, for those who ask what the figures come from.
pub(super) fn asked_for(of: &[Plot], section: &str, scenario: &str) -> Markup {
    let others = of.iter().filter(|plot| !is_of_figures(plot));
    html! { @for plot in others { (more(&plot.title, &figure(plot, section, scenario))) } }
}

fn is_of_figures(plot: &&Plot) -> bool {
    matches!(plot.drawn, Drawn::Dots(_) | Drawn::Percentiles(_) | Drawn::Around(_) | Drawn::Curve(_))
}

fn figure(of: &Plot, section: &str, scenario: &str) -> Markup {
    let label = format!("{scenario}: {}", of.title);
    // Each scenario has plots that are called alike, and a page has room for one of a name.
    let own = Plot { id: id_within(section, &of.id), ..of.clone() };
    html! { figure.scroll role="region" tabindex="0" aria-label=(clean(&label)) { (svg::inline(&own)) } }
}
