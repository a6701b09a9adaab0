//! The bytes of one request, prepared once and sent many times.
//!
//! Nothing here knows where they are sent or when.

use std::sync::Arc;

/// A request that is ready to be written. Cheap to clone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    bytes: Arc<[u8]>,
    answer_has_body: bool,
}

/// Why a request cannot be prepared.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// The method is empty or holds something other than the letters of a token (RFC 9110, section 5.6.2).
    #[error("request method `{0}` is not a token; write one such as GET")]
    Method(String),
    /// The target is empty or holds a blank, a control character or something that is not ASCII.
    #[error("request target `{0}` is not one; write a path that starts with `/` and encode blanks as %20")]
    Target(String),
    /// The host is empty or holds a blank, a control character or something that is not ASCII.
    #[error("host `{0}` is not one; write NAME or NAME:PORT")]
    Host(String),
    /// A header field's name is no token, or its value holds a control character.
    #[error("header field `{0}` is malformed; write NAME and VALUE without line breaks")]
    Header(String),
    /// A header field that the generator writes itself.
    #[error("header field `{0}` is set by the generator; leave it out")]
    Reserved(String),
    /// The method asks for no answer that could be measured on a reused connection.
    #[error("method CONNECT turns the connection into a tunnel; choose another method")]
    Connect,
}

impl Request {
    /// A GET of `target`, without further header fields.
    ///
    /// # Errors
    /// The target or the host is malformed.
    pub fn get(target: &str, host: &str) -> Result<Self, RequestError> {
        Self::new("GET", target, host, &[], b"")
    }

    /// Prepares an HTTP/1.1 request. `Host` is written from `host` and `Content-Length` from `body`; a `Connection`
    /// field may be among `headers`.
    ///
    /// ```
    /// let request = load::Request::new("POST", "/echo", "localhost", &[("content-type", "text/plain")], b"hello")?;
    /// assert!(request.bytes().ends_with(b"content-length: 5\r\n\r\nhello"));
    /// # Ok::<(), load::RequestError>(())
    /// ```
    ///
    /// # Errors
    /// A part is malformed, or a header field is one that the generator writes itself.
    pub fn new(
        method: &str,
        target: &str,
        host: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Self, RequestError> {
        if !is_token(method) {
            return Err(RequestError::Method(method.to_owned()));
        }
        if method == "CONNECT" {
            return Err(RequestError::Connect);
        }
        if !is_visible_ascii(target) {
            return Err(RequestError::Target(target.to_owned()));
        }
        if !is_visible_ascii(host) {
            return Err(RequestError::Host(host.to_owned()));
        }
        let mut bytes = format!("{method} {target} HTTP/1.1\r\nhost: {host}\r\n").into_bytes();
        for (name, value) in headers {
            check_header(name, value)?;
            bytes.extend(format!("{name}: {value}\r\n").bytes());
        }
        // RFC 9110, section 8.6: a method that gives its content a meaning says how long it is even when empty.
        if !body.is_empty() || matches!(method, "POST" | "PUT" | "PATCH") {
            bytes.extend(format!("content-length: {}\r\n", body.len()).bytes());
        }
        bytes.extend(b"\r\n");
        bytes.extend(body);
        Ok(Self { bytes: bytes.into(), answer_has_body: method != "HEAD" })
    }

    /// What is written to the socket.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Whether a final answer may carry content; false for HEAD.
    pub fn answer_has_body(&self) -> bool {
        self.answer_has_body
    }
}

fn check_header(name: &str, value: &str) -> Result<(), RequestError> {
    if !is_token(name) || value.chars().any(|c| c.is_control() && c != '\t') {
        return Err(RequestError::Header(name.to_owned()));
    }
    let reserved = ["host", "content-length", "transfer-encoding"];
    if reserved.iter().any(|own| name.eq_ignore_ascii_case(own)) {
        return Err(RequestError::Reserved(name.to_owned()));
    }
    Ok(())
}

fn is_token(text: &str) -> bool {
    !text.is_empty()
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

fn is_visible_ascii(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_get_is_its_line_and_its_host() {
        let request = Request::get("/simple", "127.0.0.1:80").expect("a valid request");
        assert_eq!(request.bytes(), b"GET /simple HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n");
        assert!(request.answer_has_body());
    }

    #[test]
    fn an_empty_post_says_that_it_is_empty() {
        let request = Request::new("POST", "/echo", "h", &[], b"").expect("a valid request");
        assert!(request.bytes().ends_with(b"content-length: 0\r\n\r\n"));
    }

    #[test]
    fn a_head_request_expects_no_body() {
        let request = Request::new("HEAD", "/", "h", &[], b"").expect("a valid request");
        assert!(!request.answer_has_body());
    }

    #[test]
    fn nothing_can_smuggle_a_line_break_into_the_head() {
        assert!(matches!(Request::get("/a\r\nx: y", "h"), Err(RequestError::Target(_))));
        assert!(matches!(Request::get("/", "h\nx"), Err(RequestError::Host(_))));
        assert!(matches!(Request::new("GET /", "/", "h", &[], b""), Err(RequestError::Method(_))));
        assert!(matches!(
            Request::new("GET", "/", "h", &[("a", "b\r\nc: d")], b""),
            Err(RequestError::Header(_))
        ));
        assert!(matches!(Request::new("GET", "/", "h", &[("a b", "c")], b""), Err(RequestError::Header(_))));
    }

    #[test]
    fn framing_fields_are_the_generators_own() {
        for name in ["Host", "content-length", "Transfer-Encoding"] {
            assert_eq!(
                Request::new("GET", "/", "h", &[(name, "1")], b""),
                Err(RequestError::Reserved(name.to_owned()))
            );
        }
    }
}
