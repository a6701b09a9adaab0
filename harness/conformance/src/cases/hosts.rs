//! Host: exactly one, and a valid one (RFC 9112 section 3.2, RFC 3986 section 3.2.2).

use crate::case::{Case, Step, answer, must, send, simple};
use crate::cases::{BAD, Refused, refused};

/// What follows the request line of a GET of `/simple`.
const HOSTS: &[Refused] = &[
    ("a missing Host is refused", "9112 3.2", b"\r\n"),
    ("a repeated Host is refused", "9112 3.2", b"Host: a\r\nHost: b\r\n\r\n"),
    ("an equal repeated Host is refused", "9112 3.2", b"Host: a\r\nHost: a\r\n\r\n"),
    ("a Host repeated in another case is refused", "9112 3.2", b"Host: a\r\nX-A: b\r\nhOsT: a\r\n\r\n"),
    ("a Host repeated without value is refused", "9112 3.2", b"Host: a\r\nHost:\r\n\r\n"),
    ("an empty Host is refused", "9110 4.2.1", b"Host:\r\n\r\n"),
    ("a Host of blanks is refused", "9110 4.2.1", b"Host: \t \r\n\r\n"),
    ("a Host of a port alone is refused", "9110 4.2.1", b"Host: :80\r\n\r\n"),
    ("a Host that cannot be one is refused", "9112 3.2", b"Host: a b/c\r\n\r\n"),
    ("a list of Hosts is refused", "9112 3.2", b"Host: a, b\r\n\r\n"),
    ("a list of Hosts without blanks is refused", "contract", b"Host: a,b\r\n\r\n"),
    ("a Host with a user is refused", "9112 3.2", b"Host: user@c\r\n\r\n"),
    ("a Host with user and password is refused", "9112 3.2", b"Host: user:secret@c:80\r\n\r\n"),
    ("a Host with a path is refused", "9112 3.2", b"Host: c/simple\r\n\r\n"),
    ("a Host with a slash behind is refused", "9112 3.2", b"Host: c/\r\n\r\n"),
    ("a Host with a query is refused", "9112 3.2", b"Host: c?a=b\r\n\r\n"),
    ("a Host with a fragment is refused", "9112 3.2", b"Host: c#a\r\n\r\n"),
    ("a Host with a scheme is refused", "9112 3.2", b"Host: http://c\r\n\r\n"),
    ("a Host with a backslash is refused", "9112 3.2", b"Host: c\\d\r\n\r\n"),
    ("a Host with a tab within is refused", "9112 3.2", b"Host: c\td\r\n\r\n"),
    ("a quoted Host is refused", "9112 3.2", b"Host: \"c\"\r\n\r\n"),
    ("a Host in angle brackets is refused", "9112 3.2", b"Host: <c>\r\n\r\n"),
    ("a Host beyond ASCII is refused", "9112 3.2", b"Host: \xc3\xa9\r\n\r\n"),
    ("a Host with a bad percent-encoding is refused", "9112 3.2", b"Host: c%zz\r\n\r\n"),
    ("a port that is no number is refused", "9112 3.2", b"Host: c:http\r\n\r\n"),
    ("a negative port is refused", "9112 3.2", b"Host: c:-80\r\n\r\n"),
    ("two ports are refused", "9112 3.2", b"Host: c:80:80\r\n\r\n"),
    ("a port with a blank is refused", "9112 3.2", b"Host: c: 80\r\n\r\n"),
    ("an IPv6 address without brackets is refused", "9112 3.2", b"Host: ::1\r\n\r\n"),
    ("an IPv6 address without closing bracket is refused", "9112 3.2", b"Host: [::1\r\n\r\n"),
    ("an IPv6 address without opening bracket is refused", "9112 3.2", b"Host: ::1]\r\n\r\n"),
    ("empty brackets are refused", "9112 3.2", b"Host: []\r\n\r\n"),
    ("a name behind brackets is refused", "9112 3.2", b"Host: [::1]c\r\n\r\n"),
    ("an IPv6 address of other letters is refused", "9112 3.2", b"Host: [::g]\r\n\r\n"),
    ("an IPv6 address with two gaps is refused", "9112 3.2", b"Host: [1::2::3]\r\n\r\n"),
    ("an IPv6 address of too many parts is refused", "9112 3.2", b"Host: [1:2:3:4:5:6:7:8:9]\r\n\r\n"),
    ("a name in brackets is refused", "9112 3.2", b"Host: [c]\r\n\r\n"),
    ("a folded Host is refused", "contract", b"Host:\r\n c\r\n\r\n"),
    ("a blank between Host and its colon is refused", "9112 5.1", b"Host : c\r\n\r\n"),
];

const WHOLE: &[Refused] = &[
    (
        "a repeated Host is refused in HTTP/1.0 too",
        "9112 3.2",
        b"GET /simple HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n",
    ),
    ("a bad Host is refused in HTTP/1.0 too", "9112 3.2", b"GET /simple HTTP/1.0\r\nHost: a/b\r\n\r\n"),
    ("a missing Host is refused on an unknown path too", "9112 3.2", b"GET /nowhere HTTP/1.1\r\n\r\n"),
    ("a missing Host is refused for OPTIONS too", "9112 3.2", b"OPTIONS * HTTP/1.1\r\n\r\n"),
    (
        "a missing Host is refused beside a target in absolute form too",
        "9112 3.2",
        b"GET http://c/simple HTTP/1.1\r\n\r\n",
    ),
    (
        "a bad Host is refused beside a target in absolute form too",
        "9112 3.2",
        b"GET http://c/simple HTTP/1.1\r\nHost: a/b\r\n\r\n",
    ),
    (
        "a repeated Host is refused beside a target in absolute form too",
        "9112 3.2",
        b"GET http://c/simple HTTP/1.1\r\nHost: c\r\nHost: c\r\n\r\n",
    ),
];

const GOOD: &[(&str, &str)] = &[
    ("a Host may have a port", "c:8080"),
    ("the port of a Host may be empty", "c:"),
    ("a Host may be an IPv4 address", "127.0.0.1"),
    ("a Host may be an IPv4 address with a port", "127.0.0.1:80"),
    ("a Host may be an IPv6 address", "[::1]"),
    ("a Host may be an IPv6 address with a port", "[2001:DB8::1]:8080"),
    ("a Host may be an IPv6 address that ends in an IPv4 one", "[::ffff:127.0.0.1]"),
    ("a Host may have many labels, hyphens, underscores and a last dot", "a-b.c_d.xn--e1afmkfd.example."),
    ("a Host may be percent-encoded", "%c3%A9.example"),
    ("a Host may be in upper case", "CONFORMANCE.EXAMPLE"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = refused("GET /simple HTTP/1.1\r\n", HOSTS, b"", BAD);
    cases.extend(refused("", WHOLE, b"", BAD));
    cases.push(must(
        "a missing Host is refused for HEAD too",
        "9112 3.2",
        vec![send("HEAD /simple HTTP/1.1\r\n\r\n"), answer(400).without_body().then(), Step::Closes],
    ));
    cases.extend(GOOD.iter().map(|&(name, host)| {
        let request = format!("GET /simple HTTP/1.1\r\nHost: {host}\r\n\r\n");
        must(name, "9112 3.2", vec![send(request), simple().then()])
    }));
    cases
}
