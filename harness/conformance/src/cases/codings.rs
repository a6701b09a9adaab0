//! Transfer-Encoding: `chunked` and nothing else, and every known way to make two servers disagree about it.
//!
//! A server and a proxy that read the same bytes differently are how requests are smuggled: one takes the length, the
//! other the chunks, and what is body to the one is a request to the other.

use crate::case::{Case, SMUGGLED, Step, answer, must, send, should};
use crate::cases::{BAD, BAD_CODING, ECHO, Refused, and_smuggled, refused};

const CHUNKS: &[u8] = b"5\r\nhello\r\n0\r\n\r\n";

/// Fields of a POST to `/echo` that announce something else than `chunked`. Chunks and a hidden request follow.
const BAD_CODINGS: &[Refused] = &[
    ("an unknown transfer coding is refused", "9112 6.1", b"Transfer-Encoding: gzip"),
    ("an unknown coding before chunked is refused", "9112 6.1", b"Transfer-Encoding: x-unknown, chunked"),
    ("a known coding before chunked is refused", "9112 6.1", b"Transfer-Encoding: gzip, chunked"),
    ("chunked that is not the last coding is refused", "9112 6.3", b"Transfer-Encoding: chunked, gzip"),
    ("the identity coding is refused", "9112 6.1", b"Transfer-Encoding: identity"),
    ("identity before chunked is refused", "9112 6.1", b"Transfer-Encoding: identity, chunked"),
    ("identity after chunked is refused", "9112 6.3", b"Transfer-Encoding: chunked, identity"),
    ("chunked twice is refused", "9112 6.1", b"Transfer-Encoding: chunked, chunked"),
    ("chunked twice without a blank is refused", "9112 6.1", b"Transfer-Encoding: chunked,chunked"),
    ("a coding that only resembles chunked is refused", "9112 6.1", b"Transfer-Encoding: xchunked"),
    ("a coding that only begins like chunked is refused", "9112 6.1", b"Transfer-Encoding: chunkedx"),
    ("a word before chunked is refused", "9112 6.1", b"Transfer-Encoding: x chunked"),
    ("a word after chunked is refused", "9112 6.1", b"Transfer-Encoding: chunked x"),
    ("quoted chunked is refused", "9112 6.1", b"Transfer-Encoding: \"chunked\""),
    ("chunked in single quotes is refused", "9112 6.1", b"Transfer-Encoding: 'chunked'"),
    ("chunked in brackets is refused", "9112 6.1", b"Transfer-Encoding: [chunked]"),
    ("chunked behind a colon is refused", "9112 6.1", b"Transfer-Encoding: : chunked"),
    ("chunked with a semicolon is refused", "9112 6.1", b"Transfer-Encoding: chunked;"),
    ("an empty transfer coding is refused", "9112 6.1", b"Transfer-Encoding:"),
    ("chunked behind a vertical tab is refused", "9112 6.1", b"Transfer-Encoding: \x0bchunked"),
    ("chunked before a vertical tab is refused", "9112 6.1", b"Transfer-Encoding: chunked\x0b"),
    ("chunked behind a form feed is refused", "9112 6.1", b"Transfer-Encoding: \x0cchunked"),
    ("chunked behind a blank beyond ASCII is refused", "9112 6.1", b"Transfer-Encoding: \xa0chunked"),
    ("chunked before a byte beyond ASCII is refused", "9112 6.1", b"Transfer-Encoding: chunked\xff"),
    (
        "chunked before a letter that only looks like one is refused",
        "9112 6.1",
        b"Transfer-Encoding: chun\xe2\x84\xaaed",
    ),
    ("chunked with a NUL is refused", "contract", b"Transfer-Encoding: chunked\0"),
    ("chunked with a NUL within is refused", "contract", b"Transfer-Encoding: chun\0ked"),
    ("chunked with a lone CR is refused", "contract", b"Transfer-Encoding: chun\rked"),
    ("chunked behind a lone CR is refused", "contract", b"Transfer-Encoding:\rchunked"),
    ("chunked before a CR too many is refused", "contract", b"Transfer-Encoding: chunked\r"),
    ("chunked on a folded line is refused", "contract", b"Transfer-Encoding:\r\n chunked"),
    (
        "chunked with a folded line behind is refused",
        "contract",
        b"Transfer-Encoding: chunked\r\n , identity",
    ),
    (
        "a coding as the fold of another field is refused",
        "contract",
        b"X-A: b\r\n Transfer-Encoding: chunked",
    ),
    ("a blank before the colon of a coding is refused", "9112 5.1", b"Transfer-Encoding : chunked"),
    ("a tab before the colon of a coding is refused", "9112 5.1", b"Transfer-Encoding\t: chunked"),
    ("a NUL in the name of a coding is refused", "9110 5.1", b"Transfer-Encoding\0: chunked"),
    ("a lone CR in the name of a coding is refused", "contract", b"Transfer\r-Encoding: chunked"),
    ("a coding behind a lone CR is refused", "contract", b"X-A: b\rTransfer-Encoding: chunked"),
    (
        "chunked in two fields is refused",
        "9112 6.1",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ),
    (
        "identity in a field after chunked is refused",
        "9112 6.3",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
    ),
    (
        "identity in a field before chunked is refused",
        "9112 6.1",
        b"Transfer-Encoding: identity\r\nTransfer-Encoding: chunked",
    ),
    (
        "an unknown coding in a field after chunked is refused",
        "9112 6.3",
        b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow",
    ),
    (
        "an unknown coding in a field before chunked is refused",
        "9112 6.1",
        b"Transfer-Encoding: cow\r\nTransfer-encoding: chunked",
    ),
];

/// The same beside a length that covers chunks and hidden request, as a smuggler would send it.
const BESIDE_A_LENGTH: &[Refused] = &[
    ("an unknown coding beside a length is refused", "9112 6.3", b"Transfer-Encoding: xchunked"),
    ("identity beside a length is refused", "9112 6.3", b"Transfer-Encoding: identity"),
    ("an empty coding beside a length is refused", "9112 6.3", b"Transfer-Encoding:"),
    (
        "chunked behind a vertical tab and beside a length is refused",
        "9112 6.3",
        b"Transfer-Encoding: \x0bchunked",
    ),
    (
        "chunked before a form feed and beside a length is refused",
        "9112 6.3",
        b"Transfer-Encoding: chunked\x0c",
    ),
    ("quoted chunked beside a length is refused", "9112 6.3", b"Transfer-Encoding: \"chunked\""),
    (
        "a blank before the colon of a coding beside a length is refused",
        "9112 5.1",
        b"Transfer-Encoding : chunked",
    ),
    ("a coding on a folded line beside a length is refused", "contract", b"Transfer-Encoding:\r\n\tchunked"),
    (
        "a coding as a fold and beside a length is refused",
        "contract",
        b"X-A: b\r\n Transfer-Encoding: chunked",
    ),
    (
        "two codings beside a length are refused",
        "9112 6.3",
        b"Transfer-Encoding: chunked\r\nTransfer-Encoding: cow",
    ),
    ("chunked, identity beside a length is refused", "9112 6.3", b"Transfer-Encoding: chunked, identity"),
];

/// Right ways to say `chunked`.
const CHUNKED: &[(&str, &str, &str)] = &[
    ("codings are recognised in any case", "9112 7", "Transfer-Encoding: Chunked"),
    ("codings are recognised in capitals", "9112 7", "TRANSFER-ENCODING: CHUNKED"),
    ("blanks and tabs around a coding are none of it", "9112 5.1", "Transfer-Encoding: \t chunked \t "),
    ("no blank is needed before a coding", "9112 5.1", "Transfer-Encoding:chunked"),
    ("TE is not Transfer-Encoding", "9110 10.1.4", "TE: gzip, trailers\r\nTransfer-Encoding: chunked"),
    (
        "Content-Encoding does not change the framing",
        "9110 8.4",
        "Content-Encoding: chunked\r\nTransfer-Encoding: chunked",
    ),
];

/// Both framings: the fields, of which the chunks must win if the request is not refused.
const BOTH: &[(&str, &str)] = &[
    (
        "Content-Length beside Transfer-Encoding is refused, or chunked wins and the connection closes",
        "Content-Length: 65\r\nTransfer-Encoding: chunked",
    ),
    ("the same holds for a length behind the coding", "Transfer-Encoding: chunked\r\nContent-Length: 65"),
    ("the same holds for a length of zero", "Content-Length: 0\r\nTransfer-Encoding: chunked"),
    ("the same holds for a length within the chunks", "Content-Length: 3\r\nTransfer-Encoding: chunked"),
    (
        "the same holds for two equal lengths",
        "Content-Length: 65\r\nTransfer-Encoding: chunked\r\nContent-Length: 65",
    ),
    ("the same holds for a coding in capitals", "Content-Length: 65\r\nTRANSFER-ENCODING: CHUNKED"),
    ("the same holds for a coding between blanks", "Content-Length: 65\r\nTransfer-Encoding:\tchunked\t"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = refused(ECHO, BAD_CODINGS, &end_of(&and_smuggled(CHUNKS)), BAD_CODING);
    let length = CHUNKS.len() + SMUGGLED.len();
    let start = format!("{ECHO}Content-Length: {length}\r\n");
    cases.extend(refused(&start, BESIDE_A_LENGTH, &end_of(&and_smuggled(CHUNKS)), BAD_CODING));
    for &(name, source, fields) in CHUNKED {
        let request = [ECHO.as_bytes(), fields.as_bytes(), &end_of(CHUNKS)].concat();
        let steps = vec![send([&request[..], &request].concat()), hello().then(), hello().then()];
        cases.push(must(name, source, steps));
    }
    for &(name, fields) in BOTH {
        let request = [ECHO.as_bytes(), fields.as_bytes(), &end_of(&and_smuggled(CHUNKS))].concat();
        cases.push(must(name, "9112 6.3", vec![send(request), Step::RefusalOr(BAD, hello()), Step::Closes]));
    }
    cases.extend([
        must(
            "a bad length beside chunked is refused, or chunked wins and the connection closes",
            "9112 6.3",
            vec![
                send([ECHO.as_bytes(), b"Content-Length: x\r\nTransfer-Encoding: chunked", &end_of(&and_smuggled(CHUNKS))].concat()),
                Step::RefusalOr(BAD, hello()),
                Step::Closes,
            ],
        ),
        must(
            "a hidden request in a chunk is body whatever the length says",
            "9112 6.3",
            vec![send(hidden_in_a_chunk()), Step::RefusalOr(BAD, answer(200).body(SMUGGLED)), Step::Closes],
        ),
        must(
            "an empty list element before chunked is passed over or refused",
            "9110 5.6.1.2",
            vec![
                send([ECHO.as_bytes(), b"Transfer-Encoding: , chunked", &end_of(CHUNKS)].concat()),
                Step::RefusalOr(BAD_CODING, hello()),
                Step::UsableOrClosed,
            ],
        ),
        should(
            "chunked with a parameter is refused",
            "9112 7.1",
            vec![
                send([ECHO.as_bytes(), b"Transfer-Encoding: chunked;a=b", &end_of(&and_smuggled(CHUNKS))].concat()),
                Step::Refusal(BAD_CODING),
            ],
        ),
        must(
            "a coding in HTTP/1.0 is refused, or the connection closes",
            "9112 6.1",
            vec![
                send([&b"POST /echo HTTP/1.0\r\nHost: c\r\nConnection: keep-alive\r\nTransfer-Encoding: chunked"[..], &end_of(&and_smuggled(CHUNKS))].concat()),
                Step::RefusalOr(BAD_CODING, hello()),
                Step::Closes,
            ],
        ),
        must(
            "an underscore does not make a coding",
            "9110 5.1",
            vec![
                send([ECHO.as_bytes(), b"Content-Length: 15\r\nTransfer_Encoding: chunked", &end_of(CHUNKS)].concat()),
                Step::RefusalOr(BAD, answer(200).body(CHUNKS)),
                Step::UsableOrClosed,
            ],
        ),
        must(
            "chunks without a coding are not read as chunks",
            "9112 6.3",
            vec![
                send([ECHO.as_bytes(), b"Content-Length: 15\r\nX-Transfer-Encoding: chunked", &end_of(CHUNKS)].concat()),
                answer(200).body(CHUNKS).then(),
                Step::UsableOrClosed,
            ],
        ),
        must(
            "a coding behind a line feed alone is one or refused",
            "9112 2.2",
            vec![
                send([ECHO.as_bytes(), b"X-A: b\nTransfer-Encoding: chunked", &end_of(CHUNKS)].concat()),
                Step::RefusalOr(BAD, hello()),
                Step::UsableOrClosed,
            ],
        ),
    ]);
    cases
}

fn hello() -> crate::case::Expected {
    answer(200).body("hello")
}

/// The end of the head, and `body`.
fn end_of(body: &[u8]) -> Vec<u8> {
    [b"\r\n\r\n", body].concat()
}

/// To who takes the length, the body is the chunk's size line, and the hidden request comes next.
fn hidden_in_a_chunk() -> Vec<u8> {
    let size = format!("{:x}\r\n", SMUGGLED.len());
    let fields = format!("Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n", size.len());
    [ECHO.as_bytes(), fields.as_bytes(), size.as_bytes(), SMUGGLED, b"\r\n0\r\n\r\n"].concat()
}
