//! Names as they are written into a picture: any may be there, and none may reach beyond its own place.

/// As many letters of a name as have room beside a picture: the longest name of a row that is shipped.
pub(super) const ROOM: usize = 30;

/// What stands in the place of what must not be written.
const REPLACEMENT: char = '\u{fffd}';
/// The text between these two is of a direction of its own (Unicode Standard Annex 9, section 2.4.2).
const ISOLATE: (char, char) = ('\u{2068}', '\u{2069}');

/// Without what XML has no room for (XML 1.0, section 2.2), and without what changes the direction of the text that follows.
pub(super) fn clean(text: &str) -> String {
    let is_refused = |letter: char| {
        letter.is_control()
            || matches!(letter, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{2028}' | '\u{2029}')
            || u32::from(letter) & 0xfffe == 0xfffe
    };
    text.chars().map(|letter| if is_refused(letter) { REPLACEMENT } else { letter }).collect()
}

/// The same for a name that other text follows, which must not take its direction from it.
pub(super) fn isolated(name: &str) -> String {
    let name = clean(name);
    if name.is_ascii() { name } else { format!("{}{name}{}", ISOLATE.0, ISOLATE.1) }
}

/// As much of a name as has room.
pub(super) fn shortened(name: &str) -> String {
    cut(name, ROOM)
}

/// Not more than `room` letters of `text`; of those that are wide, half as many.
pub(super) fn cut(text: &str, room: usize) -> String {
    let text = clean(text);
    let width = |letter: char| if letter < '\u{1100}' { 1 } else { 2 };
    if text.chars().map(width).sum::<usize>() <= room {
        return text;
    }
    let mut used = 1;
    let kept = text.chars().take_while(|&letter| {
        used += width(letter);
        used <= room
    });
    format!("{}\u{2026}", kept.collect::<String>().trim_end())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_xml_cannot_hold_or_what_turns_text_around_is_replaced() {
        assert_eq!(clean("a\0b\x1b[31m\u{85}\u{fffe}"), "a\u{fffd}b\u{fffd}[31m\u{fffd}\u{fffd}");
        assert_eq!(clean("\u{202e}gnp.exe\u{2069}"), "\u{fffd}gnp.exe\u{fffd}");
        assert_eq!(clean("<b> & 'q' \u{5d0}"), "<b> & 'q' \u{5d0}");
    }

    #[test]
    fn a_name_in_another_script_is_isolated_and_a_plain_one_is_not() {
        assert_eq!(isolated("work-stealing"), "work-stealing");
        assert_eq!(isolated("\u{5d0}\u{5d1}"), "\u{2068}\u{5d0}\u{5d1}\u{2069}");
    }

    #[test]
    fn a_long_name_is_cut_to_what_has_room() {
        assert_eq!(shortened("thread-per-core-epoll-unpinned"), "thread-per-core-epoll-unpinned");
        let cut = shortened(&"x".repeat(200));
        assert_eq!((cut.chars().count(), cut.ends_with('\u{2026}')), (ROOM, true));
        assert_eq!(shortened(&"\u{6f22}".repeat(40)).chars().count(), 15);
        assert_eq!(shortened(""), "");
    }
}
