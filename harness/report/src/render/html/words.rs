//! The model's words as a page shows them, and what its parts are called in links.

use std::ops::Range;

use maud::{Markup, html};

use crate::{model::file_name, render::clean::clean};

/// Words, in which every stretch that is written from right to left is kept apart: else the figure behind a name would be shown before it.
pub(super) fn said(text: &str) -> Markup {
    let text = clean(text);
    let mut before = 0;
    let mut parts = Vec::new();
    for Range { start, end } in right_to_left(&text) {
        parts.push((&text[before..start], &text[start..end]));
        before = end;
    }
    html! {
        @for (plain, turned) in parts { (plain) bdi { (turned) } }
        (text[before..])
    }
}

/// Stretches from a letter that is written from right to left to the last such letter before others.
fn right_to_left(text: &str) -> Vec<Range<usize>> {
    let mut stretches: Vec<Range<usize>> = Vec::new();
    let mut goes_on = false;
    for (at, letter) in text.char_indices() {
        if is_right_to_left(letter) {
            let end = at + letter.len_utf8();
            match stretches.last_mut().filter(|_| goes_on) {
                Some(last) => last.end = end,
                None => stretches.push(at..end),
            }
            goes_on = true;
        } else if letter != ' ' {
            goes_on = false;
        }
    }
    stretches
}

/// Whether a letter is of a block whose letters are R or AL unless they say otherwise (UAX 9, table 4; Unicode's DerivedBidiClass).
fn is_right_to_left(letter: char) -> bool {
    matches!(letter, '\u{590}'..='\u{8ff}' | '\u{fb1d}'..='\u{fdff}' | '\u{fe70}'..='\u{fefe}' | '\u{10800}'..='\u{10fff}'
        | '\u{1e800}'..='\u{1efff}')
}

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
            ul class=(class) { @for item in items { li { (said(item)) } } }
        }
    }
}

/// What is there for those who ask.
pub(super) fn more(what: &str, content: &Markup) -> Markup {
    html! { details { summary { (said(what)) } (content) } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_figure_behind_a_name_from_right_to_left_stays_behind_it() {
        let said = |text: &str| said(text).into_string();
        assert_eq!(said("Most: שרת אחד, 16,170 requests"), "Most: <bdi>שרת אחד</bdi>, 16,170 requests");
        assert_eq!(said("a שרת b خادم"), "a <bdi>שרת</bdi> b <bdi>خادم</bdi>");
        assert_eq!(said("<i> & no more"), "&lt;i&gt; &amp; no more");
        assert_eq!(said("שרת"), "<bdi>שרת</bdi>");
    }
}
