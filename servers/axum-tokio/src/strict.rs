//! What hyper lets pass although two servers could read it differently, so that bytes of one request are taken for another: refused here,
//! and the connection closed. Nothing else of what axum does is mended.

use axum::{
    extract::Request,
    http::{
        StatusCode, Version,
        header::{EXPECT, HOST, TRANSFER_ENCODING},
    },
};
use kit::page::Page;

/// The answer to a request that is not served; the connection closes behind it.
pub(crate) fn refusal(request: &Request) -> Option<Page> {
    let fields = request.headers();
    let mut codings = fields.get_all(TRANSFER_ENCODING).iter();
    let is_framed = match (codings.next(), codings.next()) {
        (None, _) => true,
        (Some(coding), None) => coding.as_bytes().eq_ignore_ascii_case(b"chunked"),
        (Some(_), Some(_)) => false,
    };
    if !is_framed {
        // hyper looks at the end of the last one alone.
        return Some(refuse(StatusCode::NOT_IMPLEMENTED, "Transfer-Encoding can only be chunked"));
    }
    if fields.contains_key(EXPECT)
        && request.version() >= Version::HTTP_11
        && fields.get_all(HOST).iter().count() != 1
    {
        // Whoever refuses it sends no body: what comes next would be taken for one.
        return Some(refuse(StatusCode::BAD_REQUEST, "Host must be there once"));
    }
    None
}

fn refuse(status: StatusCode, reason: &str) -> Page {
    Page::refusal(status.as_u16(), reason)
}
