//! What no format may be given: characters that do something instead of being shown.

use std::borrow::Cow;

/// `text` on one line, with what would be obeyed replaced: control characters, and those that turn the direction of what follows
/// (UAX 9), which would have a row's name rearrange its neighbours.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    if !text.chars().any(|letter| is_obeyed(letter) || letter == '\n') {
        return Cow::from(text);
    }
    let shown = |letter: char| match letter {
        '\n' | '\r' | '\t' => ' ',
        letter if is_obeyed(letter) => char::REPLACEMENT_CHARACTER,
        letter => letter,
    };
    Cow::from(text.chars().map(shown).collect::<String>())
}

fn is_obeyed(letter: char) -> bool {
    let turns = matches!(letter, '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{61c}');
    // Separators of lines and paragraphs end a line where nobody expects it; U+FFFE and U+FFFF are no characters (XML 1.0, 2.2).
    letter.is_control() || turns || matches!(letter, '\u{2028}' | '\u{2029}' | '\u{fffe}' | '\u{ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_obeyed_is_replaced_and_all_else_stays() {
        assert_eq!(clean("a\u{1b}[31mb\nc\u{202e}d"), "a\u{fffd}[31mb c\u{fffd}d");
        let plain = "<script> % \" | שלום 漢";
        assert!(matches!(clean(plain), Cow::Borrowed(same) if same == plain));
    }
}
