//! The request methods that exist, so that one that does not can be told from one that is not allowed here.

/// The methods that some path allows: the answer to `OPTIONS *`.
pub const ALLOW_ANY: &str = "GET, HEAD, POST, OPTIONS";

/// A method of RFC 9110 section 9.3, PATCH (RFC 5789), or QUERY (the HTTP working group's "The HTTP QUERY Method"),
/// which clients have begun to send. Anything else is answered 501.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Method {
    /// Asks for an answer.
    Get,
    /// Asks for the head of the answer that GET would give.
    Head,
    /// Hands over a body.
    Post,
    /// Asks which methods a path allows.
    Options,
    /// Known; no path allows it.
    Put,
    /// Known; no path allows it.
    Delete,
    /// Known; no path allows it.
    Patch,
    /// Known; no path allows it.
    Trace,
    /// Known; no path allows it.
    Connect,
    /// Known; no path allows it.
    Query,
}

impl Method {
    /// Reads a method's name. Names are case-sensitive (RFC 9110 section 9.1), so `get` is unknown.
    pub fn parse(name: &str) -> Option<Self> {
        Some(match name {
            "GET" => Self::Get,
            "HEAD" => Self::Head,
            "POST" => Self::Post,
            "OPTIONS" => Self::Options,
            "PUT" => Self::Put,
            "DELETE" => Self::Delete,
            "PATCH" => Self::Patch,
            "TRACE" => Self::Trace,
            "CONNECT" => Self::Connect,
            "QUERY" => Self::Query,
            _ => return None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn method_names_are_case_sensitive() {
        assert_eq!(Method::parse("GET"), Some(Method::Get));
        assert_eq!(Method::parse("QUERY"), Some(Method::Query));
        assert_eq!(Method::parse("get"), None);
        assert_eq!(Method::parse(""), None);
        assert_eq!(Method::parse("BREW"), None);
    }
}
