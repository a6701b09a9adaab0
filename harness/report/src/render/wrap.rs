//! Text in lines that are no wider than a page.

use std::fmt::Write as _;

use unicode_width::UnicodeWidthStr as _;

/// As wide as a page of text may be.
pub(crate) const WIDTH: usize = 110;

/// Text in lines of at most [`WIDTH`] columns, with a line break at its end.
pub(crate) fn wrapped(text: &str) -> String {
    hanging(text, "", WIDTH)
}

/// Text in lines of at most `wide` columns, with `indent` before every line but the first.
pub(crate) fn hanging(text: &str, indent: &str, wide: usize) -> String {
    let mut out = String::new();
    let mut column = 0;
    for word in text.split_whitespace() {
        let width = word.width();
        if column > 0 && column + 1 + width > wide {
            let _ = write!(out, "\n{indent}");
            column = indent.len();
        } else if column > 0 {
            out.push(' ');
            column += 1;
        }
        out.push_str(word);
        column += width;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_no_wider_than_a_page() {
        let text = hanging(&"word ".repeat(100), "   ", WIDTH);
        assert!(
            text.lines().all(|line| line.len() <= WIDTH && line.len() > WIDTH - 10 || line.ends_with("word"))
        );
        assert_eq!(text.split_whitespace().count(), 100);
    }
}
