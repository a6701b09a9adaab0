//! What a request asks for, and whether it can be served without mistaking the next one.
//!
//! The library frames a body by the first Content-Length that it finds, panics if that is no number, and knows no
//! transfer coding. Whatever it would frame otherwise than its client is refused here, before the library is asked.

use std::{borrow::Cow, str};

use kit::{connection::MAX_HEAD_BYTES, page, service::Site};
use may_minihttp::Request;

/// A refusal, after which the connection must close: what follows on it cannot be told from a body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Refusal {
    pub(super) status: u16,
    pub(super) reason: &'static str,
}

const fn refuse<T>(status: u16, reason: &'static str) -> Result<T, Refusal> {
    Err(Refusal { status, reason })
}

/// What `/echo` gives back.
#[derive(Debug)]
pub(super) enum Echo {
    /// The header fields, as text.
    Fields(Vec<u8>),
    /// The body, with its content type.
    Body(Cow<'static, str>),
}

/// A request's head.
#[derive(Debug)]
pub(super) struct Asked {
    pub(super) routed: Result<app::Request, app::Rejection>,
    /// The path's, also where the request is rejected.
    pub(super) endpoint: Option<app::Endpoint>,
    pub(super) head_only: bool,
    /// Whether the answer is the connection's last.
    pub(super) close: bool,
    /// An older client is to be told that its connection stays open.
    pub(super) keep_1_0: bool,
    /// The client waits for leave to send the body.
    pub(super) waits: bool,
    /// Bytes of the body.
    pub(super) length: u64,
    pub(super) echo: Echo,
}

impl Asked {
    pub(super) fn of(request: &Request<'_, '_, '_>, site: &Site) -> Result<Self, Refusal> {
        let method = request.method();
        if method.len() > MAX_HEAD_BYTES {
            return refuse(501, "the method is longer than any that is known");
        }
        let mut bytes = method.len() + request.path().len();
        if bytes > MAX_HEAD_BYTES {
            return refuse(414, "the target is too long");
        }
        let (mut hosts, mut length, mut close, mut keep, mut waits) = (0, None, false, false, false);
        let mut is_conditional = false;
        for field in request.headers() {
            bytes += field.name.len() + field.value.len();
            let is = |name| field.name.eq_ignore_ascii_case(name);
            if is("host") {
                hosts += 1;
            } else if is("content-length") {
                let stated = str::from_utf8(field.value).ok().filter(|text| is_number(text));
                let Some(stated) = stated.and_then(|text| text.parse::<u64>().ok()) else {
                    return refuse(400, "the Content-Length is no number");
                };
                if length.is_some() {
                    return refuse(400, "there is more than one Content-Length");
                }
                length = Some(stated);
            } else if is("transfer-encoding") {
                return refuse(400, "this server reads no transfer codings: send a Content-Length");
            } else if is("connection") {
                close |= has_token(field.value, "close");
                keep |= has_token(field.value, "keep-alive");
            } else if is("expect") {
                if !field.value.eq_ignore_ascii_case(b"100-continue") {
                    return refuse(417, "only 100-continue can be expected");
                }
                waits = true;
            } else {
                is_conditional |= is("if-match") || is("if-none-match");
            }
        }
        if bytes > MAX_HEAD_BYTES {
            return refuse(431, "the head is too long");
        }
        let is_1_0 = request.version() == 0;
        if hosts > 1 || hosts == 0 && !is_1_0 {
            return refuse(400, "there must be one Host");
        }
        let length = length.unwrap_or(0);
        if length > site.limits.max_body_bytes {
            return refuse(413, "the body is too long");
        }
        let target = origin_form(request.path());
        let (path, query) =
            target.split_once('?').map_or((target, None), |(path, query)| (path, Some(query)));
        let mut routed = app::route_with(method, path, query, site.faults);
        if is_conditional {
            let lines = |name: &'static str| {
                let named =
                    request.headers().iter().filter(move |field| field.name.eq_ignore_ascii_case(name));
                named.map(|field| field.value)
            };
            routed = routed.and_then(|request| {
                page::conditional(site, method, request, lines("if-match"), lines("if-none-match"))
            });
        }
        let echo = match routed {
            Ok(app::Request::Echo) => echo(request),
            _ => Echo::Fields(Vec::new()),
        };
        let (refused, waits) = (routed.is_err(), waits && !is_1_0 && length > 0);
        Ok(Self {
            endpoint: app::Endpoint::of(path),
            routed,
            head_only: method == "HEAD",
            // A body that its client waits to send, for nothing, is not asked for.
            close: close || is_1_0 && !keep || waits && refused,
            keep_1_0: is_1_0 && keep,
            waits,
            length,
            echo,
        })
    }
}

/// What `parse` alone does not say: it takes a sign.
fn is_number(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit())
}

fn has_token(value: &[u8], token: &str) -> bool {
    value.split(|&byte| byte == b',').any(|part| part.trim_ascii().eq_ignore_ascii_case(token.as_bytes()))
}

/// The path and query of an absolute target; any other target as it is.
fn origin_form(target: &str) -> &str {
    match target.split_once("://") {
        Some((scheme, rest)) if scheme.eq_ignore_ascii_case("http") => {
            rest.find(['/', '?']).map_or("/", |start| &rest[start..])
        }
        _ => target,
    }
}

fn echo(request: &Request<'_, '_, '_>) -> Echo {
    let fields = request.headers();
    if request.method() != "POST" {
        let text = page::echoed(fields.iter().map(|field| (field.name, field.value)));
        return Echo::Fields(text);
    }
    let content_type = fields.iter().find(|field| field.name.eq_ignore_ascii_case("content-type"));
    let content_type = content_type.and_then(|field| str::from_utf8(field.value).ok());
    Echo::Body(content_type.map_or(page::BYTES.into(), |text| text.to_owned().into()))
}
