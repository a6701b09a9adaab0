//! Why a request is not served, and the answer that says so.

use std::fmt;

use serde::Serialize;

use crate::endpoint::Parameter;
use crate::json::json;
use crate::method::ALLOW_ANY;

/// Why a request is not served.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// Nothing is at that path: 404.
    #[error("no such path, GET / lists the ones that there are")]
    NotFound,
    /// The path does not allow that method: 405.
    #[error("method not allowed here, use one of {allow}")]
    MethodNotAllowed {
        /// The value of the `Allow` header, which the answer must carry (RFC 9110 section 15.5.6).
        allow: &'static str,
    },
    /// No path knows that method: 501.
    #[error("method not known, use one of {ALLOW_ANY}")]
    NotImplemented,
    /// A query parameter is missing, unknown, repeated or out of range: 400.
    #[error("bad parameter {name}: expected {expected}{}", given_text(given.as_deref()))]
    BadParameter {
        /// Its name, as the client wrote it.
        name: String,
        /// What would have been right.
        expected: Expected,
        /// What the client wrote; `None` if the parameter is missing.
        given: Option<String>,
    },
    /// The request was made under a condition that does not hold: 412.
    #[error("the precondition does not hold: what is here has no entity tag")]
    PreconditionFailed,
    /// The request was made under the condition that there is nothing here: 304, which has no content.
    #[error("not modified")]
    NotModified,
}

fn given_text(given: Option<&str>) -> String {
    given.map_or_else(|| ", but it is missing".to_owned(), |given| format!(", not {given:?}"))
}

impl Rejection {
    /// The status code of the answer.
    pub fn status(&self) -> u16 {
        match self {
            Self::NotFound => 404,
            Self::MethodNotAllowed { .. } => 405,
            Self::NotImplemented => 501,
            Self::BadParameter { .. } => 400,
            Self::PreconditionFailed => 412,
            Self::NotModified => 304,
        }
    }

    /// The value of the `Allow` header, where there must be one.
    pub fn allow(&self) -> Option<&'static str> {
        match self {
            Self::MethodNotAllowed { allow } => Some(allow),
            _ => None,
        }
    }

    /// The JSON body: `error` says what to do; a bad parameter adds its name (`parameter`), what was
    /// `expected`, its `minimum` and `maximum` where it has a range, and what was `given`. Empty with 304, which has none.
    pub fn body(&self) -> Vec<u8> {
        #[derive(Serialize)]
        struct Body<'a> {
            error: String,
            #[serde(skip_serializing_if = "Option::is_none")]
            parameter: Option<&'a str>,
            #[serde(skip_serializing_if = "Option::is_none")]
            expected: Option<String>,
            #[serde(skip_serializing_if = "Option::is_none")]
            minimum: Option<u64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            maximum: Option<u64>,
            #[serde(skip_serializing_if = "Option::is_none")]
            given: Option<&'a str>,
        }

        if *self == Self::NotModified {
            return Vec::new();
        }
        let mut body = Body {
            error: self.to_string(),
            parameter: None,
            expected: None,
            minimum: None,
            maximum: None,
            given: None,
        };
        if let Self::BadParameter { name, expected, given } = self {
            body.parameter = Some(name);
            body.expected = Some(expected.to_string());
            body.given = given.as_deref();
            if let Expected::Range { minimum, maximum } = *expected {
                (body.minimum, body.maximum) = (Some(minimum), Some(maximum));
            }
        }
        json(&body)
    }
}

/// What a bad parameter should have been.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expected {
    /// A decimal integer within these bounds, both included.
    Range {
        /// The smallest value accepted.
        minimum: u64,
        /// The largest value accepted.
        maximum: u64,
    },
    /// The parameter may appear only once.
    Once,
    /// There is no parameter of that name; these are the ones that there are.
    OneOf(&'static [Parameter]),
    /// There is no parameter of that name; this is the one that there is.
    Only(&'static str),
    /// One of these words.
    Word(&'static [&'static str]),
}

impl fmt::Display for Expected {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Range { minimum, maximum } => write!(f, "an integer from {minimum} to {maximum}"),
            Self::Once => f.write_str("to be given only once"),
            Self::OneOf([]) => f.write_str("no parameters here"),
            Self::OneOf(parameters) => {
                f.write_str("only ")?;
                for (position, parameter) in parameters.iter().enumerate() {
                    f.write_str(if position == 0 { "" } else { " and " })?;
                    f.write_str(parameter.name)?;
                }
                Ok(())
            }
            Self::Only(name) => write!(f, "only {name}"),
            Self::Word(words) => write!(f, "one of {}", words.join(", ")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rejections_know_their_status_and_allow_header() {
        let cases = [
            (Rejection::NotFound, 404, None),
            (Rejection::NotImplemented, 501, None),
            (Rejection::MethodNotAllowed { allow: "GET" }, 405, Some("GET")),
            (Rejection::PreconditionFailed, 412, None),
        ];
        for (rejection, status, allow) in cases {
            assert_eq!((rejection.status(), rejection.allow()), (status, allow));
            let body: serde_json::Value = serde_json::from_slice(&rejection.body()).unwrap();
            assert!(body["error"].is_string() && body.get("parameter").is_none(), "{body}");
        }
        assert_eq!((Rejection::NotModified.status(), Rejection::NotModified.body()), (304, Vec::new()));
    }
}
