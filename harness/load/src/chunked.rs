//! The chunked transfer coding, taken off byte by byte (RFC 9112, section 7.1).
//!
//! Any split of the input gives the same content, the same end and the same error.

use crate::response_error::ResponseError;

/// The most bytes of one chunk-size line with its extensions, and of all trailer fields together.
const MAX_LINE_BYTES: usize = 8 * 1024;

/// Where in the coding the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Size { any_digit: bool },
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
    line_bytes: usize,
}

impl ChunkDecoder {
    pub(crate) fn new() -> Self {
        Self { at: At::Size { any_digit: false }, left: 0, line_bytes: 0 }
    }

    /// Decodes from the start of `input`, appending content to `body` up to `max_body` bytes. Returns how many
    /// bytes were used and whether the content is complete.
    pub(crate) fn decode(
        &mut self,
        input: &[u8],
        body: &mut Vec<u8>,
        max_body: usize,
    ) -> Result<(usize, bool), ResponseError> {
        let mut used = 0;
        while let Some(&byte) = input.get(used) {
            if self.at == At::Data {
                let available = input.len() - used;
                let taken = usize::try_from(self.left).map_or(available, |left| left.min(available));
                body.extend_from_slice(&input[used..used + taken]);
                self.left -= taken as u64;
                used += taken;
                if self.left == 0 {
                    self.at = At::DataReturn;
                }
                continue;
            }
            used += 1;
            if self.step(byte)? {
                return Ok((used, true));
            }
            if self.at == At::Data && self.left > max_body.saturating_sub(body.len()) as u64 {
                return Err(ResponseError::BodyTooLarge);
            }
        }
        Ok((used, false))
    }

    /// One byte that is not content. True after the last one.
    fn step(&mut self, byte: u8) -> Result<bool, ResponseError> {
        const BAD: ResponseError = ResponseError::Malformed("a chunk is not framed as one");
        self.line_bytes += 1;
        if self.line_bytes > MAX_LINE_BYTES {
            return Err(ResponseError::HeadTooLarge);
        }
        self.at = match (self.at, byte) {
            (At::Size { .. }, _) if byte.is_ascii_hexdigit() => {
                let digit = (byte as char).to_digit(16).map_or(0, u64::from);
                self.left = self.left.checked_mul(16).and_then(|left| left.checked_add(digit)).ok_or(BAD)?;
                At::Size { any_digit: true }
            }
            (At::Size { any_digit: true }, b';') => At::Extension,
            (At::Size { any_digit: true } | At::Extension, b'\r') => At::SizeEnd,
            (At::Extension, _) if byte != b'\n' => At::Extension,
            (At::SizeEnd, b'\n') if self.left == 0 => At::TrailerStart,
            (At::SizeEnd, b'\n') => At::Data,
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

    fn decode(input: &[u8]) -> Result<(Vec<u8>, usize, bool), ResponseError> {
        let mut body = Vec::new();
        let (used, done) = ChunkDecoder::new().decode(input, &mut body, 1_000)?;
        Ok((body, used, done))
    }

    #[test]
    fn chunks_are_joined_and_extensions_and_trailers_left_out() {
        let input = b"5;a=\"b\"\r\nhello\r\n00B\r\n, generator\r\n0\r\nx-sum: 1\r\ny: 2\r\n\r\nrest";
        let (body, used, done) = decode(input).expect("a valid coding");
        assert_eq!(body, b"hello, generator");
        assert_eq!((&input[used..], done), (&b"rest"[..], true));
    }

    #[test]
    fn what_is_not_chunked_is_refused() {
        for bad in [
            &b"\r\n"[..],
            b" 5\r\n",
            b"5 \r\n",
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
        assert_eq!(decode(b"3e9\r\n"), Err(ResponseError::BodyTooLarge));
        assert!(decode(b"3e8\r\n").is_ok());
        assert_eq!(decode(b"ffffffffffffffff\r\n"), Err(ResponseError::BodyTooLarge));
    }

    #[test]
    fn an_endless_line_is_refused() {
        let extension = [b"1;".to_vec(), vec![b'x'; MAX_LINE_BYTES]].concat();
        assert_eq!(decode(&extension), Err(ResponseError::HeadTooLarge));
        let trailers = [b"0\r\n".to_vec(), b"a: b\r\n".repeat(MAX_LINE_BYTES / 6 + 1)].concat();
        assert_eq!(decode(&trailers), Err(ResponseError::HeadTooLarge));
    }
}
