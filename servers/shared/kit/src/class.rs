//! Classes of bytes, looked up in a table: requests are made of few bytes and checked one by one.

/// Which bytes belong.
#[derive(Debug)]
pub(crate) struct Class([bool; 256]);

impl Class {
    /// Letters, digits and `others`.
    pub(crate) const fn alphanumeric_and(others: &[u8]) -> Self {
        let mut table = [false; 256];
        let mut byte = 0;
        while byte < 128 {
            table[byte as usize] = (byte as u8).is_ascii_alphanumeric();
            byte += 1;
        }
        let mut at = 0;
        while at < others.len() {
            table[others[at] as usize] = true;
            at += 1;
        }
        Self(table)
    }

    pub(crate) const fn has(&self, byte: u8) -> bool {
        self.0[byte as usize]
    }

    /// Whether all bytes of `text` belong or are percent-encoded (RFC 3986 section 2.1).
    pub(crate) fn encodes(&self, text: &[u8]) -> bool {
        let mut rest = text;
        while let Some(at) = rest.iter().position(|&byte| !self.has(byte)) {
            rest = match &rest[at..] {
                [b'%', high, low, rest @ ..] if high.is_ascii_hexdigit() && low.is_ascii_hexdigit() => rest,
                _ => return false,
            };
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_in_the_class_must_be_encoded() {
        let class = Class::alphanumeric_and(b"-/");
        assert!(class.has(b'a') && class.has(b'/') && !class.has(b'%') && !class.has(0xe9));
        for text in ["", "aZ9-/", "%2fa%2F", "a%00"] {
            assert!(class.encodes(text.as_bytes()), "{text}");
        }
        for text in [".", "%", "a%2", "%zz", "\u{e9}"] {
            assert!(!class.encodes(text.as_bytes()), "{text}");
        }
    }
}
