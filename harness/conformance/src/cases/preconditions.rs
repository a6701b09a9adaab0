//! Preconditions (RFC 9110 section 13). What GET serves has a representation, and none has an entity tag or a date of its last
//! change, so that `*` matches, no entity tag does, and conditions on dates are ignored.

use app::Endpoint;

use crate::case::{Case, Check, Expected, Step, answer, code, get, must, send, simple};
use crate::cases::{SIMPLE, around_smuggled};
use crate::context::Context;
use crate::response::Response;
use crate::verdict::{Level, finding};

/// What must hold, who says so, and the fields of a GET of `/simple` that is served as without them.
const SERVED: &[(&str, &str, &str)] = &[
    ("If-Match: * is met by what is there", "9110 13.1.1", "If-Match: *"),
    ("If-Match: * needs no blank and no capitals", "9110 13.1.1", "if-match:*"),
    ("If-None-Match of an entity tag is met by what has none", "9110 13.1.2", "If-None-Match: \"a\""),
    ("If-None-Match of a weak entity tag is met likewise", "9110 13.1.2", "If-None-Match: W/\"a\""),
    (
        "If-None-Match of many entity tags is met likewise",
        "9110 13.1.2",
        "If-None-Match: \"a\", W/\"b\" ,\"c\"",
    ),
    ("an entity tag that reads * is no star", "9110 8.8.3", "If-None-Match: \"*\""),
    ("a star within an entity tag is none", "9110 8.8.3", "If-None-Match: \"a,*,b\""),
    (
        "If-Match: * and If-None-Match of an entity tag are both met",
        "9110 13.2.2",
        "If-Match: *\r\nIf-None-Match: \"a\"",
    ),
    (
        "If-Unmodified-Since is ignored where no change has a date",
        "9110 13.1.4",
        "If-Unmodified-Since: Sat, 29 Oct 1994 19:43:31 GMT",
    ),
    (
        "If-Modified-Since is ignored where no change has a date",
        "9110 13.1.3",
        "If-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT",
    ),
    (
        "If-Modified-Since is ignored beside If-None-Match",
        "9110 13.1.3",
        "If-None-Match: \"a\"\r\nIf-Modified-Since: Fri, 01 Jan 2038 00:00:00 GMT",
    ),
    (
        "If-Range does no harm where no ranges are served",
        "9110 13.1.5",
        "Range: bytes=0-1\r\nIf-Range: \"a\"",
    ),
];

/// What must hold, who says so, and the fields with which it is refused.
const FAILED: &[(&str, &str, &str)] = &[
    ("If-Match of an entity tag fails where there is none", "9110 13.1.1", "If-Match: \"a\""),
    ("If-Match of a weak entity tag fails likewise", "9110 13.1.1", "If-Match: W/\"a\""),
    ("If-Match of many entity tags fails likewise", "9110 13.1.1", "If-Match: \"a\",W/\"b\" , \"c\""),
    ("If-Match of an entity tag that reads * fails", "9110 8.8.3", "If-Match: \"*\""),
    ("If-Match in two fields is one list", "9110 5.3", "If-Match: \"a\"\r\nIf-Match: \"b\""),
    ("If-Match decides before If-None-Match", "9110 13.2.2", "If-None-Match: *\r\nIf-Match: \"a\""),
    (
        "If-Match decides whatever If-Unmodified-Since says",
        "9110 13.2.2",
        "If-Match: \"a\"\r\nIf-Unmodified-Since: Fri, 01 Jan 2038 00:00:00 GMT",
    ),
];

/// What must hold, who says so, and the fields with which nothing is sent.
const NOT_MODIFIED: &[(&str, &str, &str)] = &[
    ("If-None-Match: * fails where something is", "9110 13.1.2", "If-None-Match: *"),
    ("If-None-Match: * may stand between blanks", "9110 5.5", "If-None-Match: \t * \t"),
    ("If-None-Match is looked at where If-Match is met", "9110 13.2.2", "If-Match: *\r\nIf-None-Match: *"),
    (
        "If-None-Match: * fails whatever If-Modified-Since says",
        "9110 13.2.2",
        "If-None-Match: *\r\nIf-Modified-Since: Sat, 29 Oct 1994 19:43:31 GMT",
    ),
];

/// What must hold, the method, the target, and the status that it has with preconditions as without.
const IGNORED: &[(&str, &str, &str, u16)] = &[
    ("an unknown path is 404 whatever the precondition", "GET", "/nowhere", 404),
    ("a wrong parameter is 400 whatever the precondition", "GET", "/complex?iterations=x", 400),
    ("a wrong method is 405 whatever the precondition", "PUT", "/simple", 405),
    ("an unknown method is 501 whatever the precondition", "BREW", "/simple", 501),
    ("OPTIONS ignores preconditions", "OPTIONS", "/simple", 204),
    ("TRACE ignores preconditions", "TRACE", "/simple", 405),
    ("OPTIONS of the server ignores preconditions", "OPTIONS", "*", 204),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = rows(SERVED, simple);
    cases.extend(rows(FAILED, || answer(412).with(Check::Mentions(&[]))));
    cases.extend(rows(NOT_MODIFIED, || answer(304).that(states_no_wrong_length)));
    cases.extend(IGNORED.iter().map(ignored));
    cases.extend([
        code(
            "a precondition is looked at wherever GET has an answer",
            Level::Must,
            "9110 13.2.1",
            |context| finding(everywhere(context)),
        ),
        must(
            "a failed precondition of HEAD has no body",
            "9110 9.3.2",
            vec![
                send(
                    "HEAD /simple HTTP/1.1\r\nHost: c\r\nIf-Match: \"a\"\r\n\r\n\
                     HEAD /simple HTTP/1.1\r\nHost: c\r\nIf-None-Match: *\r\n\r\n\
                     GET /simple HTTP/1.1\r\nHost: c\r\n\r\n",
                ),
                answer(412).without_body().then(),
                answer(304).without_body().that(states_no_wrong_length).then(),
                simple().then(),
            ],
        ),
        must(
            "If-None-Match: * of a POST is 412",
            "9110 13.1.2",
            vec![
                Step::Send(around_smuggled("POST", "/echo", "If-None-Match: *\r\n")),
                answer(412).then(),
                Step::UsableOrClosed,
            ],
        ),
        must(
            "If-Match of a POST is 412",
            "9110 13.1.1",
            vec![
                Step::Send(around_smuggled("POST", "/echo", "If-Match: \"a\"\r\n")),
                answer(412).then(),
                Step::UsableOrClosed,
            ],
        ),
        must(
            "If-Match: * of a POST is met",
            "9110 13.1.1",
            vec![
                send("POST /echo HTTP/1.1\r\nHost: c\r\nIf-Match: *\r\nContent-Length: 5\r\n\r\nhello"),
                answer(200).body("hello").then(),
            ],
        ),
        must(
            "a precondition does not make a missing Host right",
            "9110 13.2.1",
            vec![send("GET /simple HTTP/1.1\r\nIf-None-Match: *\r\n\r\n"), Step::Refusal(&[400])],
        ),
    ]);
    cases
}

/// A case for each row, with a plain request behind it, whose answer shows where the first one's ended.
fn rows(rows: &[(&'static str, &'static str, &str)], expected: fn() -> Expected) -> Vec<Case> {
    let case = |&(name, source, fields): &(&'static str, &'static str, &str)| {
        let request = format!("{SIMPLE}{fields}\r\n\r\n");
        let both = Step::Send([request.as_bytes(), &get("/simple")].concat());
        must(name, source, vec![both, expected().then(), simple().then()])
    };
    rows.iter().map(case).collect()
}

fn ignored(&(name, method, target, status): &(&'static str, &str, &str, u16)) -> Case {
    let fields = "If-Match: \"a\"\r\nIf-None-Match: *\r\n";
    let request = format!("{method} {target} HTTP/1.1\r\nHost: c\r\n{fields}\r\n");
    must(name, "9110 13.2.1", vec![send(request), answer(status).then(), Step::UsableOrClosed])
}

/// RFC 9110 section 8.6: a 304 states the length that a 200 would have, if any. No body here is empty.
fn states_no_wrong_length(response: &Response) -> Result<(), String> {
    match response.header("content-length") {
        Some("0") => Err("it states a length of 0, which no answer to GET has here".to_owned()),
        _ => Ok(()),
    }
}

/// The same of every path that is there.
fn everywhere(context: &Context<'_>) -> Result<(), String> {
    for target in Endpoint::ALL.map(Endpoint::example) {
        if context.exchange(&get(target), false)?.status != 200 {
            continue;
        }
        for (fields, status) in [
            ("If-None-Match: *", 304),
            ("If-Match: \"a\"", 412),
            ("If-Match: *", 200),
            ("If-None-Match: \"a\"", 200),
        ] {
            for method in ["GET", "HEAD"] {
                let request = format!("{method} {target} HTTP/1.1\r\nHost: c\r\n{fields}\r\n\r\n");
                let found = context.exchange(request.as_bytes(), method == "HEAD")?.status;
                if found != status {
                    return Err(format!("{method} of {target} with {fields} is {found}, not {status}"));
                }
            }
        }
    }
    Ok(())
}
