//! Names as they are written into a picture: any may be there, and none may reach beyond its own place.

use crate::render::{clean::clean, fit};

/// As many letters of a name as have room beside a picture: the longest name of a row that is shipped.
const ROOM: usize = 30;

/// The text between these two is of a direction of its own (Unicode Standard Annex 9, section 2.4.2).
const ISOLATE: (char, char) = ('\u{2068}', '\u{2069}');

/// A name that other text follows, which must not take its direction from it.
pub(super) fn isolated(name: &str) -> String {
    let name = clean(name);
    if name.is_ascii() { name.into_owned() } else { format!("{}{name}{}", ISOLATE.0, ISOLATE.1) }
}

/// As much of a name as has room.
pub(super) fn shortened(name: &str) -> String {
    cut(name, ROOM)
}

/// Not more than `room` letters of `text`; of those that are wide, half as many.
pub(super) fn cut(text: &str, room: usize) -> String {
    fit::shortened(&clean(text), room)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_in_another_script_is_isolated_and_a_plain_one_is_not() {
        assert_eq!(isolated("work-stealing"), "work-stealing");
        assert_eq!(isolated("\u{5d0}\u{5d1}\u{202e}"), "\u{2068}\u{5d0}\u{5d1}\u{fffd}\u{2069}");
    }

    #[test]
    fn a_long_name_is_cut_to_what_has_room() {
        assert_eq!(shortened("thread-per-core-epoll-unpinned"), "thread-per-core-epoll-unpinned");
        let cut = shortened(&"x".repeat(200));
        assert_eq!((cut.chars().count(), cut.ends_with('\u{2026}')), (ROOM, true));
        assert_eq!(shortened(""), "");
    }
}
