//! The chunked transfer coding, taken off as it comes (RFC 9112, section 7.1).
//!
//! Any split of the input gives the same content, the same end and the same error. Nothing is kept but where the next byte
//! stands.

use crate::response_error::ResponseError;

/// Where in the coding the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size { any_digit: bool },
    BeforeExtension,
    Extension,
    SizeEnd,
    Data,
    DataReturn,
    DataEnd,
    TrailerStart,
    Trailer,
    TrailerEnd,
    LastEnd,
}

/// Decodes one message's content.
#[derive(Clone, Debug)]
pub(crate) struct ChunkDecoder {
    at: At,
    /// Bytes left of the current chunk; while its size is being read, the value so far.
    left: u64,
    /// Bytes of the line under way, or of the trailer section.
    line_bytes: usize,
    most_line_bytes: usize,
    /// How much more content there may be, once the chunks whose sizes are known have come.
    content_left: u64,
    most_content_bytes: u64,
}

/// What the next bytes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// All were used, none is content, and more are needed.
    NeedMore,
    /// From `start` until `end` they are content, and those before are used.
    Data { start: usize, end: usize },
    /// So many were used, and the content is complete.
    End { used: usize },
}

impl ChunkDecoder {
    /// A decoder of content of at most `most_content_bytes`, and of lines and a trailer section of at most `most_line_bytes`.
    pub(crate) fn new(most_line_bytes: usize, most_content_bytes: u64) -> Self {
        Self {
            at: At::Size { any_digit: false },
            left: 0,
            line_bytes: 0,
            most_line_bytes,
            content_left: most_content_bytes,
            most_content_bytes,
        }
    }

    /// Decodes from the start of `input`, up to the end of the first piece of content in it.
    pub(crate) fn decode(&mut self, input: &[u8]) -> Result<Decoded, ResponseError> {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            if self.at == At::Data {
                let available = input.len() - used;
                let taken = usize::try_from(self.left).map_or(available, |left| left.min(available));
                self.left -= taken as u64;
                if self.left == 0 {
                    self.at = At::DataReturn;
                }
                return Ok(Decoded::Data { start: used, end: used + taken });
            }
            used += 1;
            if self.step(byte)? {
                return Ok(Decoded::End { used });
            }
            if self.at == At::Data {
                let limit = self.most_content_bytes;
                let left = self.content_left.checked_sub(self.left);
                self.content_left = left.ok_or(ResponseError::BodyTooLarge { limit })?;
            }
        }
        Ok(Decoded::NeedMore)
    }

    /// One byte that is not content. True after the last one.
    fn step(&mut self, byte: u8) -> Result<bool, ResponseError> {
        const BAD: ResponseError = ResponseError::Malformed("a chunk is not framed as one");
        self.line_bytes += 1;
        if self.line_bytes > self.most_line_bytes {
            return Err(ResponseError::HeadTooLarge { limit: self.most_line_bytes });
        }
        self.at = match (self.at, byte) {
            (At::Size { .. }, _) if byte.is_ascii_hexdigit() => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                self.left = self.left.checked_mul(16).and_then(|left| left.checked_add(digit)).ok_or(BAD)?;
                At::Size { any_digit: true }
            }
            // Section 7.1.1: blanks stand before an extension, and before nothing else.
            (At::Size { any_digit: true } | At::BeforeExtension, b' ' | b'\t') => At::BeforeExtension,
            (At::Size { any_digit: true } | At::BeforeExtension, b';') => At::Extension,
            (At::Size { any_digit: true } | At::Extension, b'\r') => At::SizeEnd,
            (At::Extension, _) if byte != b'\n' => At::Extension,
            (At::SizeEnd, b'\n') => {
                self.line_bytes = 0;
                if self.left == 0 { At::TrailerStart } else { At::Data }
            }
            (At::DataReturn, b'\r') => At::DataEnd,
            (At::DataEnd, b'\n') => {
                self.line_bytes = 0;
                At::Size { any_digit: false }
            }
            (At::TrailerStart, b'\r') => At::LastEnd,
            (At::TrailerStart | At::Trailer, _) if !matches!(byte, b'\r' | b'\n') => At::Trailer,
            (At::Trailer, b'\r') => At::TrailerEnd,
            (At::TrailerEnd, b'\n') => At::TrailerStart,
            (At::LastEnd, b'\n') => return Ok(true),
            _ => return Err(BAD),
        };
        Ok(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST_LINE_BYTES: usize = 100;

    fn decode(input: &[u8]) -> Result<(Vec<u8>, usize, bool), ResponseError> {
        let mut decoder = ChunkDecoder::new(MOST_LINE_BYTES, 1_000);
        let (mut body, mut used) = (Vec::new(), 0);
        loop {
            match decoder.decode(&input[used..])? {
                Decoded::NeedMore => return Ok((body, input.len(), false)),
                Decoded::Data { start, end } => {
                    body.extend_from_slice(&input[used + start..used + end]);
                    used += end;
                }
                Decoded::End { used: last } => return Ok((body, used + last, true)),
            }
        }
    }

    #[test]
    fn chunks_are_joined_and_extensions_and_trailers_left_out() {
        let input = b"5;a=\"b\"\r\nhello\r\n00B\r\n, generator\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\nrest";
        let (body, used, done) = decode(input).expect("a valid coding");
        assert_eq!(body, b"hello, generator");
        assert_eq!((&input[used..], done), (&b"rest"[..], true));
    }

    #[test]
    fn blanks_may_stand_before_an_extension_and_a_trailer_may_be_folded() {
        for size in ["2 ;a=b", "2\t;a", "2 \t ; a = \"b\" ;c", "02 ;"] {
            let input = format!("{size}\r\nhi\r\n0 ;x\r\nt: u\r\n v\r\n\r\n");
            assert_eq!(decode(input.as_bytes()), Ok((b"hi".to_vec(), input.len(), true)), "{size}");
        }
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        for bad in [
            &b"\r\n"[..],
            b" 5\r\n",
            b"5 \r\n",
            b"5 5\r\n",
            b"5 a;b\r\n",
            b";a\r\n",
            b"g\r\n",
            b"5\nhello",
            b"5\r\nhelloo",
            b"5\r\nhello\n",
            b"-1\r\n",
            b"11111111111111111\r\n",
            b"5;\nx\r\n",
            b"0\r\nx\n",
        ] {
            assert!(matches!(decode(bad), Err(ResponseError::Malformed(_))), "{bad:?}");
        }
    }

    #[test]
    fn a_chunk_beyond_the_limit_is_refused_before_it_arrives() {
        let too_large = Err(ResponseError::BodyTooLarge { limit: 1_000 });
        assert_eq!(decode(b"3e9\r\n"), too_large);
        assert!(decode(b"3e8\r\n").is_ok());
        assert_eq!(decode(b"1\r\nx\r\n3e8\r\n"), too_large);
        assert_eq!(decode(b"ffffffffffffffff\r\n"), too_large);
    }

    #[test]
    fn an_endless_line_is_refused() {
        let too_large = Err(ResponseError::HeadTooLarge { limit: MOST_LINE_BYTES });
        let extension = [b"1;".to_vec(), vec![b'x'; MOST_LINE_BYTES]].concat();
        assert_eq!(decode(&extension), too_large);
        let trailers = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(MOST_LINE_BYTES / 6 + 1)].concat();
        assert_eq!(decode(&trailers), too_large);
    }
}
