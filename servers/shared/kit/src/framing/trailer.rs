//! The names of trailer fields, of which some must not be there (RFC 9110 section 6.5.1).

/// Fields that say where a message ends, where it goes, or what becomes of its connection: behind the content that is too late, and
/// a reader that heeds them all the same, or puts them among the head's, takes the bytes for other messages than one that does not.
const FRAMING_OR_ROUTING: [&[u8]; 9] = [
    b"content-length",
    b"transfer-encoding",
    b"trailer",
    b"te",
    b"host",
    b"max-forwards",
    b"connection",
    b"keep-alive",
    b"upgrade",
];

const LONGEST: usize = b"transfer-encoding".len();

/// A name so far, in lower case.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Name {
    bytes: [u8; LONGEST],
    /// One more than the longest, if it is longer.
    length: usize,
}

impl Name {
    #[must_use]
    pub(super) fn and(mut self, byte: u8) -> Self {
        if let Some(place) = self.bytes.get_mut(self.length) {
            *place = byte.to_ascii_lowercase();
        }
        self.length = (self.length + 1).min(LONGEST + 1);
        self
    }

    pub(super) fn frames_or_routes(&self) -> bool {
        self.bytes.get(..self.length).is_some_and(|name| FRAMING_OR_ROUTING.contains(&name))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(name: &str) -> bool {
        name.bytes().fold(Name::default(), Name::and).frames_or_routes()
    }

    #[test]
    fn what_frames_or_routes_is_known_in_any_case_and_nothing_else_is() {
        for name in FRAMING_OR_ROUTING {
            let name = std::str::from_utf8(name).unwrap();
            assert!(is_refused(name) && is_refused(&name.to_ascii_uppercase()), "{name}");
            assert!(!is_refused(&format!("{name}s")) && !is_refused(&format!("x-{name}")), "{name}");
        }
        for name in ["", "content-length ", "transfer-encoding-x", "x-sum", "expires", "hos"] {
            assert!(!is_refused(name), "{name}");
        }
    }
}
