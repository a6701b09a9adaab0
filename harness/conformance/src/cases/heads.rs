//! Heads that are too long: refused by the part with which they become so (RFC 9112 section 3 for the method and the target, RFC 6585
//! section 5 for the fields), in their turn, and however they arrive.

use crate::case::{Case, Step, get, must, send, simple};
use crate::cases::limits::HUGE;

/// More than the 16 KiB of the contract, and little enough to be read at once.
const LONG: usize = 20_000;

/// A request line's own words, for what only a field makes too long.
const FIELDS: &str = "GET /simple HTTP/1.1\r\nHost: c\r\n";
const END: &str = " HTTP/1.1\r\nHost: c\r\n\r\n";

const METHOD: &[u16] = &[501];
const TARGET: &[u16] = &[414];
const TOO_LARGE: &[u16] = &[431];

/// A head that is too long.
struct Head {
    /// What must hold.
    name: &'static str,
    /// What stands before what is repeated.
    start: &'static str,
    /// What is repeated, and how often.
    repeated: (&'static str, usize),
    /// What stands behind it.
    end: &'static str,
    /// Its refusal.
    statuses: &'static [u16],
}

const fn head(
    name: &'static str,
    start: &'static str,
    repeated: (&'static str, usize),
    end: &'static str,
    statuses: &'static [u16],
) -> Head {
    Head { name, start, repeated, end, statuses }
}

const HEADS: &[Head] = &[
    head("a long method is refused as one", "", ("A", LONG), " /simple HTTP/1.1\r\nHost: c\r\n\r\n", METHOD),
    head(
        "a method of 64 KiB is refused as one",
        "",
        ("A", 1 << 16),
        " / HTTP/1.1\r\nHost: c\r\n\r\n",
        METHOD,
    ),
    head("a huge method is refused", "", ("A", HUGE), " /simple HTTP/1.1\r\nHost: c\r\n\r\n", METHOD),
    head("a method that never ends is refused as one", "", ("A", HUGE), "", METHOD),
    head("a long target is refused as one", "GET /", ("a", LONG), END, TARGET),
    head("a target of 64 KiB is refused as one", "GET /", ("a", 1 << 16), END, TARGET),
    head("a huge target is refused", "GET /", ("a", HUGE), END, TARGET),
    head("a target that never ends is refused as one", "GET /", ("a", HUGE), "", TARGET),
    head("a long query is refused as a target", "GET /healthz?", ("a", LONG), END, TARGET),
    head("a huge query is refused", "GET /healthz?", ("a", HUGE), END, TARGET),
    head("a long target of many segments is refused as one", "GET ", ("/..", LONG / 3), END, TARGET),
    head("a long percent-encoded target is refused as one", "GET /", ("%61", LONG / 3), END, TARGET),
    head("a long target in absolute form is refused as one", "GET http://c/", ("a", LONG), END, TARGET),
    head("a long target of a POST is refused as one", "POST /echo?", ("a", LONG), END, TARGET),
    head("a long target of an unknown method is refused as one", "BREW /", ("a", LONG), END, TARGET),
    head("a long target of HTTP/1.0 is refused as one", "GET /", ("a", LONG), " HTTP/1.0\r\n\r\n", TARGET),
    head("a long target is refused before a missing Host", "GET /", ("a", LONG), " HTTP/1.1\r\n\r\n", TARGET),
    head("a long field is refused as one", FIELDS_AND_NAME, ("a", LONG), "\r\n\r\n", TOO_LARGE),
    head("a huge field is refused", FIELDS_AND_NAME, ("a", HUGE), "\r\n\r\n", TOO_LARGE),
    head("a field that never ends is refused", FIELDS_AND_NAME, ("a", HUGE), "", TOO_LARGE),
    head("a huge name is refused", FIELDS, ("a", HUGE), ": b\r\n\r\n", TOO_LARGE),
    head("a huge Host is refused", "GET /simple HTTP/1.1\r\nHost: ", ("a", HUGE), "\r\n\r\n", TOO_LARGE),
    head("too many fields are refused", FIELDS, ("X-A: b\r\n", 5_000), "\r\n", TOO_LARGE),
];

const FIELDS_AND_NAME: &str = "GET /simple HTTP/1.1\r\nHost: c\r\nX-A: ";

impl Head {
    fn bytes(&self) -> Vec<u8> {
        let (repeated, count) = self.repeated;
        [self.start, &repeated.repeat(count), self.end].concat().into_bytes()
    }
}

pub(crate) fn cases() -> Vec<Case> {
    let refused = |head: &Head| {
        must(head.name, "contract", vec![Step::Send(head.bytes()), Step::Refusal(head.statuses)])
    };
    let mut cases: Vec<Case> = HEADS.iter().map(refused).collect();
    let target = || [b"GET /", "a".repeat(LONG).as_bytes(), END.as_bytes()].concat();
    let method = || ["A".repeat(LONG).as_bytes(), b" /simple", END.as_bytes()].concat();
    let field = format!("X-A: {}\r\n", "b".repeat(240));
    cases.extend([
        must(
            "fields that are long together are refused",
            "contract",
            vec![send(format!("{FIELDS}{}\r\n", field.repeat(80))), Step::Refusal(TOO_LARGE)],
        ),
        must(
            "a long target behind a request is refused in its turn",
            "9112 9.3.2",
            vec![Step::Send([get("/simple"), target()].concat()), simple().then(), Step::Refusal(TARGET)],
        ),
        must(
            "a long method behind a request is refused in its turn",
            "9112 9.3.2",
            vec![Step::Send([get("/simple"), method()].concat()), simple().then(), Step::Refusal(METHOD)],
        ),
        must(
            "a long target is refused as one however it arrives",
            "9112 3",
            vec![Step::SendPieces(target(), 999), Step::Refusal(TARGET)],
        ),
        must(
            "a long method is refused as one however it arrives",
            "9112 3",
            vec![Step::SendPieces(method(), 999), Step::Refusal(METHOD)],
        ),
    ]);
    cases
}
