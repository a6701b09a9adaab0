//! Pictures, each as wide as it can be read, in a part of the page that scrolls by itself where the page is narrower.

use maud::{Markup, html};

use crate::{
    model::Plot,
    render::{clean::clean, svg},
};

use super::words::id_within;

/// A picture of a scenario.
pub(super) fn figure(of: &Plot, section: &str, scenario: &str) -> Markup {
    let label = format!("{scenario}: {}", of.title);
    // Each scenario has plots that are called alike, and a page has room for one of a name.
    let own = Plot { id: id_within(section, &of.id), ..of.clone() };
    html! { figure.scroll role="region" tabindex="0" aria-label=(clean(&label)) { (svg::inline(&own)) } }
}
