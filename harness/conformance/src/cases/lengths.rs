//! Content-Length: one number, or nothing that a server may guess at.

use crate::case::{Case, SMUGGLED, Step, answer, code, get, must, send, simple};
use crate::cases::{BAD, ECHO, Refused, and_smuggled, around_smuggled, refused};
use crate::context::Context;
use crate::verdict::{Finding, Level, Verdict};
use crate::wire::Broken;

/// Fields of a POST to `/echo` after which the end of the body cannot be known. `hello` and a hidden request follow.
const BAD_LENGTHS: &[Refused] = &[
    ("a length that is no number is refused", "9112 6.3", b"Content-Length: five"),
    ("a negative length is refused", "9112 6.3", b"Content-Length: -5"),
    ("a negative length of nothing is refused", "9112 6.3", b"Content-Length: -0"),
    ("a signed length is refused", "9112 6.3", b"Content-Length: +5"),
    ("a hexadecimal length is refused", "9112 6.3", b"Content-Length: 0x5"),
    ("a hexadecimal length without prefix is refused", "9112 6.3", b"Content-Length: 5a"),
    ("an empty length is refused", "9112 6.3", b"Content-Length:"),
    ("a length of blanks is refused", "9112 6.3", b"Content-Length: \t "),
    ("a length with a blank within is refused", "9112 6.3", b"Content-Length: 5 5"),
    ("a length with a blank after its sign is refused", "9112 6.3", b"Content-Length: + 5"),
    ("a length with a fraction is refused", "9112 6.3", b"Content-Length: 5.0"),
    ("a length with an exponent is refused", "9112 6.3", b"Content-Length: 5e0"),
    ("a length with an underscore is refused", "9112 6.3", b"Content-Length: 0_5"),
    ("a length with a parameter is refused", "9112 6.3", b"Content-Length: 5;a=b"),
    ("a quoted length is refused", "9112 6.3", b"Content-Length: \"5\""),
    ("a length in digits beyond ASCII is refused", "9112 6.3", b"Content-Length: \xd9\xa5"),
    ("a length with a vertical tab is refused", "9112 6.3", b"Content-Length: \x0b5"),
    ("a length with a form feed is refused", "9112 6.3", b"Content-Length: 5\x0c"),
    ("a length with a NUL is refused", "contract", b"Content-Length: 5\0"),
    ("a length with a lone CR is refused", "contract", b"Content-Length: 5\r5"),
    ("a folded length is refused", "contract", b"Content-Length: 5\r\n 5"),
    ("a length on a folded line is refused", "contract", b"Content-Length:\r\n 5"),
    ("a blank before the colon of a length is refused", "9112 5.1", b"Content-Length : 5"),
    ("a length beyond 64 bits is refused", "9112 6.3", b"Content-Length: 99999999999999999999"),
    ("a length that wraps around at 64 bits is refused", "9112 6.3", b"Content-Length: 18446744073709551621"),
    (
        "a length that wraps around at 128 bits is refused",
        "9112 6.3",
        b"Content-Length: 340282366920938463463374607431768211461",
    ),
    ("conflicting lengths are refused", "9112 6.3", b"Content-Length: 5\r\nContent-Length: 6"),
    (
        "a longer length before a shorter one is refused",
        "9112 6.3",
        b"Content-Length: 55\r\nContent-Length: 5",
    ),
    (
        "conflicting lengths in names of another case are refused",
        "9112 6.3",
        b"Content-Length: 0\r\ncontent-length: 5",
    ),
    (
        "conflicting lengths apart from one another are refused",
        "9112 6.3",
        b"Content-Length: 5\r\nX-A: b\r\nContent-Length: 0",
    ),
    ("conflicting lengths in one field are refused", "9112 6.3", b"Content-Length: 5, 6"),
    ("conflicting lengths in one field without blanks are refused", "9112 6.3", b"Content-Length: 0,5"),
    ("a length beside an empty one is refused", "9112 6.3", b"Content-Length: 5\r\nContent-Length:"),
    ("a length beside a bad one is refused", "9112 6.3", b"Content-Length: 5\r\nContent-Length: five"),
    ("a bad length beside a good one is refused", "9112 6.3", b"Content-Length: +5\r\nContent-Length: 5"),
];

/// Lengths that 64 bits hold, and no server can mean: too long as a body, or beyond what is counted, but not as a head.
const GREATEST: &[Refused] = &[
    (
        "the greatest length of 64 bits is refused as a length",
        "9110 8.6",
        b"Content-Length: 18446744073709551615",
    ),
    (
        "the greatest length but one is refused as a length",
        "9110 8.6",
        b"Content-Length: 18446744073709551614",
    ),
    (
        "the greatest length but two is refused as a length",
        "9110 8.6",
        b"Content-Length: 18446744073709551613",
    ),
    ("the greatest signed length is refused as a length", "9110 8.6", b"Content-Length: 9223372036854775807"),
    (
        "a length beyond the signed ones is refused as a length",
        "9110 8.6",
        b"Content-Length: 9223372036854775808",
    ),
];

/// Fields that a server may take for a length of five, or refuse (RFC 9110 section 8.6).
const EITHER: &[(&str, &str)] = &[
    ("equal lengths are taken as one or refused", "Content-Length: 5\r\nContent-Length: 5"),
    ("equal lengths in one field are taken as one or refused", "Content-Length: 5, 5"),
    ("lengths equal but for zeros are taken as one or refused", "Content-Length: 5\r\nContent-Length: 05"),
    ("a length behind an empty list element is taken or refused", "Content-Length: ,5"),
    ("a length before an empty list element is taken or refused", "Content-Length: 5,"),
    (
        "a length with many leading zeros is taken or refused",
        "Content-Length: 000000000000000000000000000000000000000000000000005",
    ),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = refused(ECHO, BAD_LENGTHS, &and_smuggled(b"\r\n\r\nhello"), BAD);
    cases.extend(refused(ECHO, GREATEST, &and_smuggled(b"\r\n\r\nhello"), &[400, 413]));
    cases.extend(EITHER.iter().map(|&(name, fields)| {
        let request = format!("{ECHO}{fields}\r\n\r\nhello");
        let steps =
            vec![send(request), Step::RefusalOr(BAD, answer(200).body("hello")), Step::UsableOrClosed];
        must(name, "9110 8.6", steps)
    }));
    cases.extend([
        must(
            "a bad length is refused for GET too",
            "9112 6.3",
            vec![
                send(and_smuggled(b"GET /simple HTTP/1.1\r\nHost: c\r\nContent-Length: x\r\n\r\n")),
                Step::Refusal(BAD),
            ],
        ),
        must(
            "conflicting lengths are refused for GET too",
            "9112 6.3",
            vec![
                send(and_smuggled(
                    b"GET /simple HTTP/1.1\r\nHost: c\r\nContent-Length: 0\r\nContent-Length: 50\r\n\r\n",
                )),
                Step::Refusal(BAD),
            ],
        ),
        must(
            "a bad length is refused in HTTP/1.0 too",
            "9112 6.3",
            vec![
                send(and_smuggled(b"POST /echo HTTP/1.0\r\nContent-Length: 5x\r\n\r\nhello")),
                Step::Refusal(BAD),
            ],
        ),
        must(
            "a length of zero is not the absence of a request behind it",
            "9112 6.3",
            vec![
                Step::Send([format!("{ECHO}Content-Length: 0\r\n\r\n").as_bytes(), &get("/simple")].concat()),
                answer(200).body("").then(),
                simple().then(),
            ],
        ),
        must(
            "an underscore does not make a length",
            "9110 5.1",
            vec![
                Step::Send(
                    [format!("{ECHO}Content_Length: 50\r\n\r\n").as_bytes(), &get("/simple")].concat(),
                ),
                Step::RefusalOr(BAD, answer(200).body("")),
                simple().then(),
            ],
        ),
        must(
            "a body that looks like a request comes back and is not answered",
            "9112 6.3",
            vec![
                Step::Send([around_smuggled("POST", "/echo", ""), get("/simple")].concat()),
                answer(200).body(SMUGGLED).then(),
                simple().then(),
            ],
        ),
        code("a body that ends too early is not answered with success", Level::Must, "9112 8", |context| {
            truncated(context, "Content-Length: 50\r\n\r\nhello")
        }),
        code("a body that never begins is not answered with success", Level::Must, "9112 8", |context| {
            truncated(context, "Content-Length: 1\r\n\r\n")
        }),
    ]);
    cases
}

/// What a server says to a POST to `/echo` whose client ends its side of the stream before the body is whole.
pub(crate) fn truncated(context: &Context<'_>, rest: &str) -> Finding {
    let sent = || -> Result<_, String> {
        let mut client = context.connect()?;
        client.send(format!("{ECHO}{rest}").as_bytes()).map_err(|error| error.to_string())?;
        client.finish_sending().map_err(|error| error.to_string())?;
        Ok(client.receive(false))
    };
    match sent() {
        // Nobody is left to read an answer, so that any refusal will do.
        Ok(Err(Broken::Closed)) => (Verdict::Pass, String::new()),
        Ok(Ok(response)) if response.status >= 400 => (Verdict::Pass, String::new()),
        Ok(Ok(response)) => (Verdict::Fail, format!("answered {}", response.status)),
        Ok(Err(broken)) => (Verdict::Fail, broken.to_string()),
        Err(detail) => (Verdict::Fail, detail),
    }
}
