//! From a log's bytes to its lines, whichever way the system that it comes from writes text.
//!
//! Recordings travel: the format's writer for .NET writes UTF-16, editors and shells put a byte order mark in front, and a
//! person's comment may be in Latin-1. None of that changes a count, so none of it refuses a log. What is in a line is
//! for others to know.

use std::borrow::Cow;

/// Marks UTF-8, in front of a file, or in the midst of one that was put together from several.
const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One line, without its end.
#[derive(Debug, PartialEq)]
pub(super) struct Line<'a> {
    /// From 1.
    pub(super) number: usize,
    pub(super) text: Cow<'a, str>,
    /// Whether something ends it, be it LF, CR LF or CR. Only the last line may have nothing.
    pub(super) is_ended: bool,
}

/// The bytes without the encoding that their byte order mark states: UTF-16 becomes UTF-8.
pub(super) fn decoded(bytes: &[u8]) -> Cow<'_, [u8]> {
    let unit: fn([u8; 2]) -> u16 = match bytes {
        [0xff, 0xfe, ..] => u16::from_le_bytes,
        [0xfe, 0xff, ..] => u16::from_be_bytes,
        _ => return Cow::Borrowed(bytes),
    };
    // Half a unit at the end is a file that was cut there, as its last line will tell.
    let (units, _half) = bytes[2..].as_chunks::<2>();
    let text: String = char::decode_utf16(units.iter().copied().map(unit))
        .map(|character| character.unwrap_or(char::REPLACEMENT_CHARACTER))
        .collect();
    Cow::Owned(text.into_bytes())
}

/// The lines of what [`decoded`] returns. A line that is not UTF-8 is read as Latin-1, in which everything is a text.
pub(super) fn of(bytes: &[u8]) -> impl Iterator<Item = Line<'_>> {
    let mut rest = bytes;
    (1..).map_while(move |number| {
        if rest.is_empty() {
            return None;
        }
        let end = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
        let (line, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.strip_prefix(b"\r\n").or_else(|| after.get(1..)).unwrap_or_default();
        Some(Line { number, text: text(line), is_ended: end.is_some() })
    })
}

fn text(line: &[u8]) -> Cow<'_, str> {
    let mut line = line;
    while let Some(rest) = line.strip_prefix(BYTE_ORDER_MARK) {
        line = rest;
    }
    match str::from_utf8(line) {
        Ok(text) => Cow::Borrowed(text.trim()),
        Err(_) => Cow::Owned(line.iter().copied().map(char::from).collect::<String>().trim().to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn texts(bytes: &[u8]) -> Vec<String> {
        of(&decoded(bytes)).map(|line| line.text.into_owned()).collect()
    }

    fn utf16(text: &str, unit: fn(u16) -> [u8; 2]) -> Vec<u8> {
        format!("\u{feff}{text}").encode_utf16().flat_map(unit).collect()
    }

    #[test]
    fn a_line_ends_as_on_any_system() {
        for text in ["a\n\nb\n", "a\r\n\r\nb\r\n", "a\r\rb\r", "a\n\r\nb\r\n"] {
            assert_eq!(texts(text.as_bytes()), ["a", "", "b"], "{text:?}");
        }
        let ends = |text: &'static str| of(text.as_bytes()).map(|line| line.is_ended).collect::<Vec<_>>();
        assert_eq!(
            (ends("a\nb"), ends("a\r\nb\r\n"), ends("")),
            (vec![true, false], vec![true, true], vec![])
        );
    }

    #[test]
    fn a_byte_order_mark_is_no_part_of_the_text() {
        assert_eq!(texts("\u{feff}#a\nb\n\u{feff}#c\n".as_bytes()), ["#a", "b", "#c"]);
        assert_eq!(texts(&utf16("#a\r\né\n", u16::to_le_bytes)), ["#a", "é"]);
        assert_eq!(texts(&utf16("#a\r\né\n", u16::to_be_bytes)), ["#a", "é"]);
        let mut cut = utf16("#a\nbc", u16::to_le_bytes);
        cut.pop();
        assert_eq!(texts(&cut), ["#a", "b"]);
    }

    #[test]
    fn what_is_not_utf_8_is_latin_1() {
        assert_eq!(texts(b"# caf\xe9\nTag=\xe9,1\n# \xc3\xa9\n"), ["# café", "Tag=é,1", "# é"]);
        assert_eq!(texts(b"\xef\xbb\xbf# caf\xe9"), ["# café"]);
    }

    proptest! {
        #[test]
        fn no_bytes_are_lost_or_make_it_panic(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let decoded = decoded(&bytes);
            let numbers: Vec<usize> = of(&decoded).map(|line| line.number).collect();
            let ends = String::from_utf8_lossy(&decoded).replace("\r\n", "\n").matches(['\n', '\r']).count();
            let last = usize::from(decoded.last().is_some_and(|byte| !matches!(byte, b'\n' | b'\r')));
            prop_assert_eq!(numbers, (1..=ends + last).collect::<Vec<_>>());
        }
    }
}
