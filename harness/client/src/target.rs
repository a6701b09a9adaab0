//! What a person names to be loaded: a URL becomes an address, a `Host` and a target.
//!
//! Nothing here sends a request. The only host that is ever contacted is the one in the URL: what is relative to it
//! stays on it, and names of another host are refused.
//!
//! A target is sent as it was given, dots and apostrophes included: how a server takes `/a/../b` or `?q='x'` may be what is asked.
//! What no request line can hold (RFC 9112, section 3) is percent-encoded, and that is said; so is what is left out.

use std::{
    fmt::{self, Write as _},
    io,
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
    /// The request target: path and query, starting with `/`.
    pub path: String,
    /// What of it is not as it was given, each as a sentence.
    pub notes: Vec<String>,
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
        let Parts { url, host: given, after } = read(text)?;
        let malformed = |reason: &str| malformed(text, reason);
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
        let (path, mut notes) = sent(after);
        if given != name.to_string() {
            notes.push(format!(
                "the host `{given}` is sent as `{name}`; to send another, write -H 'host: {given}'"
            ));
        }
        Ok(Self { address, host, path, notes, url })
    }

    /// What a reference relative to this URL names: `complex?iterations=9` beside `/simple` is `/complex?iterations=9`. It is found
    /// as RFC 3986, section 5.2, has it, but dots are followed only where a reference begins with them: what is not needed to find
    /// it stays as it was given.
    ///
    /// # Errors
    /// It is no reference, or leads to another host.
    pub fn relative(&self, reference: &str) -> Result<Self, TargetError> {
        refuse_control(reference)?;
        let own_path = || self.path.split('?').next().unwrap_or_default();
        let target = if has_scheme(reference) || reference.starts_with("//") {
            let url = if has_scheme(reference) { reference.to_owned() } else { format!("http:{reference}") };
            let elsewhere =
                || TargetError::OtherHost { reference: reference.to_owned(), host: self.host.clone() };
            match read(&url) {
                Ok(parts) if parts.url.origin() == self.url.origin() => parts.after.to_owned(),
                Ok(_)
                | Err(
                    TargetError::Credentials { .. } | TargetError::Tls { .. } | TargetError::Scheme { .. },
                ) => {
                    return Err(elsewhere());
                }
                Err(error) => return Err(error),
            }
        } else if reference.is_empty() || reference.starts_with('#') {
            self.path.clone() + reference
        } else if reference.starts_with('?') {
            own_path().to_owned() + reference
        } else if reference.starts_with('/') {
            reference.to_owned()
        } else {
            beside(own_path(), reference)
        };
        let (path, notes) = sent(&target);
        Ok(Self { path, notes, ..self.clone() })
    }
}

/// The whole URL.
impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "http://{}{}", self.host, self.path)
    }
}

/// A URL, taken apart where its host ends.
struct Parts<'a> {
    /// Scheme, host and port.
    url: Url,
    /// The host, as it was given.
    host: &'a str,
    /// What follows them, as it was given.
    after: &'a str,
}

fn read(text: &str) -> Result<Parts<'_>, TargetError> {
    refuse_control(text)?;
    let (scheme, rest) = text.split_once("://").filter(|_| has_scheme(text)).unwrap_or(("http", text));
    let (authority, after) = rest.split_at(rest.find(['/', '?', '#', '\\']).unwrap_or(rest.len()));
    if after.starts_with('\\') {
        return Err(malformed(text, "a path begins with / and not with \\"));
    }
    let url =
        Url::parse(&format!("{scheme}://{authority}")).map_err(|error| malformed(text, &reason(error)))?;
    match url.scheme() {
        "http" => {}
        "https" => {
            let instead = format!("http://{authority}{after}");
            return Err(TargetError::Tls { given: text.to_owned(), instead });
        }
        scheme => return Err(TargetError::Scheme { given: text.to_owned(), scheme: scheme.to_owned() }),
    }
    if authority.contains('@') {
        return Err(TargetError::Credentials { host: url.host_str().unwrap_or_default().to_owned() });
    }
    let host = match authority.find(']') {
        Some(end) => &authority[..=end],
        None => authority.split(':').next().unwrap_or_default(),
    };
    Ok(Parts { url, host, after })
}

fn malformed(given: &str, reason: &str) -> TargetError {
    TargetError::Malformed { given: given.to_owned(), reason: reason.to_owned() }
}

/// A line break or a tab in a URL is a slip, and never part of a request's line.
fn refuse_control(text: &str) -> Result<(), TargetError> {
    match text.chars().find(|character| character.is_control()) {
        Some(control) => {
            let (given, reason) = (text.escape_debug().to_string(), control.escape_unicode());
            Err(malformed(
                &given,
                &format!("it holds the control character {reason}; to send it, write it as %0A and the like"),
            ))
        }
        None => Ok(()),
    }
}

/// What is sent for what follows the host, and what of it is not as it was given.
fn sent(given: &str) -> (String, Vec<String>) {
    let mut notes = Vec::new();
    let (given, fragment) =
        given.split_once('#').map_or((given, None), |(given, fragment)| (given, Some(fragment)));
    if let Some(fragment) = fragment {
        notes.push(format!("`#{fragment}` is a fragment, which no request holds, and is not sent"));
    }
    let mut target = if given.starts_with('/') { String::new() } else { "/".to_owned() };
    for character in given.chars() {
        if character.is_ascii_graphic() {
            target.push(character);
        } else {
            let mut utf_8 = [0; 4];
            for byte in character.encode_utf8(&mut utf_8).bytes() {
                // Writing into a `String` cannot fail.
                let _ = write!(target, "%{byte:02X}");
            }
        }
    }
    if !given.chars().all(|character| character.is_ascii_graphic()) {
        notes.push(format!(
            "`{given}` is sent as `{target}`: a request line holds no blanks, and nothing that is not ASCII"
        ));
    }
    (target, notes)
}

/// What a relative path names beside `path`.
fn beside(path: &str, reference: &str) -> String {
    let mut folder = path.rsplit_once('/').map_or("", |(folder, _)| folder);
    let mut rest = reference;
    loop {
        if let Some(after) = rest.strip_prefix("./") {
            rest = after;
        } else if let Some(after) = rest.strip_prefix("../") {
            folder = folder.rsplit_once('/').map_or("", |(folder, _)| folder);
            rest = after;
        } else {
            return format!("{folder}/{rest}");
        }
    }
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
    fn what_a_request_line_can_hold_is_sent_as_given() {
        for path in [
            "/?q='x'",
            "/a/../b",
            "/a/./b/",
            "//two",
            "/a//b/..",
            "/%7euser/%zz?a=b?c&d=%27",
            "/?q=<\"{|}^`>[]\\",
            "/a;b=c,d:e@f!g~",
            "/..",
        ] {
            let target = parsed(&format!("http://127.0.0.1:8080{path}"));
            assert_eq!((target.path.as_str(), target.notes), (path, Vec::<String>::new()));
            // In a reference two slashes begin the name of a host.
            if !path.starts_with("//") {
                assert_eq!(parsed("127.0.0.1:8080/x/y").relative(path).unwrap().path, path);
            }
        }
        assert_eq!(parsed("127.0.0.1:8080").path, "/");
        assert_eq!(parsed("127.0.0.1:8080?a='b'").path, "/?a='b'");
    }

    #[test]
    fn what_is_encoded_or_left_out_is_said_and_what_cannot_be_meant_is_refused() {
        let target = parsed("127.0.0.1:8080/caf\u{e9} 'a'?q=b c ");
        assert_eq!(target.path, "/caf%C3%A9%20'a'?q=b%20c%20");
        assert!(target.notes.concat().contains("is sent as `/caf%C3%A9%20'a'"), "{:?}", target.notes);
        let target = parsed("LOCALHOST:1/");
        assert_eq!(target.host, "localhost:1");
        assert!(
            target.notes.concat().starts_with("the host `LOCALHOST` is sent as `localhost`"),
            "{:?}",
            target.notes
        );
        assert!(parsed("127.1:8080/").notes.concat().contains("`127.0.0.1`"));
        assert!(parsed("[::1]:90/x").notes.is_empty());
        let target = parsed("127.0.0.1:8080/a#b?c");
        assert_eq!(target.path, "/a");
        assert!(target.notes.concat().starts_with("`#b?c` is a fragment"), "{:?}", target.notes);
        for text in [
            "127.0.0.1:8080/a\nb",
            "127.0.0.1:8080/?\t",
            "127.0.0.1:80\r80/",
            "127.0.0.1:8080/\u{85}",
            " 127.0.0.1:8080/",
        ] {
            assert!(matches!(Target::parse(text), Err(TargetError::Malformed { .. })), "{text:?}");
        }
        assert!(refused("127.0.0.1:8080/a\nb").contains("%0A"));
        assert!(refused("127.0.0.1:8080\\a").contains("begins with /"));
        assert!(parsed("127.0.0.1:8080/").relative("a\nb").is_err());
    }

    #[test]
    fn a_reference_stays_on_the_host() {
        let target = parsed("127.0.0.1:8080/simple?a=b");
        let path = |reference: &str| target.relative(reference).unwrap().path;
        for (reference, expected) in [
            ("complex?iterations=9", "/complex?iterations=9"),
            ("/a b", "/a%20b"),
            ("?c='d'", "/simple?c='d'"),
            ("", "/simple?a=b"),
            ("#top", "/simple?a=b"),
            ("http://127.0.0.1:8080/x/../y", "/x/../y"),
            ("//127.0.0.1:8080/x", "/x"),
            ("./a/../b", "/a/../b"),
            ("../../a", "/a"),
            ("a:b", "/a:b"),
        ] {
            assert_eq!(path(reference), expected, "{reference}");
        }
        assert_eq!(parsed("127.0.0.1:8080/a/b/c").relative("../d/./e").unwrap().path, "/a/d/./e");
        for elsewhere in
            ["//other/x", "http://127.0.0.1:81/", "https://127.0.0.1:8080/", "//u@127.0.0.1:8080/"]
        {
            let error = target.relative(elsewhere).unwrap_err();
            assert!(matches!(error, TargetError::OtherHost { .. }), "{elsewhere}: {error}");
        }
    }
}
