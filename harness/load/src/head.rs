//! The head of a response: where it ends, and how what follows it is delimited (RFC 9112, sections 4 to 6).
//!
//! Heads as servers write them today are read where they lie. What is rare and allowed all the same costs only those who send
//! it (see [`read_unusual`]).

use std::{borrow::Cow, mem::MaybeUninit};

use httparse::{Header, ParserConfig, Status};

use crate::response_error::ResponseError;

/// Heads with more header fields than this are unusual.
const USUAL_FIELDS: usize = 64;

/// How the content of a response is delimited (RFC 9112, section 6.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    Length(u64),
    Chunked,
    UntilClose,
}

/// What matters of a head.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    /// How long it is, with the empty line.
    pub(crate) bytes: usize,
    pub(crate) status: u16,
    pub(crate) keep_alive: bool,
    pub(crate) framing: Framing,
}

impl Head {
    /// The head at the start of `bytes`, which is to be no longer than `most`; `None` when it is not complete.
    #[inline]
    pub(crate) fn read(
        bytes: &[u8],
        most: usize,
        answers_have_bodies: bool,
    ) -> Result<Option<Self>, ResponseError> {
        let within_limit = &bytes[..bytes.len().min(most)];
        let mut storage = [MaybeUninit::uninit(); USUAL_FIELDS];
        let mut response = httparse::Response::new(&mut []);
        let parsed = ParserConfig::default().parse_response_with_uninit_headers(
            &mut response,
            within_limit,
            &mut storage,
        );
        let head = match parsed {
            Ok(Status::Complete(length)) => Some(Self::of(&response, length, answers_have_bodies)?),
            Ok(Status::Partial) => None,
            Err(_) => read_unusual(within_limit, answers_have_bodies)?,
        };
        if head.is_none() && within_limit.len() == most {
            return Err(ResponseError::HeadTooLarge { limit: most });
        }
        Ok(head)
    }

    pub(crate) fn is_informational(&self) -> bool {
        is_informational(self.status)
    }

    fn of(
        response: &httparse::Response<'_, '_>,
        bytes: usize,
        answers_have_bodies: bool,
    ) -> Result<Self, ResponseError> {
        let status = response.code.unwrap_or(0);
        if !(100..1_000).contains(&status) || status == 101 {
            return Err(ResponseError::Malformed("the status is not a final one"));
        }
        let fields = Fields::read(response.headers)?;
        let framing = if !answers_have_bodies || is_informational(status) || matches!(status, 204 | 304) {
            Framing::Length(0)
        } else if fields.chunked {
            Framing::Chunked
        } else {
            fields.content_length.map_or(Framing::UntilClose, Framing::Length)
        };
        let is_current = response.version == Some(1);
        let persistent = !fields.connection_close && (is_current || fields.connection_keep_alive);
        // RFC 9112, section 6.1: with a length beside the coding, or a coding in HTTP/1.0, the coding decides and the
        // connection is not to be reused.
        let is_ambiguous = fields.chunked && (fields.content_length.is_some() || !is_current);
        let keep_alive = persistent && framing != Framing::UntilClose && !is_ambiguous;
        Ok(Self { bytes, status, keep_alive, framing })
    }
}

/// Reads a head that the strict reading refused: one with more fields than usual, with folded ones, which a user agent takes as
/// if a blank were there (RFC 9112, section 5.2), with blanks before a colon (section 5.1), with several blanks in its first
/// line (section 4), or of a later HTTP/1 than 1.1, which is read as 1.1 (RFC 9110, section 2.5).
#[cold]
fn read_unusual(bytes: &[u8], answers_have_bodies: bool) -> Result<Option<Head>, ResponseError> {
    let bytes = as_version_1_1(bytes);
    // Each field ends a line, so that there is room for all of them.
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    let mut storage: Vec<MaybeUninit<Header<'_>>> = vec![MaybeUninit::uninit(); lines + 1];
    let mut response = httparse::Response::new(&mut []);
    let parsed = ParserConfig::default()
        .allow_obsolete_multiline_headers_in_responses(true)
        .allow_spaces_after_header_name_in_responses(true)
        .allow_multiple_spaces_in_response_status_delimiters(true)
        .parse_response_with_uninit_headers(&mut response, &bytes, &mut storage);
    match parsed {
        Ok(Status::Complete(length)) => Head::of(&response, length, answers_have_bodies).map(Some),
        Ok(Status::Partial) => Ok(None),
        Err(_) => Err(ResponseError::Malformed("the head is not one of HTTP/1.x")),
    }
}

fn as_version_1_1(bytes: &[u8]) -> Cow<'_, [u8]> {
    const MINOR: usize = b"HTTP/1.".len();
    match bytes.get(MINOR) {
        Some(b'2'..=b'9') if bytes.starts_with(b"HTTP/1.") => {
            let mut current = bytes.to_owned();
            current[MINOR] = b'1';
            Cow::Owned(current)
        }
        _ => Cow::Borrowed(bytes),
    }
}

/// The header fields that decide framing and reuse.
#[derive(Debug, Default)]
struct Fields {
    content_length: Option<u64>,
    chunked: bool,
    connection_close: bool,
    connection_keep_alive: bool,
}

impl Fields {
    fn read(headers: &[Header<'_>]) -> Result<Self, ResponseError> {
        let mut fields = Self::default();
        for header in headers {
            // The length first: most names are ruled out by it.
            match header.name.len() {
                14 if header.name.eq_ignore_ascii_case("content-length") => {
                    let length = decimal(header.value)?;
                    if fields.content_length.is_some_and(|other| other != length) {
                        return Err(ResponseError::Malformed("two content lengths differ"));
                    }
                    fields.content_length = Some(length);
                }
                17 if header.name.eq_ignore_ascii_case("transfer-encoding") => {
                    for coding in elements(header.value) {
                        if fields.chunked || !coding.eq_ignore_ascii_case(b"chunked") {
                            return Err(ResponseError::Malformed("the transfer coding is not `chunked`"));
                        }
                        fields.chunked = true;
                    }
                }
                10 if header.name.eq_ignore_ascii_case("connection") => {
                    for option in elements(header.value) {
                        fields.connection_close |= option.eq_ignore_ascii_case(b"close");
                        fields.connection_keep_alive |= option.eq_ignore_ascii_case(b"keep-alive");
                    }
                }
                _ => {}
            }
        }
        Ok(fields)
    }
}

/// The elements of a list, empty ones left out (RFC 9110, section 5.6.1.2). The line breaks of a folded field are blanks.
fn elements(value: &[u8]) -> impl Iterator<Item = &[u8]> {
    value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii).filter(|element| !element.is_empty())
}

fn decimal(value: &[u8]) -> Result<u64, ResponseError> {
    const BAD: ResponseError = ResponseError::Malformed("the content length is not a number");
    let digits = value.trim_ascii();
    if digits.is_empty() {
        return Err(BAD);
    }
    digits.iter().try_fold(0_u64, |sum, byte| {
        let digit = byte.wrapping_sub(b'0');
        if digit > 9 {
            return Err(BAD);
        }
        sum.checked_mul(10).and_then(|sum| sum.checked_add(u64::from(digit))).ok_or(BAD)
    })
}

fn is_informational(status: u16) -> bool {
    (100..200).contains(&status)
}
