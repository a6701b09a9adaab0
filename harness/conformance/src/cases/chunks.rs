//! Chunked bodies: sizes, extensions, data, the last chunk and the trailer section (RFC 9112 section 7.1).

use crate::case::{Case, SMUGGLED, Step, answer, code, get, must, send, simple};
use crate::cases::lengths::truncated;
use crate::cases::{BAD, Refused, refused};
use crate::verdict::Level;

const CHUNKED: &str = "POST /echo HTTP/1.1\r\nHost: c\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Bodies whose end two servers may see in different places. A hidden request follows, which whoever takes them may
/// answer.
const BROKEN: &[Refused] = &[
    ("a bad chunk size is refused", "9112 7.1", b"five!\r\nhello\r\n0\r\n\r\n"),
    ("an empty chunk size is refused", "9112 7.1", b"\r\nhello\r\n0\r\n\r\n"),
    ("an extension without chunk size is refused", "9112 7.1", b";a=b\r\nhello\r\n0\r\n\r\n"),
    ("a negative chunk size is refused", "9112 7.1", b"-5\r\nhello\r\n0\r\n\r\n"),
    ("a signed chunk size is refused", "9112 7.1", b"+5\r\nhello\r\n0\r\n\r\n"),
    ("a chunk size with prefix is refused", "9112 7.1", b"0x5\r\nhello\r\n0\r\n\r\n"),
    ("a chunk size with an h behind is refused", "9112 7.1", b"5h\r\nhello\r\n0\r\n\r\n"),
    ("a chunk size with an underscore is refused", "9112 7.1", b"0_5\r\nhello\r\n0\r\n\r\n"),
    ("a chunk size with a fraction is refused", "9112 7.1", b"5.0\r\nhello\r\n0\r\n\r\n"),
    ("a chunk size with a comma is refused", "9112 7.1", b"5,5\r\nhello\r\n0\r\n\r\n"),
    ("a quoted chunk size is refused", "9112 7.1", b"\"5\"\r\nhello\r\n0\r\n\r\n"),
    ("a blank before a chunk size is refused", "9112 7.1", b" 5\r\nhello\r\n0\r\n\r\n"),
    ("a tab before a chunk size is refused", "9112 7.1", b"\t5\r\nhello\r\n0\r\n\r\n"),
    ("a blank within a chunk size is refused", "9112 7.1", b"0 5\r\nhello\r\n0\r\n\r\n"),
    ("a chunk size in digits beyond ASCII is refused", "9112 7.1", b"\xef\xbc\x95\r\nhello\r\n0\r\n\r\n"),
    ("a chunk size beyond 64 bits is refused", "9112 7.1", b"10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("a chunk size of seventeen Fs is refused", "9112 7.1", b"fffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    (
        "a chunk size of thirty digits is refused",
        "9112 7.1",
        b"100000000000000000000000000005\r\nhello\r\n0\r\n\r\n",
    ),
    ("a negative last chunk is refused", "9112 7.1", b"5\r\nhello\r\n-0\r\n\r\n"),
    ("a last chunk with prefix is refused", "9112 7.1", b"5\r\nhello\r\n0x0\r\n\r\n"),
    ("a chunk line that ends in a line feed alone is refused", "9112 7.1", b"5\nhello\r\n0\r\n\r\n"),
    ("a chunk line that ends in a CR alone is refused", "9112 7.1", b"5\rhello\r\n0\r\n\r\n"),
    ("a chunk line with a CR too many is refused", "9112 7.1", b"5\r\r\nhello\r\n0\r\n\r\n"),
    ("a last chunk line that ends in a line feed alone is refused", "9112 7.1", b"5\r\nhello\r\n0\n\r\n"),
    ("a body that ends in a line feed alone is refused", "9112 7.1", b"5\r\nhello\r\n0\r\n\n"),
    (
        "a trailer section that ends in a line feed alone is refused",
        "9112 7.1",
        b"5\r\nhello\r\n0\r\nX-A: b\r\n\n",
    ),
    ("chunk data without end is refused", "9112 7.1", b"5\r\nhello0\r\n\r\n"),
    ("chunk data that ends in a line feed alone is refused", "9112 7.1", b"5\r\nhello\n0\r\n\r\n"),
    ("chunk data that ends in a CR alone is refused", "9112 7.1", b"5\r\nhello\r0\r\n\r\n"),
    ("chunk data that ends in two other bytes is refused", "9112 7.1", b"5\r\nhelloXY0\r\n\r\n"),
    ("chunk data longer than its size is refused", "9112 7.1", b"3\r\nhello\r\n0\r\n\r\n"),
    ("chunk data shorter than its size is refused", "9112 7.1", b"7\r\nhello\r\n0\r\n\r\n"),
    ("an empty line between chunks is refused", "9112 7.1", b"5\r\nhello\r\n\r\n0\r\n\r\n"),
    ("a line feed alone after a semicolon is refused", "9112 7.1.1", b"5;\nhello\r\n0\r\n\r\n"),
    ("a line feed alone after an extension is refused", "9112 7.1.1", b"5;a\nhello\r\n0\r\n\r\n"),
    ("a line feed alone within an extension is refused", "9112 7.1.1", b"5;a\nb\r\nhello\r\n0\r\n\r\n"),
    ("a lone CR within an extension is refused", "9112 7.1.1", b"5;a\rb\r\nhello\r\n0\r\n\r\n"),
    (
        "an extension with a line within its quotes is refused",
        "9112 7.1.1",
        b"5;a=\"\r\nhello\r\n\"\r\n0\r\n\r\n",
    ),
];

/// Bodies that are malformed although there is only one way to read them.
const MALFORMED: &[Refused] = &[
    ("a blank after a chunk size is refused", "9112 7.1", b"5 \r\nhello\r\n0\r\n\r\n"),
    ("a tab after a chunk size is refused", "9112 7.1", b"5\t\r\nhello\r\n0\r\n\r\n"),
    ("a vertical tab after a chunk size is refused", "9112 7.1", b"5\x0b\r\nhello\r\n0\r\n\r\n"),
    ("a NUL after a chunk size is refused", "9112 7.1", b"5\0\r\nhello\r\n0\r\n\r\n"),
    ("a NUL within an extension is refused", "9112 7.1.1", b"5;a\0b\r\nhello\r\n0\r\n\r\n"),
    ("a control byte within an extension is refused", "9112 7.1.1", b"5;a\x01b\r\nhello\r\n0\r\n\r\n"),
    (
        "a control byte within a quoted extension is refused",
        "9112 7.1.1",
        b"5;a=\"\x01\"\r\nhello\r\n0\r\n\r\n",
    ),
    ("an extension without name is refused", "9112 7.1.1", b"5;=b\r\nhello\r\n0\r\n\r\n"),
    ("an extension without value is refused", "9112 7.1.1", b"5;a=\r\nhello\r\n0\r\n\r\n"),
    ("an extension of two words is refused", "9112 7.1.1", b"5;a b\r\nhello\r\n0\r\n\r\n"),
    ("an unfinished quoted extension is refused", "9112 7.1.1", b"5;a=\"b\r\nhello\r\n0\r\n\r\n"),
    ("a bad extension of the last chunk is refused", "9112 7.1.1", b"5\r\nhello\r\n0;\x01\r\n\r\n"),
    ("a trailer without colon is refused", "contract", b"5\r\nhello\r\n0\r\nno colon here\r\n\r\n"),
    ("a trailer without name is refused", "contract", b"5\r\nhello\r\n0\r\n: value\r\n\r\n"),
    ("a trailer with a blank before its colon is refused", "contract", b"5\r\nhello\r\n0\r\nX-A : b\r\n\r\n"),
    ("a trailer with a NUL is refused", "9110 5.5", b"5\r\nhello\r\n0\r\nX-A: a\0b\r\n\r\n"),
    ("a trailer with a lone CR is refused", "9112 2.2", b"5\r\nhello\r\n0\r\nX-A: a\rb\r\n\r\n"),
];

/// Trailer fields that say where a message ends, where it goes, or what becomes of its connection: whoever heeds them, or puts
/// them among the head's, reads another message than who does not.
const FRAMING_TRAILERS: &[Refused] = &[
    ("a length in the trailer is refused", "9110 6.5.1", b"5\r\nhello\r\n0\r\nContent-Length: 50\r\n\r\n"),
    (
        "a right length in the trailer is refused",
        "9110 6.5.1",
        b"5\r\nhello\r\n0\r\nContent-Length: 5\r\n\r\n",
    ),
    (
        "a length behind another trailer is refused, in any case",
        "9110 6.5.1",
        b"5\r\nhello\r\n0\r\nX-A: b\r\ncONTENT-lENGTH:5\r\n\r\n",
    ),
    (
        "a coding in the trailer is refused",
        "9110 6.5.1",
        b"5\r\nhello\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
    ),
    (
        "a coding in the trailer of a body of no bytes is refused",
        "9110 6.5.1",
        b"0\r\nTransfer-Encoding: identity\r\nX-A: b\r\n\r\n",
    ),
    ("a Host in the trailer is refused", "9110 6.5.1", b"5\r\nhello\r\n0\r\nHost: other\r\n\r\n"),
    ("an empty Host in the trailer is refused", "9110 6.5.1", b"5\r\nhello\r\n0\r\nhost:\r\n\r\n"),
    ("Connection in the trailer is refused", "9110 6.5.1", b"5\r\nhello\r\n0\r\nConnection: close\r\n\r\n"),
    ("Trailer in the trailer is refused", "9110 6.5.1", b"5\r\nhello\r\n0\r\nTrailer: X-A\r\nX-A: b\r\n\r\n"),
    ("TE in the trailer is refused", "9110 6.5.1", b"5\r\nhello\r\n0\r\nTE: trailers\r\n\r\n"),
    ("Upgrade in the trailer is refused", "9110 6.5.1", b"5\r\nhello\r\n0\r\nUpgrade: h2c\r\n\r\n"),
];

/// Unusual bodies that are right, and what they hold.
const WHOLE: &[(&str, &[u8], &str)] = &[
    ("a chunk may have an extension with a value", b"5;a=b\r\nhello\r\n0\r\n\r\n", "hello"),
    ("a chunk may have an extension without value", b"5;a\r\nhello\r\n0\r\n\r\n", "hello"),
    ("a chunk may have a quoted extension", b"5;a=\"q u;o\\\"ted\"\r\nhello\r\n0\r\n\r\n", "hello"),
    ("a chunk may have an empty quoted extension", b"5;a=\"\"\r\nhello\r\n0\r\n\r\n", "hello"),
    ("a chunk may have many extensions", b"5;a=b;c;d=\"e\"\r\nhello\r\n0;f=g\r\n\r\n", "hello"),
    ("an extension may look like a size", b"5;5=0\r\nhello\r\n0\r\n\r\n", "hello"),
    ("a chunk size may have leading zeros", b"00005\r\nhello\r\n00000\r\n\r\n", "hello"),
    ("chunk data may look like the last chunk", b"5\r\n0\r\n\r\n\r\n0\r\n\r\n", "0\r\n\r\n"),
    ("a body may have a trailer", b"5\r\nhello\r\n0\r\nX-Sum: 1\r\nX-Other: 2\r\n\r\n", "hello"),
    ("a trailer may be empty", b"5\r\nhello\r\n0\r\nX-Sum:\r\n\r\n", "hello"),
    (
        "a trailer may be named nearly as a field that frames",
        b"5\r\nhello\r\n0\r\nContent-Lengths: 9\r\nX-Host: a\r\nTransfer: b\r\n\r\n",
        "hello",
    ),
];

/// What a server may pass over or refuse, as long as it stays in step.
const EITHER: &[(&str, &str, &[u8])] = &[
    (
        "blanks around an extension are passed over or refused",
        "9112 7.1.1",
        b"5 ; a = b\r\nhello\r\n0\r\n\r\n",
    ),
    ("a semicolon without extension is passed over or refused", "9112 7.1.1", b"5;\r\nhello\r\n0\r\n\r\n"),
    ("two semicolons are passed over or refused", "9112 7.1.1", b"5;;a\r\nhello\r\n0\r\n\r\n"),
    (
        "a chunk size of many zeros is read or refused",
        "9112 7.1",
        b"0000000000000000000005\r\nhello\r\n0\r\n\r\n",
    ),
    (
        "a line feed alone ends a trailer field or is refused",
        "9112 2.2",
        b"5\r\nhello\r\n0\r\nX-A: b\nX-B: c\r\n\r\n",
    ),
    ("a folded trailer is without effect or refused", "9112 5.2", b"5\r\nhello\r\n0\r\nX-A: b\r\n c\r\n\r\n"),
];

pub(crate) fn cases() -> Vec<Case> {
    let mut cases = refused(CHUNKED, BROKEN, SMUGGLED, BAD);
    cases.extend(refused(CHUNKED, MALFORMED, b"", BAD));
    cases.extend(refused(CHUNKED, FRAMING_TRAILERS, b"", BAD));
    for &(name, body, held) in WHOLE {
        let steps = vec![
            Step::Send([CHUNKED.as_bytes(), body, &get("/simple")].concat()),
            answer(200).body(held).then(),
            simple().then(),
        ];
        cases.push(must(name, "9112 7.1", steps));
    }
    for &(name, source, body) in EITHER {
        let steps = vec![
            send([CHUNKED.as_bytes(), body].concat()),
            Step::RefusalOr(BAD, answer(200).body("hello")),
            Step::UsableOrClosed,
        ];
        cases.push(must(name, source, steps));
    }
    let hidden = format!("{CHUNKED}{:x}\r\n", SMUGGLED.len());
    cases.extend([
        must(
            "a chunk that looks like a request comes back and is not answered",
            "9112 7.1",
            vec![
                Step::Send([hidden.as_bytes(), SMUGGLED, b"\r\n0\r\n\r\n", &get("/simple")].concat()),
                answer(200).body(SMUGGLED).then(),
                simple().then(),
            ],
        ),
        must(
            "a bad chunk is refused on a path that reads no body too",
            "9112 7.1",
            vec![
                send([CHUNKED.replace("POST /echo", "GET /simple").as_bytes(), b"zz\r\n", SMUGGLED].concat()),
                Step::Refusal(BAD),
            ],
        ),
        must(
            "a length in the trailer is refused on a path that reads no body too",
            "9110 6.5.1",
            vec![
                send(
                    CHUNKED.replace("POST /echo", "GET /simple") + "1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n",
                ),
                Step::Refusal(BAD),
            ],
        ),
        must(
            "a length in the trailer is refused however it arrives",
            "9110 6.5.1",
            vec![
                Step::SendPieces([CHUNKED, "1\r\na\r\n0\r\nContent-Length: 1\r\n\r\n"].concat().into(), 1),
                Step::Refusal(BAD),
            ],
        ),
        must(
            "a body of two thousand chunks is joined",
            "9112 7.1",
            vec![
                send([CHUNKED, &"1\r\nx\r\n".repeat(2000), "0\r\n\r\n"].concat()),
                answer(200).body("x".repeat(2000)).then(),
                Step::UsableOrClosed,
            ],
        ),
        code(
            "a chunked body that ends too early is not answered with success",
            Level::Must,
            "9112 8",
            |context| truncated(context, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"),
        ),
        code(
            "a chunked body without its last line is not answered with success",
            Level::Must,
            "9112 8",
            |context| truncated(context, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n"),
        ),
        code("a chunk that ends too early is not answered with success", Level::Must, "9112 8", |context| {
            truncated(context, "Transfer-Encoding: chunked\r\n\r\n5\r\nhel")
        }),
        code(
            "a trailer that ends too early is not answered with success",
            Level::Must,
            "9112 8",
            |context| truncated(context, "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-A: b\r\n"),
        ),
    ]);
    cases
}
