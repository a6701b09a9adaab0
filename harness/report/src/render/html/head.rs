//! The head of the page, whose policy allows its own style and script by their hashes, and nothing else.

use base64::{Engine as _, prelude::BASE64_STANDARD};
use maud::{Markup, PreEscaped, html};
use sha2::{Digest as _, Sha256};

use crate::render::{clean::clean, svg};

const PAGE_STYLE: &str = include_str!("assets/report.css");
const SCRIPT: &str = include_str!("assets/report.js");

/// The head.
pub(super) fn head(title: &str) -> Markup {
    let style = style();
    html! {
        head {
            meta charset="utf-8";
            meta http-equiv="Content-Security-Policy" content=(policy(&style));
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (clean(title)) }
            style { (PreEscaped(style)) }
        }
    }
}

/// The script: last in the page, so that all of it is there when the script begins.
pub(super) fn script() -> Markup {
    html! { script { (PreEscaped(SCRIPT)) } }
}

fn style() -> String {
    format!("{PAGE_STYLE}{}", svg::STYLE)
}

/// Nothing is loaded and nothing is sent. Content Security Policy Level 3 hashes the text of an element as it stands there.
fn policy(style: &str) -> String {
    format!(
        "default-src 'none'; style-src '{}'; script-src '{}'; base-uri 'none'; form-action 'none'",
        hash(style),
        hash(SCRIPT)
    )
}

fn hash(text: &str) -> String {
    format!("sha256-{}", BASE64_STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_that_of_a_known_text() {
        // FIPS 180-2, appendix B.1.
        assert_eq!(hash("abc"), "sha256-ungWv48Bz+pBQUDeXa4iI7ADYaOWF3qctBD/YfIAFa0=");
    }

    #[test]
    fn neither_text_ends_its_element() {
        for text in [&style(), SCRIPT] {
            assert!(!text.contains("</") && !text.contains("<!--"), "{text}");
        }
    }
}
