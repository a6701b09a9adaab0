//! What a person names to be loaded: a URL becomes an address, a `Host` and a target.
//!
//! Nothing here sends a request. The only host that is ever contacted is the one in the URL: what is relative to it
//! stays on it, and names of another host are refused.

use std::{
    fmt, io,
    net::{SocketAddr, TcpStream, ToSocketAddrs},
    time::Duration,
};

use url::{Host, Url};

/// How long each address of a name with several may take to accept a connection before the next is tried.
const TRY_ADDRESS: Duration = Duration::from_millis(500);

/// Where requests go and what they ask for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The address to connect to. Of a name with several, the first that accepts a connection, like curl.
    pub address: SocketAddr,
    /// The value of the `Host` field: the name as given, with the port where it is not 80.
    pub host: String,
    /// The request target: path and query, percent-encoded, starting with `/`.
    pub path: String,
    url: Url,
}

/// Why a text names nothing that can be loaded.
#[derive(Debug, thiserror::Error)]
pub enum TargetError {
    /// It is no URL.
    #[error("`{given}` is no URL ({reason}); write one such as http://127.0.0.1:8080/simple")]
    Malformed {
        /// What was given.
        given: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Encryption is not part of what is measured.
    #[error("`{given}` asks for TLS, which is not supported; measure the server behind it with {instead}")]
    Tls {
        /// What was given.
        given: String,
        /// The same in clear.
        instead: String,
    },
    /// Another protocol.
    #[error("`{given}` has the scheme `{scheme}`; only http can be loaded")]
    Scheme {
        /// What was given.
        given: String,
        /// Its scheme.
        scheme: String,
    },
    /// A name and a password in a URL end up in shell histories and records.
    #[error(
        "`{host}` has a user name in its URL, which is not sent; write it as a header field (authorization)"
    )]
    Credentials {
        /// The host, without what should not be repeated.
        host: String,
    },
    /// A relative reference that leads away.
    #[error("`{reference}` leads to another host than {host}; only the host of the URL is contacted")]
    OtherHost {
        /// The reference.
        reference: String,
        /// The host of the URL.
        host: String,
    },
    /// The name has no address.
    #[error("host `{host}` cannot be resolved: {error}; check its spelling, or write an address")]
    Unresolvable {
        /// The name.
        host: String,
        /// Why not.
        error: io::Error,
    },
}

impl TargetError {
    /// Whether another command line would help: all but a name that has no address at the moment.
    pub fn is_usage(&self) -> bool {
        !matches!(self, Self::Unresolvable { .. })
    }
}

impl Target {
    /// Reads a URL; one without a scheme, as in `127.0.0.1:8080/simple`, is http. A fragment is left out, as in every
    /// request. A name is resolved, and where it has several addresses each is tried with one connection.
    ///
    /// # Errors
    /// The text is no URL, is not http, carries credentials, or names a host without an address.
    pub fn parse(text: &str) -> Result<Self, TargetError> {
        let url = read(text)?;
        let malformed =
            |reason: &str| TargetError::Malformed { given: text.to_owned(), reason: reason.to_owned() };
        let name = url.host().ok_or_else(|| malformed("it names no host"))?;
        let port = url.port_or_known_default().unwrap_or(80);
        if port == 0 {
            return Err(malformed(PORTS));
        }
        let address = match name {
            Host::Ipv4(address) => (address, port).into(),
            Host::Ipv6(address) => (address, port).into(),
            Host::Domain(name) => resolve(name, port)?,
        };
        let host = url.port().map_or_else(|| name.to_string(), |port| format!("{name}:{port}"));
        Ok(Self { address, host, path: target_of(&url), url })
    }

    /// The request target of a reference relative to this URL, as a browser would follow it (RFC 3986, section 5.2):
    /// `complex?iterations=9` beside `/simple` is `/complex?iterations=9`.
    ///
    /// # Errors
    /// It is no reference, or leads to another host.
    pub fn relative(&self, reference: &str) -> Result<String, TargetError> {
        let malformed = |error: url::ParseError| TargetError::Malformed {
            given: reference.to_owned(),
            reason: error.to_string(),
        };
        let joined = self.url.join(reference).map_err(malformed)?;
        if joined.origin() == self.url.origin() && joined.username().is_empty() {
            Ok(target_of(&joined))
        } else {
            Err(TargetError::OtherHost { reference: reference.to_owned(), host: self.host.clone() })
        }
    }
}

/// The whole URL.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.host, self.path)
    }
}

fn read(text: &str) -> Result<Url, TargetError> {
    let text = text.trim();
    let given = || text.to_owned();
    let with_scheme = if has_scheme(text) { given() } else { format!("http://{text}") };
    let url = Url::parse(&with_scheme)
        .map_err(|error| TargetError::Malformed { given: given(), reason: reason(error) })?;
    match url.scheme() {
        "http" => {}
        "https" => {
            let instead = format!("http{}", url.as_str().trim_start_matches("https"));
            return Err(TargetError::Tls { given: given(), instead });
        }
        scheme => return Err(TargetError::Scheme { given: given(), scheme: scheme.to_owned() }),
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err(TargetError::Credentials { host: url.host_str().unwrap_or_default().to_owned() });
    }
    Ok(url)
}

/// What is wrong with a port that is none.
const PORTS: &str = "ports are whole numbers from 1 to 65535";

fn reason(error: url::ParseError) -> String {
    if error == url::ParseError::InvalidPort { PORTS.to_owned() } else { error.to_string() }
}

/// `localhost:8080` has none, although it looks like the scheme `localhost` to a URL parser.
fn has_scheme(text: &str) -> bool {
    text.split_once("://").is_some_and(|(scheme, _)| {
        !scheme.is_empty()
            && scheme.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"+-.".contains(&byte))
    })
}

fn target_of(url: &Url) -> String {
    url.query().map_or_else(|| url.path().to_owned(), |query| format!("{}?{query}", url.path()))
}

fn resolve(name: &str, port: u16) -> Result<SocketAddr, TargetError> {
    let unresolvable = |error| TargetError::Unresolvable { host: name.to_owned(), error };
    let addresses: Vec<SocketAddr> = (name, port).to_socket_addrs().map_err(unresolvable)?.collect();
    let accepts = |address: &&SocketAddr| TcpStream::connect_timeout(address, TRY_ADDRESS).is_ok();
    let first = *addresses.first().ok_or_else(|| unresolvable(io::ErrorKind::NotFound.into()))?;
    if addresses.len() == 1 {
        return Ok(first);
    }
    // `localhost` is often ::1 first, where a server on 127.0.0.1 does not listen. Where none accepts, the first is
    // what the refusal will name.
    Ok(addresses.iter().find(accepts).copied().unwrap_or(first))
}

#[cfg(test)]
mod tests {
    use std::net::TcpListener;

    use super::*;

    fn parsed(text: &str) -> Target {
        Target::parse(text).unwrap()
    }

    fn refused(text: &str) -> String {
        Target::parse(text).unwrap_err().to_string()
    }

    #[test]
    fn a_url_becomes_an_address_a_host_and_a_path() {
        let target = parsed("http://127.0.0.1:8080/complex?iterations=9#part");
        assert_eq!(target.address, "127.0.0.1:8080".parse().unwrap());
        assert_eq!((target.host.as_str(), target.path.as_str()), ("127.0.0.1:8080", "/complex?iterations=9"));
        assert_eq!(target.to_string(), "http://127.0.0.1:8080/complex?iterations=9");
    }

    #[test]
    fn the_scheme_may_be_left_out_and_the_port_is_80_where_none_is_given() {
        assert_eq!(parsed("127.0.0.1:8080/simple"), parsed("http://127.0.0.1:8080/simple"));
        let target = parsed("127.0.0.1");
        assert_eq!(
            (target.address.port(), target.host.as_str(), target.path.as_str()),
            (80, "127.0.0.1", "/")
        );
        assert_eq!(parsed("[::1]:90/x").host, "[::1]:90");
        assert_eq!(parsed("127.0.0.1:1/x?next=http://other/").path, "/x?next=http://other/");
    }

    #[test]
    fn of_a_name_with_several_addresses_the_one_that_accepts_is_taken() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let target = parsed(&format!("localhost:{}/simple", address.port()));
        assert_eq!((target.address, target.path.as_str()), (address, "/simple"));
        assert_eq!(target.host, format!("localhost:{}", address.port()));
    }

    #[test]
    fn what_is_not_plain_http_is_refused_with_what_to_do() {
        assert_eq!(
            refused("https://127.0.0.1:8443/simple"),
            "`https://127.0.0.1:8443/simple` asks for TLS, which is not supported; measure the server behind it \
             with http://127.0.0.1:8443/simple"
        );
        assert_eq!(refused("ftp://h/x"), "`ftp://h/x` has the scheme `ftp`; only http can be loaded");
        assert!(!refused("http://user:secret@127.0.0.1/").contains("secret"));
        for text in ["", "http://", "http://127.0.0.1:99999/", "127.0.0.1:0/", "http://a b/"] {
            let error = Target::parse(text).unwrap_err();
            assert!(matches!(error, TargetError::Malformed { .. }) && error.is_usage(), "{text}: {error}");
        }
        for text in
            ["127.0.0.1:0/", "127.0.0.1:65536", "127.0.0.1:-1/", "http://127.0.0.1:99999999999999999999/"]
        {
            assert!(refused(text).contains("whole numbers from 1 to 65535"), "{text}: {}", refused(text));
        }
    }

    #[test]
    fn a_host_without_an_address_is_named() {
        // RFC 2606, section 2: this name never exists.
        let error = Target::parse("http://nowhere.invalid/simple").unwrap_err();
        assert!(error.to_string().starts_with("host `nowhere.invalid` cannot be resolved: "), "{error}");
        assert!(!error.is_usage());
    }

    #[test]
    fn a_reference_stays_on_the_host() {
        let target = parsed("127.0.0.1:8080/simple");
        assert_eq!(target.relative("complex?iterations=9").unwrap(), "/complex?iterations=9");
        assert_eq!(target.relative("/a b").unwrap(), "/a%20b");
        for elsewhere in
            ["//other/x", "http://127.0.0.1:81/", "https://127.0.0.1:8080/", "//u@127.0.0.1:8080/"]
        {
            let error = target.relative(elsewhere).unwrap_err();
            assert!(matches!(error, TargetError::OtherHost { .. }), "{elsewhere}: {error}");
        }
    }
}
