//! Header fields: names, values, and the lines that hold them.

use crate::case::{Case, Step, answer, must, send, should, simple};
use crate::cases::{BAD, Refused, SIMPLE, refused};
use crate::response::Response;

/// Fields that are none: what follows the Host of a GET of `/simple`.
const LINES: &[Refused] = &[
    ("a blank before the colon is refused", "9112 5.1", b"X-A : b\r\n\r\n"),
    ("a tab before the colon is refused", "9112 5.1", b"X-A\t: b\r\n\r\n"),
    ("a blank before the colon of a last empty field is refused", "9112 5.1", b"X-A :\r\n\r\n"),
    ("a field without colon is refused", "9112 5", b"no colon here\r\n\r\n"),
    ("a field of one word is refused", "9112 5", b"X-A\r\n\r\n"),
    ("a field without name is refused", "9112 5", b": value\r\n\r\n"),
    ("a blank within a name is refused", "9110 5.1", b"X A: b\r\n\r\n"),
    ("a parenthesis in a name is refused", "9110 5.1", b"X(A): b\r\n\r\n"),
    ("a quoted name is refused", "9110 5.1", b"\"X-A\": b\r\n\r\n"),
    ("a slash in a name is refused", "9110 5.1", b"X/A: b\r\n\r\n"),
    ("a control character in a name is refused", "9110 5.1", b"X\x01A: b\r\n\r\n"),
    ("a NUL in a name is refused", "9110 5.1", b"X\0A: b\r\n\r\n"),
    ("a DEL in a name is refused", "9110 5.1", b"X\x7fA: b\r\n\r\n"),
    ("a vertical tab before the colon is refused", "9110 5.1", b"X-A\x0b: b\r\n\r\n"),
    ("a lone CR in a name is refused", "contract", b"X\rA: b\r\n\r\n"),
    ("a name beyond ASCII is refused", "9110 5.1", b"X-\xc3\xa9: b\r\n\r\n"),
    ("a folded field is refused", "contract", b"X-A: b\r\n folded\r\n\r\n"),
    ("a field folded with a tab is refused", "contract", b"X-A: b\r\n\tfolded\r\n\r\n"),
    ("a field that begins with a fold is refused", "contract", b"X-A:\r\n folded\r\n\r\n"),
    ("a fold of a blank alone is refused", "contract", b"X-A: b\r\n \r\n\r\n"),
    ("a NUL in a field is refused", "contract", b"X-A: a\0b\r\n\r\n"),
    ("a NUL at the end of a field is refused", "contract", b"X-A: a\0\r\n\r\n"),
    ("a lone CR in a field is refused", "contract", b"X-A: a\rb\r\n\r\n"),
    ("a lone CR that would begin a field is refused", "contract", b"X-A: a\rX-B: b\r\n\r\n"),
    ("a CR too many before a line's end is refused", "contract", b"X-A: a\r\r\n\r\n"),
    ("a CR too many before a head's end is refused", "contract", b"X-A: a\r\n\r\r\n\r\n"),
];

const WHOLE: &[Refused] = &[
    ("a blank before the first field is refused", "contract", b"GET /simple HTTP/1.1\r\n Host: c\r\n\r\n"),
    ("a tab before the first field is refused", "contract", b"GET /simple HTTP/1.1\r\n\tHost: c\r\n\r\n"),
    (
        "a line of blanks before the first field is refused",
        "contract",
        b"GET /simple HTTP/1.1\r\n  \r\nHost: c\r\n\r\n",
    ),
];

/// Fields that are unusual but right.
const ACCEPTED: &[(&str, &str, &[u8])] = &[
    ("every character of a token may be in a name", "9110 5.6.2", b"X!#$%&'*+-.^_`|~09az: b\r\n\r\n"),
    ("a value may be empty", "9110 5.5", b"X-A:\r\nX-B: \r\nX-C: \t\r\n\r\n"),
    ("a value may hold tabs and any punctuation", "9110 5.5", b"X-A: a\tb ()<>@,;:\\\"/[]?={}\r\n\r\n"),
    ("an unknown field may be repeated", "9110 5.3", b"X-A: a\r\nX-A: b\r\nx-a: a\r\n\r\n"),
    ("no blank is needed after the colon", "9112 5.1", b"X-A:b\r\nX-B:c:d\r\n\r\n"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = refused(SIMPLE, LINES, b"", BAD);
    cases.extend(refused("", WHOLE, b"", BAD));
    cases.extend(ACCEPTED.iter().map(|&(name, source, fields)| {
        let request = [SIMPLE.as_bytes(), fields].concat();
        must(name, source, vec![send([&request[..], &request].concat()), simple().then(), simple().then()])
    }));
    cases.extend([
        must(
            "field names are recognised in any case and values without their blanks",
            "9110 5.1",
            vec![
                send("POST /echo HTTP/1.1\r\nhOST:c\r\ncONTENT-lENGTH: \t 4 \t\r\n\r\nbody"),
                answer(200).body("body").then(),
            ],
        ),
        should(
            "a value beyond ASCII is opaque",
            "9110 5.5",
            vec![send([SIMPLE.as_bytes(), b"X-A: \xc3\xa9\xff\x80\r\n\r\n"].concat()), simple().then()],
        ),
        must(
            "GET of echo lists the request's fields",
            "contract",
            vec![
                send("GET /echo HTTP/1.1\r\nHost: somewhere\r\nX-Token: a:b c\r\n\r\n"),
                answer(200).header("content-type", "text/plain").that(lists_fields).then(),
            ],
        ),
        must(
            "an echoed field cannot begin a line of its own",
            "contract",
            vec![
                send([SIMPLE.replace("/simple", "/echo").as_bytes(), b"X-A: b\x0bX-B: c\r\n\r\n"].concat()),
                Step::RefusalOr(BAD, answer(200).that(lists_no_other_field)),
            ],
        ),
    ]);
    cases
}

fn lists_fields(response: &Response) -> Result<(), String> {
    let text = String::from_utf8_lossy(&response.body);
    for field in ["host: somewhere", "x-token: a:b c"] {
        let listed = text.lines().any(|line| match (line.split_once(": "), field.split_once(": ")) {
            (Some((name, value)), Some((wanted, expected))) => {
                name.eq_ignore_ascii_case(wanted) && value == expected
            }
            _ => false,
        });
        if !listed {
            return Err(format!("{field:?} is not a line of {text:?}"));
        }
    }
    Ok(())
}

fn lists_no_other_field(response: &Response) -> Result<(), String> {
    let text = String::from_utf8_lossy(&response.body);
    match text.lines().find(|line| line.starts_with("X-B") || line.starts_with("x-b")) {
        None => Ok(()),
        Some(line) => Err(format!("{line:?} was made out of another field's value")),
    }
}
