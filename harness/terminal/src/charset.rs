//! Which characters whoever reads what is printed can see.
//!
//! Bars are drawn with block characters, tables with lines, what is cut short ends in an ellipsis, and microseconds have a micro sign. Where the locale is not one of UTF-8 a terminal shows
//! them as two or three wrong letters each, so that they become ASCII of the same width. What a person named stays as it is: it is
//! written in their own way.

use std::{borrow::Cow, env, ffi::OsString, mem, sync::OnceLock};

/// What is drawn, and what stands for it. Only single characters, so that columns stay where they are.
const DRAWN: [(char, char); 12] = [
    ('█', '#'),
    ('▉', '#'),
    ('▊', '#'),
    ('▋', '='),
    ('▌', '='),
    ('▍', '='),
    ('▎', '-'),
    ('▏', '-'),
    ('━', '='),
    ('╸', '>'),
    ('─', '-'),
    ('…', '~'),
];

/// A text as the locale of this process can show it.
pub fn shown(text: &str) -> Cow<'_, str> {
    static UTF_8: OnceLock<bool> = OnceLock::new();
    shown_where(*UTF_8.get_or_init(|| is_utf_8(|name| env::var_os(name))), text)
}

fn shown_where(utf_8: bool, text: &str) -> Cow<'_, str> {
    if utf_8 || text.is_ascii() {
        return Cow::Borrowed(text);
    }
    let mut before = ' ';
    let in_ascii = |character: char| {
        let before = mem::replace(&mut before, character);
        match DRAWN.iter().find(|(drawn, _)| *drawn == character) {
            Some((_, ascii)) => *ascii,
            // Of a time, and not of a name.
            None if character == 'µ' && before.is_ascii_digit() => 'u',
            None => character,
        }
    };
    Cow::Owned(text.chars().map(in_ascii).collect())
}

/// Whether the locale's character set is UTF-8, going by its name (POSIX, "Environment Variables": the first of these that is
/// set and not empty decides, and none means `C`).
fn is_utf_8(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let mut names = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable);
    let Some(locale) = names.find(|name| !name.is_empty()) else { return false };
    let locale = locale.to_string_lossy();
    let charset = locale.split_once('.').map_or(&*locale, |(_, rest)| rest);
    let charset = charset.split('@').next().unwrap_or_default();
    matches!(charset.to_ascii_lowercase().as_str(), "utf-8" | "utf8")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn locale(set: &[(&str, &str)]) -> bool {
        is_utf_8(|name| set.iter().find(|(own, _)| *own == name).map(|(_, value)| OsString::from(value)))
    }

    #[test]
    fn the_first_variable_that_says_something_decides() {
        for locales in [
            &[("LANG", "en_GB.UTF-8")][..],
            &[("LANG", "C"), ("LC_CTYPE", "UTF-8")],
            &[("LC_ALL", ""), ("LANG", "de_DE.utf8@euro")],
            &[("LC_ALL", "C.UTF-8"), ("LANG", "C")],
        ] {
            assert!(locale(locales), "{locales:?}");
        }
        for locales in [
            &[][..],
            &[("LC_ALL", "C"), ("LANG", "en_GB.UTF-8")],
            &[("LC_ALL", "POSIX")],
            &[("LANG", "de_DE")],
            &[("LANG", "de_DE.ISO-8859-15@euro")],
            &[("LC_CTYPE", "ru_RU.KOI8-R"), ("LANG", "ru_RU.UTF-8")],
        ] {
            assert!(!locale(locales), "{locales:?}");
        }
    }

    #[test]
    fn what_is_drawn_becomes_ascii_of_the_same_width_and_names_stay() {
        assert_eq!(
            shown_where(false, "██▌ 39.01µs ━━╸ ── a… café µ.json"),
            "##= 39.01us ==> -- a~ café µ.json"
        );
        assert_eq!(shown_where(true, "██▌ 39.01µs"), "██▌ 39.01µs");
    }

    proptest! {
        #[test]
        fn no_character_is_lost(text in "\\PC{0,40}") {
            prop_assert_eq!(shown_where(false, &text).chars().count(), text.chars().count());
        }
    }
}
