//! Where a request's body ends.

use std::io::Write;

use super::connection::{Connection, Head, Stop};
use super::{Fault, MAX_BODY, MAX_LINE, strict};

impl Connection {
    /// The body, and whether its end was declared in two ways.
    pub(super) fn read_body(&mut self, head: &Head) -> Result<(Vec<u8>, bool), Stop> {
        let lengths: Vec<&str> = head.all("content-length").collect();
        let codings: Vec<&str> = head.all("transfer-encoding").collect();
        let chunked = match codings.as_slice() {
            [] => false,
            codings if self.fault == Fault::FindsChunkedAnywhere => {
                codings.iter().any(|coding| coding.contains("chunked"))
            }
            [coding] if coding.eq_ignore_ascii_case("chunked") => true,
            _ if self.fault == Fault::IgnoresUnknownCodings => false,
            _ => return Err(Stop::Refuse(400)),
        };
        let length = match lengths.as_slice() {
            [] => 0,
            [length] => self.length(length)?,
            [length, ..] if self.fault == Fault::TakesConflictingLengths => self.length(length)?,
            _ => return Err(Stop::Refuse(400)),
        };
        if length > MAX_BODY && self.fault != Fault::HasNoBodyLimit {
            return Err(Stop::Refuse(413));
        }
        if self.fault == Fault::LeavesBodiesUnread && head.target != "/echo" {
            return Ok((Vec::new(), false));
        }
        let has_body = chunked || length > 0;
        let heeds = head.minor_version > 0 || self.fault == Fault::ContinuesInHttp10;
        if has_body
            && heeds
            && head.has_token("expect", "100-continue")
            && self.fault != Fault::NeverContinues
        {
            self.stream.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
        }
        if chunked && (lengths.is_empty() || self.fault != Fault::PrefersLengthToChunks) {
            let ambiguous = !lengths.is_empty() || head.minor_version == 0;
            return Ok((self.read_chunks()?, ambiguous && self.fault != Fault::KeepsOpenAfterBothFramings));
        }
        Ok((self.take(length)?, false))
    }

    fn length(&self, text: &str) -> Result<usize, Stop> {
        let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        match text.parse() {
            Ok(length) if length > usize::MAX - 2 && self.fault == Fault::CallsGreatLengthsLongHeads => {
                Err(Stop::Refuse(431))
            }
            Ok(length) if digits => Ok(length),
            _ if self.fault == Fault::TakesBadLengths => Ok(0),
            _ => Err(Stop::Refuse(400)),
        }
    }

    fn read_chunks(&mut self) -> Result<Vec<u8>, Stop> {
        let mut body = Vec::new();
        let mut extensions_length = 0;
        loop {
            let line = self.line()?;
            let digits = line.iter().position(|byte| !byte.is_ascii_hexdigit()).unwrap_or(line.len());
            let (digits, extensions) = line.split_at(digits);
            if !strict::are_extensions(extensions)
                && !matches!(self.fault, Fault::TakesBadExtensions | Fault::TakesBadChunks)
            {
                return Err(Stop::Refuse(400));
            }
            extensions_length += extensions.len();
            if extensions_length > MAX_LINE && self.fault != Fault::HasNoTrailerLimit {
                return Err(Stop::Refuse(400));
            }
            let radix = if self.fault == Fault::CountsChunksInDecimal { 10 } else { 16 };
            let size = match usize::from_str_radix(&String::from_utf8_lossy(digits), radix) {
                Ok(size) => size,
                Err(_) if self.fault == Fault::TakesBadChunks => 5,
                Err(_) => return Err(Stop::Refuse(400)),
            };
            if size == 0 {
                break;
            }
            if body.len().saturating_add(size) > MAX_BODY && self.fault != Fault::HasNoBodyLimit {
                return Err(Stop::Refuse(413));
            }
            body.extend(self.take(size)?);
            if self.take(2)? != b"\r\n" && self.fault != Fault::TakesBadChunks {
                return Err(Stop::Refuse(400));
            }
        }
        self.read_trailers()?;
        Ok(body)
    }

    fn read_trailers(&mut self) -> Result<(), Stop> {
        let mut length = 0;
        loop {
            let line = self.line()?;
            if line.is_empty() {
                return Ok(());
            }
            length += line.len();
            if length > MAX_LINE && self.fault != Fault::HasNoTrailerLimit {
                return Err(Stop::Refuse(431));
            }
            if !strict::is_trailer(&line) && self.fault != Fault::TakesBadTrailers {
                return Err(Stop::Refuse(400));
            }
            if self.fault == Fault::HeedsTrailers && line.starts_with(b"Content-Length: ") {
                self.take(50)?;
            }
            let heeded = matches!(self.fault, Fault::HeedsTrailers | Fault::IgnoresTrailers);
            if strict::frames_or_routes(&line) && !heeded {
                return Err(Stop::Refuse(400));
            }
        }
    }

    /// The next line without its end, which is CRLF and nothing else.
    fn line(&mut self) -> Result<Vec<u8>, Stop> {
        loop {
            if let Some(end) = self.buffer.iter().position(|&byte| byte == b'\n') {
                let line = self.take(end + 1)?;
                return match line.strip_suffix(b"\r\n").or(line.strip_suffix(b"\n")) {
                    Some(text) if self.fault == Fault::TakesLineFeedsInChunks => Ok(text.to_vec()),
                    _ => match line.strip_suffix(b"\r\n") {
                        Some(text) if !text.contains(&b'\r') => Ok(text.to_vec()),
                        _ => Err(Stop::Refuse(400)),
                    },
                };
            }
            if self.buffer.len() > MAX_LINE && self.fault != Fault::HasNoTrailerLimit {
                return Err(Stop::Refuse(431));
            }
            self.need_more()?;
        }
    }
}
