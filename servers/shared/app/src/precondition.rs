//! Preconditions: requests that are performed only under a condition (RFC 9110 section 13).
//!
//! Every path that GET serves has a representation, and none has an entity tag or a date of its last change, since nearly all are made
//! anew for each request. So `*` matches, and no entity tag does, by the weak and by the strong comparison alike; and the
//! fields that compare dates, If-Modified-Since and If-Unmodified-Since, are to be ignored (sections 13.1.3 and 13.1.4), as
//! is If-Range where no ranges are served (section 13.1.5).

use crate::{rejection::Rejection, route::Request};

/// Whether `request` is to be performed, as far as its preconditions decide. It must be one that would be answered with success
/// without them: what fails otherwise fails as it would (section 13.2.1).
///
/// `if_match` and `if_none_match` are the values of the lines with these fields' names.
///
/// # Errors
///
/// [`Rejection::PreconditionFailed`], or [`Rejection::NotModified`] for GET and HEAD where If-None-Match says so.
///
/// ```
/// let request = app::route("GET", "/simple", None).unwrap();
/// let none: [&[u8]; 0] = [];
/// let outcome = app::check_preconditions("GET", &request, none, [b"*".as_slice()]);
/// assert_eq!(outcome, Err(app::Rejection::NotModified));
/// ```
pub fn check_preconditions<'a>(
    method: &str,
    request: &Request,
    if_match: impl IntoIterator<Item = &'a [u8]>,
    if_none_match: impl IntoIterator<Item = &'a [u8]>,
) -> Result<(), Rejection> {
    // Section 13.2.1: methods that neither select nor change a representation. Of these only OPTIONS is served.
    if let Request::Options { .. } = request {
        return Ok(());
    }
    // Section 13.2.2 has the order.
    if matches_any(if_match) == Some(false) {
        return Err(Rejection::PreconditionFailed);
    }
    match (matches_any(if_none_match), method) {
        (Some(true), "GET" | "HEAD") => Err(Rejection::NotModified),
        (Some(true), _) => Err(Rejection::PreconditionFailed),
        _ => Ok(()),
    }
}

/// Whether what a field lists matches the representation; `None` where the field is absent.
fn matches_any<'a>(lines: impl IntoIterator<Item = &'a [u8]>) -> Option<bool> {
    let mut lines = lines.into_iter().peekable();
    lines.peek()?;
    Some(lines.any(|line| members(line).any(|member| member == b"*")))
}

/// The members of a list of entity tags (section 8.8.3): within their quotes a comma is one of their characters.
fn members(line: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut is_quoted = false;
    let ends = move |&byte: &u8| {
        is_quoted ^= byte == b'"';
        byte == b',' && !is_quoted
    };
    line.split(ends).map(<[u8]>::trim_ascii)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::route::route;

    fn outcome(method: &str, path: &str, if_match: &[&str], if_none_match: &[&str]) -> u16 {
        let request = route(method, path, None).unwrap();
        let if_match = if_match.iter().map(|text| text.as_bytes());
        let if_none_match = if_none_match.iter().map(|text| text.as_bytes());
        match check_preconditions(method, &request, if_match, if_none_match) {
            Ok(()) => 200,
            Err(rejection) => rejection.status(),
        }
    }

    #[test]
    fn a_star_matches_and_no_entity_tag_does() {
        for method in ["GET", "HEAD"] {
            assert_eq!(outcome(method, "/simple", &[], &[]), 200);
            for star in ["*", " * ", "\t*", "\"a\", *", "*, \"a\"", "\"a,\", *"] {
                assert_eq!(outcome(method, "/", &[star], &[]), 200, "{star}");
                assert_eq!(outcome(method, "/", &[], &[star]), 304, "{star}");
                assert_eq!(outcome(method, "/", &["\"a\"", star], &["\"b\""]), 200, "{star}");
            }
            for tags in ["\"a\"", "W/\"a\"", "\"*\"", "\"a,*,b\"", "\"a\", W/\"*\"", "", "a", "**"] {
                assert_eq!(outcome(method, "/openapi.yaml", &[tags], &[]), 412, "{tags}");
                assert_eq!(outcome(method, "/openapi.yaml", &[], &[tags]), 200, "{tags}");
            }
        }
    }

    #[test]
    fn if_match_decides_first() {
        assert_eq!(outcome("GET", "/simple", &["\"a\""], &["*"]), 412);
        assert_eq!(outcome("GET", "/simple", &["*"], &["*"]), 304);
        assert_eq!(outcome("GET", "/simple", &["*"], &["\"a\""]), 200);
    }

    #[test]
    fn what_is_not_read_fails_and_what_selects_nothing_ignores_them() {
        assert_eq!(outcome("POST", "/echo", &[], &["*"]), 412);
        assert_eq!(outcome("POST", "/echo", &["*"], &["\"a\""]), 200);
        assert_eq!(outcome("OPTIONS", "/echo", &["\"a\""], &["*"]), 200);
    }

    proptest::proptest! {
        #[test]
        fn any_bytes_are_read_without_panic(one: Vec<u8>, other: Vec<u8>) {
            let request = route("GET", "/", None).unwrap();
            let _ = check_preconditions("GET", &request, [&one[..]], [&other[..]]);
        }
    }
}
