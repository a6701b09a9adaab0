//! The line before a chunk (RFC 9112 section 7.1): its size, and extensions, which are ignored but must be ones.
//!
//! ```text
//! chunk-size [ chunk-ext ] CRLF
//! chunk-ext = *( BWS ";" BWS chunk-ext-name [ BWS "=" BWS chunk-ext-val ] )
//! ```

use crate::class::Class;

/// Where in the line, and the size so far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct ChunkLine {
    size: u64,
    digits: u8,
    place: Place,
}

/// Of which 16 at most can be other than zero. Without a bound a size would never have to end.
const MOST_DIGITS: u8 = 64;

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum Place {
    /// Before the first digit.
    #[default]
    Start,
    Size,
    /// After blanks, which only another extension may follow.
    Blank,
    /// After blanks behind a name, which also `=` may follow.
    NameBlank,
    /// After a semicolon.
    NameStart,
    Name,
    /// After `=`.
    ValueStart,
    Value,
    Quoted,
    /// After a backslash in a quoted string.
    Escaped,
    /// After a quoted string.
    Unquoted,
    /// After the CR.
    End,
}

/// What a byte of the line leads to.
pub(super) enum Next {
    /// The line goes on.
    Line(ChunkLine),
    /// The line is over.
    Chunk {
        /// Bytes of the chunk; 0 for the last one.
        size: u64,
    },
    /// The byte may not be there, and hyper would let it pass.
    Refused,
    /// The byte may not be there, as hyper knows too.
    Lost,
}

impl ChunkLine {
    pub(super) fn next(self, byte: u8) -> Next {
        use Place::*;
        let blank = matches!(byte, b' ' | b'\t');
        let place = match (self.place, byte) {
            (Start | Size, _) if byte.is_ascii_hexdigit() => {
                let digit = char::from(byte).to_digit(16).map_or(0, u64::from);
                let Some(size) = self.size.checked_mul(16).and_then(|size| size.checked_add(digit)) else {
                    return Next::Lost;
                };
                return match self.digits {
                    MOST_DIGITS.. => Next::Refused,
                    digits => Next::Line(Self { size, digits: digits + 1, place: Size }),
                };
            }
            (Start, _) => return Next::Lost,
            (End, b'\n') => return Next::Chunk { size: self.size },
            (End, _) => return Next::Lost,

            (Size | Name | Value | Unquoted, b'\r') => End,
            (Size | Blank | Name | NameBlank | Value | Unquoted, b';') => NameStart,
            (Size | Blank | Value | Unquoted, _) if blank => Blank,
            (Size, _) => return Next::Lost,
            (NameStart, _) if blank => NameStart,
            (NameStart | Name, _) if TOKEN.has(byte) => Name,
            (Name | NameBlank, _) if blank => NameBlank,
            (Name | NameBlank, b'=') => ValueStart,
            (ValueStart, _) if blank => ValueStart,
            (ValueStart | Value, _) if TOKEN.has(byte) => Value,
            (ValueStart, b'"') => Quoted,
            (Quoted, b'"') => Unquoted,
            (Quoted, b'\\') => Escaped,
            (Quoted | Escaped, b'\t' | b' '..=b'~' | 0x80..) => Quoted,
            _ => return Next::Refused,
        };
        Next::Line(Self { place, ..self })
    }
}

/// RFC 9110 section 5.6.2.
static TOKEN: Class = Class::alphanumeric_and(b"!#$%&'*+-.^_`|~");

#[cfg(test)]
mod tests {
    use super::*;

    /// The size, or whether the line is refused here (`Err(true)`) or left to hyper.
    fn read(line: &str) -> Result<u64, bool> {
        let mut at = ChunkLine::default();
        for byte in line.bytes() {
            match at.next(byte) {
                Next::Line(line) => at = line,
                Next::Chunk { size } => return Ok(size),
                Next::Refused => return Err(true),
                Next::Lost => return Err(false),
            }
        }
        panic!("{line:?} does not end")
    }

    #[test]
    fn sizes_are_hexadecimal_and_extensions_are_ignored() {
        assert_eq!(read(&format!("{}1\r\n", "0".repeat(63))), Ok(1));
        for line in ["1f", "1F", "001f", "1f;a", "1f;a=b", "1f ; a = b ;c", "1f;a=\"b;\\\"c\"", "1f;a=\"\";b"]
        {
            assert_eq!(read(&format!("{line}\r\n")), Ok(31), "{line}");
        }
        assert_eq!(read("ffffffffffffffff\r\n"), Ok(u64::MAX));
    }

    #[test]
    fn what_is_no_extension_is_refused() {
        for line in [
            &"0".repeat(65),
            "5 ",
            "5\t",
            "5;",
            "5; ",
            "5;a ",
            "5;a=",
            "5;a=b ",
            "5;=b",
            "5;a b",
            "5;a=\"b\" ",
            "5;a\0",
            "5;a=\"\0\"",
            "5;a=\"b\"c",
            "5 a",
            "5;;a",
            "5;a=\"b\\\n\"",
        ] {
            assert_eq!(read(&format!("{line}\r\n")), Err(true), "{line:?}");
        }
    }

    #[test]
    fn what_hyper_refuses_is_left_to_it() {
        for line in ["", " 5", "-5", "0x5", "5_0", "10000000000000000", "5\rx", "5\n"] {
            assert_eq!(read(&format!("{line}\r\n")), Err(false), "{line:?}");
        }
    }
}
