//! The model's words as a page shows them, and what its parts are called in links.

use maud::{Markup, html};

use crate::{model::file_name, render::clean::clean};

/// A name within a sentence: however it is written, it does not rearrange what stands beside it.
pub(super) fn name(of: &str) -> Markup {
    html! { bdi { (clean(of)) } }
}

/// Where the part of a scenario is: letters, digits and `-_.%` only.
pub(super) fn id_of_section(scenario: &str) -> String {
    format!("s-{}", file_name(scenario))
}

/// Where one of its tables or plots is.
pub(super) fn id_within(section: &str, id: &str) -> String {
    format!("{section}.{}", file_name(id))
}

/// Sentences below each other; nothing where there are none.
pub(super) fn list<'a>(class: &str, items: impl Iterator<Item = &'a String>) -> Markup {
    let items: Vec<&String> = items.collect();
    html! {
        @if !items.is_empty() {
            ul class=(class) { @for item in items { li { (clean(item)) } } }
        }
    }
}

/// What is there for those who ask.
pub(super) fn more(what: &str, content: &Markup) -> Markup {
    html! { details { summary { (clean(what)) } (content) } }
}
