//! Answers without the types of an HTTP library: what any server here says where no operation is asked for, or where one
//! has no answer.

use std::{borrow::Cow, time::Duration};

use app::{Rejection, Request};
use bytes::Bytes;

use crate::{execute::Refused, site::Site};

/// The content type of operations' answers and of all refusals.
pub const JSON: &str = "application/json";
/// Of plain text.
pub const TEXT: &str = "text/plain; charset=utf-8";
/// Of a body that is given back and came without one.
pub const BYTES: &str = "application/octet-stream";
const PROMETHEUS: &str = "text/plain; version=0.0.4";
/// RFC 9512 section 2.1: YAML is UTF-8 by default, and has no charset parameter.
const YAML: &str = "application/yaml";

/// An answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The status.
    pub status: u16,
    /// The value of `Content-Type`; none with 204 and 304, which have no content.
    pub content_type: Option<&'static str>,
    /// The value of `Allow`, if there is to be one.
    pub allow: Option<&'static str>,
    /// What `Retry-After` says, if it is to be there.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Bytes,
}

impl Page {
    fn new(status: u16, content_type: &'static str, body: impl Into<Bytes>) -> Self {
        Self { status, content_type: Some(content_type), allow: None, retry_after: None, body: body.into() }
    }

    /// What `site` answers to a request that asks neither for an operation nor for its own content back; else nothing.
    pub fn of(site: &Site, request: &Request) -> Option<Self> {
        Some(match request {
            Request::Index => Self::new(200, JSON, app::index_body()),
            Request::OpenApi => Self::new(200, YAML, app::OPENAPI),
            Request::Info => Self::new(200, JSON, site.info().body()),
            Request::Metrics => Self::new(200, PROMETHEUS, site.metrics.text(site.server)),
            Request::Healthz if site.stopping.is_raised() => Self::new(503, TEXT, "draining"),
            Request::Healthz => Self::new(
                200,
                TEXT,
                match site.health() {
                    Cow::Borrowed(words) => Bytes::from_static(words.as_bytes()),
                    Cow::Owned(words) => words.into(),
                },
            ),
            Request::Options { allow } => Self {
                status: 204,
                content_type: None,
                allow: Some(*allow),
                retry_after: None,
                body: Bytes::new(),
            },
            Request::Operation(_) | Request::Echo => return None,
        })
    }

    /// A refusal in this crate's own words, which hold no character that JSON would escape.
    pub fn refusal(status: u16, reason: &str) -> Self {
        Self::new(status, JSON, format!("{{\"error\":\"{reason}\"}}"))
    }
}

impl From<&Rejection> for Page {
    fn from(rejection: &Rejection) -> Self {
        let page = Self::new(rejection.status(), JSON, rejection.body());
        let content_type = page.content_type.filter(|_| !page.body.is_empty());
        Self { allow: rejection.allow(), content_type, ..page }
    }
}

impl From<Refused> for Page {
    fn from(refused: Refused) -> Self {
        let (status, retry_after) = match refused {
            Refused::Busy { retry_after } => (503, Some(retry_after)),
            Refused::Panicked => (500, None),
        };
        Self { retry_after, ..Self::refusal(status, &refused.to_string()) }
    }
}

/// `request`, if it is to be performed: see [`app::check_preconditions`].
///
/// # Errors
/// It is not.
pub fn conditional<'a>(
    site: &Site,
    method: &str,
    request: Request,
    if_match: impl IntoIterator<Item = &'a [u8]>,
    if_none_match: impl IntoIterator<Item = &'a [u8]>,
) -> Result<Request, Rejection> {
    // RFC 9110 section 13.2.1: what fails without preconditions fails with them.
    if request == Request::Healthz && site.stopping.is_raised() {
        return Ok(request);
    }
    app::check_preconditions(method, &request, if_match, if_none_match).map(|()| request)
}

/// What `GET /echo` answers: header fields, one `name: value` a line, in the order in which they are given.
pub fn echoed<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> Vec<u8> {
    let mut text = Vec::new();
    for (name, value) in fields {
        text.extend(name.bytes().map(|byte| byte.to_ascii_lowercase()));
        text.extend_from_slice(b": ");
        text.extend_from_slice(value);
        text.push(b'\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_who_is_refused_for_want_of_room_is_told_when_to_come_back() {
        let page = Page::from(Refused::Busy { retry_after: Duration::from_secs(1) });
        assert_eq!((page.status, page.retry_after), (503, Some(Duration::from_secs(1))));
        assert_eq!(Page::from(Refused::Panicked).body, r#"{"error":"the operation failed"}"#);
    }

    #[test]
    fn fields_are_echoed_in_their_order_with_names_in_lower_case() {
        let fields = [("B", b"2".as_slice()), ("a", b"\xff")];
        assert_eq!(echoed(fields), b"b: 2\na: \xff\n");
    }
}
