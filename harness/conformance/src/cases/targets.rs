//! Request targets: the four forms of RFC 9112 section 3.2, and paths that are only nearly right.

use app::{ALLOW_ANY, Operation};

use crate::case::{Case, Check, Step, answer, get, must, request, result_of, send, should, simple};
use crate::cases::{BAD, Refused, refused};

/// Targets that are none, or not for this server.
const TARGETS: &[Refused] = &[
    ("a target without slash is refused", "9112 3.2.1", b"GET simple HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a target of a query alone is refused", "9112 3.2.1", b"GET ?a=b HTTP/1.1\r\nHost: c\r\n\r\n"),
    (
        "a target that begins with a backslash is refused",
        "9112 3.2.1",
        b"GET \\simple HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    ("a fragment in a target is refused", "9112 3.2", b"GET /simple#part HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("an empty fragment in a target is refused", "9112 3.2", b"GET /simple# HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("a fragment in a query is refused", "9112 3.2", b"GET /healthz?a=b#c HTTP/1.1\r\nHost: c\r\n\r\n"),
    (
        "a fragment in absolute form is refused",
        "9112 3.2",
        b"GET http://c/simple#part HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    ("a target beyond ASCII is refused", "9112 3.2", b"GET /s\xc3\xadmple HTTP/1.1\r\nHost: c\r\n\r\n"),
    (
        "a target of bytes that are no text is refused",
        "9112 3.2",
        b"GET /\xff\xfe HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    ("a query beyond ASCII is refused", "9112 3.2", b"GET /healthz?a=\xc3\xa9 HTTP/1.1\r\nHost: c\r\n\r\n"),
    (
        "a bad percent-encoding in a path is refused",
        "9112 3.2",
        b"GET /sim%zzple HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    (
        "a bad percent-encoding in a query is refused",
        "9112 3.2",
        b"GET /healthz?a=%0g HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    (
        "a percent-encoding that is cut short is refused",
        "9112 3.2",
        b"GET /simple% HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    ("brackets in a query are refused", "9112 3.2", b"GET /healthz?a[]=b HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("quotes in a target are refused", "9112 3.2", b"GET /healthz?a=\"b\" HTTP/1.1\r\nHost: c\r\n\r\n"),
    ("authority form is refused for GET", "9112 3.2.3", b"GET c:80 HTTP/1.1\r\nHost: c:80\r\n\r\n"),
    (
        "absolute form with an empty host is refused",
        "9110 4.2.1",
        b"GET http:///simple HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
    (
        "absolute form with a bad port is refused",
        "9112 3.2.2",
        b"GET http://c:port/simple HTTP/1.1\r\nHost: c\r\n\r\n",
    ),
];

/// What must hold, the target, the Host, and the operation whose answer it gives.
const ABSOLUTE: &[(&str, &str, &str, Operation)] = &[
    (
        "a target in absolute form is accepted",
        "http://conformance/complex?iterations=9",
        "conformance",
        Operation::Complex { iterations: 9 },
    ),
    ("absolute form counts, whatever the Host", "http://one/simple", "another", Operation::Simple),
    ("absolute form may have a port", "http://c:8080/simple", "c:8080", Operation::Simple),
    ("the scheme of absolute form may be in capitals", "HTTP://c/simple", "c", Operation::Simple),
    ("absolute form may name an IPv6 address", "http://[::1]:80/simple", "[::1]:80", Operation::Simple),
];

/// What must hold, and the target: paths that are matched byte for byte (the contract has no normal form).
const NOWHERE: &[(&str, &str)] = &[
    ("an unknown path is 404", "/nowhere"),
    ("a trailing slash makes another path", "/simple/"),
    ("two leading slashes make another path", "//simple"),
    ("paths are case-sensitive", "/Simple"),
    ("a percent-encoded path is another one", "/%73imple"),
    ("a percent-encoded slash is none", "/api%2Frandoms"),
    ("a percent-encoded NUL does not end a path", "/simple%00"),
    ("a percent-encoded line end does no harm", "/simple%0d%0aX-A:%20b"),
    ("a dot segment is not removed", "/./simple"),
    ("a dot segment does not lead upwards", "/nowhere/../simple"),
    ("no file can be reached", "/../../../../etc/passwd"),
    ("a path parameter makes another path", "/simple;a=b"),
    ("a part of a path is none", "/api"),
    ("more than a path is none", "/api/randoms/more"),
    ("an unknown path is 404 whatever its query", "/nowhere?iterations=x"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = refused("", TARGETS, b"", BAD);
    cases.extend(ABSOLUTE.iter().map(|&(name, target, host, operation)| {
        let request = format!("GET {target} HTTP/1.1\r\nHost: {host}\r\n\r\n");
        must(name, "9112 3.2.2", vec![send(request), result_of(operation).then()])
    }));
    cases.extend(NOWHERE.iter().map(|&(name, target)| {
        let not_found = answer(404).with(Check::Mentions(&[])).then();
        must(
            name,
            "contract",
            vec![Step::Send([get(target), get("/simple")].concat()), not_found, simple().then()],
        )
    }));
    cases.extend([
        must(
            "absolute form without path means the root",
            "9110 4.2.3",
            vec![
                send("GET http://c HTTP/1.1\r\nHost: c\r\n\r\n"),
                answer(200).header("content-type", "application/json").then(),
            ],
        ),
        must(
            "HEAD and OPTIONS take absolute form too",
            "9112 3.2.2",
            vec![
                send(concat!(
                    "HEAD http://c/simple HTTP/1.1\r\nHost: c\r\n\r\n",
                    "OPTIONS http://c/simple HTTP/1.1\r\nHost: c\r\n\r\n",
                )),
                answer(200).without_body().then(),
                answer(204).with(Check::Allow("GET, HEAD, OPTIONS")).then(),
            ],
        ),
        should(
            "a user in absolute form is refused",
            "9110 4.2.4",
            vec![send("GET http://user@c/simple HTTP/1.1\r\nHost: c\r\n\r\n"), Step::Refusal(BAD)],
        ),
        must(
            "a backslash in a path makes no other path of it",
            "contract",
            vec![Step::Send(get("/nowhere\\..\\simple")), Step::Rejection(&[400, 404]), Step::UsableOrClosed],
        ),
        must(
            "OPTIONS of the server is 204",
            "9110 9.3.7",
            vec![
                Step::Send([request("OPTIONS", "*"), get("/simple")].concat()),
                answer(204).with(Check::Allow(ALLOW_ANY)).then(),
                simple().then(),
            ],
        ),
        must("asterisk form is for OPTIONS only, not GET", "9112 3.2.4", asterisk("GET")),
        must("asterisk form is for OPTIONS only, not POST", "9112 3.2.4", asterisk("POST")),
        must(
            "asterisk form with a query is refused",
            "9112 3.2.4",
            vec![Step::Send(request("OPTIONS", "*?a=b")), Step::Rejection(&[400, 404]), Step::UsableOrClosed],
        ),
        must(
            "CONNECT opens no tunnel",
            "9110 9.3.6",
            vec![
                send("CONNECT c:80 HTTP/1.1\r\nHost: c:80\r\n\r\n"),
                Step::Rejection(&[400, 404, 405, 501]),
                Step::UsableOrClosed,
            ],
        ),
        must(
            "CONNECT of a path opens no tunnel",
            "9110 9.3.6",
            vec![
                Step::Send(request("CONNECT", "/simple")),
                Step::Rejection(&[400, 404, 405, 501]),
                Step::UsableOrClosed,
            ],
        ),
    ]);
    cases
}

fn asterisk(method: &str) -> Vec<Step> {
    vec![Step::Send(request(method, "*")), Step::Rejection(&[400, 404, 405]), Step::UsableOrClosed]
}
