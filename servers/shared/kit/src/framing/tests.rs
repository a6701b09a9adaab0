use super::*;

/// What hyper sees, with whether it is between messages behind it, or what it is refused for.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    seen: Vec<u8>,
    end: Result<bool, (&'static [u8], Option<Excess>)>,
}

fn read_pieces<'a>(pieces: impl IntoIterator<Item = &'a [u8]>) -> Read {
    let mut framing = Framing::default();
    let mut seen = Vec::new();
    for mut piece in pieces {
        loop {
            match framing.read(piece) {
                None => {
                    seen.extend_from_slice(piece);
                    break;
                }
                Some(Instead::Byte { at, byte }) => {
                    seen.extend_from_slice(&piece[..at]);
                    seen.push(byte);
                    piece = &piece[at + 1..];
                }
                Some(Instead::End { at, bytes, excess }) => {
                    seen.extend_from_slice(&piece[..at]);
                    return Read { seen, end: Err((bytes, excess)) };
                }
            }
        }
    }
    Read { seen, end: Ok(framing.is_between_messages()) }
}

/// Where it stops, and whether it is between messages if it does not.
fn read(text: &str) -> Result<bool, usize> {
    let Read { seen, end } = read_pieces([text.as_bytes()]);
    end.map_err(|_| seen.len())
}

#[test]
fn messages_end_where_their_framing_says() {
    for whole in [
        "",
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\nGET / HTTP/1.1\nHost: a\n\n",
        "GET / HTTP/1.0\r\n\r\n",
        "GET / HTTP/1.0\n\n",
        "GET / HTTP/1.9\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\ncontent-LENGTH: 5\r\n\r\nhello",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhelloGET / HTTP/1.1\r\n\r\n",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b\r\nhello\r\n0\r\nA: b\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Lengthy: 5\r\nTransfer: x\r\nC: c\r\n\r\n",
    ] {
        assert_eq!(read(whole), Ok(true), "{whole:?}");
        assert_eq!(read(&format!("{whole}G")), Ok(false), "{whole:?}");
    }
    for part in [
        "GET / HTTP/1.1\r\nHost: a\r\n",
        "POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\nhell",
        "POST / HTTP/1.1\r\nContent-Length: 18446744073709551613\r\n\r\nhello",
        "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n",
    ] {
        assert_eq!(read(part), Ok(false), "{part:?}");
    }
}

#[test]
fn what_hyper_lets_pass_is_named_by_its_place() {
    for (before, after) in [
        ("GET /simple", "#top HTTP/1.1\r\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding", ": chunked\r\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nContent-Length", ": 5\r\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5 ", "\r\nhello\r\n0\r\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5;", "\r\nhello\r\n0\r\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "\nGET / HTTP/1.1\r\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b", "\n\r\n"),
        ("POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nhOST", ": c\r\n\r\n"),
    ] {
        assert_eq!(read(&format!("{before}{after}")), Err(before.len()), "{before:?}");
    }
}

#[test]
fn what_hyper_refuses_otherwise_than_it_should_is_named_by_its_place() {
    for (before, after) in [
        ("GET / ", "ICY/1.1\r\n\r\n"),
        ("GET / HTTP/", "0.9\r\n\r\n"),
        ("GET / HTTP/1.", "x\r\n\r\n"),
        ("GET / HTTP/1.1\r\n\r\nPRI * HTTP/", "2.0\r\n\r\nSM\r\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: 1844674407370955161", "4\r\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: 1844674407370955161", "6\r\n\r\n"),
        ("POST / HTTP/1.1\r\nContent-Length: 18446744073709551613", "0\r\n\r\n"),
    ] {
        assert_eq!(read(&format!("{before}{after}")), Err(before.len()), "{before:?}");
    }
}

#[test]
fn a_hash_in_a_method_is_none_in_a_target() {
    assert_eq!(read("G#T / HTTP/1.1\r\nA: #\r\n\r\n"), Ok(true));
}

#[test]
fn a_later_minor_version_is_shown_as_1_and_nothing_else_is_changed() {
    for (sent, seen) in [
        ("GET / HTTP/1.2\r\nA: HTTP/1.2\r\n\r\n", "GET / HTTP/1.1\r\nA: HTTP/1.2\r\n\r\n"),
        ("GET /HTTP/1.3 HTTP/1.9\n\nB / HTTP/1.5\n\n", "GET /HTTP/1.3 HTTP/1.1\n\nB / HTTP/1.1\n\n"),
        ("GET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.0\r\n\r\n"),
        // Which hyper refuses.
        ("GET / HTTP/1.20\r\n", "GET / HTTP/1.10\r\n"),
    ] {
        let Read { seen: found, end } = read_pieces([sent.as_bytes()]);
        assert_eq!((String::from_utf8(found).unwrap().as_str(), end.is_ok()), (seen, true), "{sent:?}");
    }
}

/// A head of so many bytes.
fn head_of(length: usize) -> String {
    let (start, end) = ("GET / HTTP/1.1\r\nA: ", "\r\n\r\n");
    format!("{start}{}{end}", "a".repeat(length - start.len() - end.len()))
}

#[test]
fn a_head_may_have_the_longest_length_and_each_has_it_anew() {
    let longest = head_of(MAX_HEAD_BYTES);
    let with_body = longest.replacen(&format!("A: {}", "a".repeat(18)), "Content-Length: 2\r\na:", 1);
    assert_eq!(with_body.len(), MAX_HEAD_BYTES);
    assert_eq!(read(&format!("{longest}{with_body}hi{longest}")), Ok(true));
    assert_eq!(read(&format!("\r\n{}", head_of(MAX_HEAD_BYTES - 2))), Ok(true));
    for too_long in [head_of(MAX_HEAD_BYTES + 1), format!("\r\n{longest}")] {
        assert!(read(&too_long).is_err());
    }
    let line = "A: b\r\n";
    assert_eq!(read(&format!("GET / HTTP/1.1\r\n{}\r\n", line.repeat(100))), Ok(true));
    let Read { end, .. } = read_pieces([format!("GET / HTTP/1.1\r\n{}\r\n", line.repeat(101)).as_bytes()]);
    assert_eq!(end, Err((&b"\r\n"[..], Some(Excess::Fields))));
}

#[test]
fn a_head_that_is_too_long_is_ended_where_it_becomes_so_and_told_by_its_part() {
    let many = "a".repeat(2 * MAX_HEAD_BYTES);
    let up_to = |length: usize, start: &str| format!("{start}{}", &many[..length - start.len()]);
    let at = MAX_HEAD_BYTES;
    let heads = [
        (many.clone(), Excess::Method),
        (format!("{} / HTTP/1.1\r\n", up_to(at, "")), Excess::Method),
        (format!("GET /{many}"), Excess::Target),
        (format!("GET http://a/{many}"), Excess::Target),
        (format!("GET /?{many} HTTP/1.1\r\n"), Excess::Target),
        (format!("{} HTTP/1.1\r\n\r\n", up_to(at, "GET /")), Excess::Target),
        (format!("{} HTTP/1.1\r\n\r\n", up_to(at - 1, "GET /")), Excess::Target),
        (format!("{} HTTP/1.1\r\nA: b\r\n\r\n", up_to(at - 6, "GET /")), Excess::Target),
        (format!("{} HTTP/1.1\r\nA: b\r\n\r\n", up_to(at - 9, "GET /")), Excess::Target),
        (format!("{} HTTP/1.1\r\nA: b\r\n\r\n", up_to(at - 10, "GET /")), Excess::Target),
        (format!("{} HTTP/1.1\r\nA: b\r\n\r\n", up_to(at - 11, "GET /")), Excess::Target),
        (format!("{} HTTP/1.1\r\nA: b\r\n\r\n", up_to(at - 12, "GET /")), Excess::Fields),
        (format!("GET / HTTP/1.1\r\n{many}"), Excess::Fields),
        (format!("GET / HTTP/1.1\r\nA: {many}"), Excess::Fields),
        (format!("GET / HTTP/1.1\r\nContent-Length: {}", "0".repeat(at)), Excess::Fields),
        (format!("{}\r\n", up_to(at - 2, "GET / HTTP/1.1\r\nA: ") + "\r\nB: c"), Excess::Fields),
        (head_of(at + 1), Excess::Fields),
        (head_of(at + 2), Excess::Fields),
        (head_of(at + 3), Excess::Fields),
        (head_of(at + 4), Excess::Fields),
    ];
    for (head, excess) in heads {
        let whole = read_pieces([head.as_bytes()]);
        let shown = &head[..40];
        let Err((end, found)) = whole.end else { panic!("{shown} passes") };
        assert_eq!(found, Some(excess), "{shown}");
        // What hyper is given is a head.
        let given = [&whole.seen, end].concat();
        assert!(given.len() <= MAX_HEAD_BYTES + MAX_END_BYTES, "{shown}: {}", given.len());
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS as usize];
        let parsed = httparse::Request::new(&mut fields).parse(&given);
        assert_eq!(parsed, Ok(httparse::Status::Complete(given.len())), "{shown}");
        // However it is cut, above all about the limit.
        for cut in (at - 20..head.len().min(at + 5)).chain([1, 9, 100]).filter(|&cut| cut < head.len()) {
            let (one, other) = head.as_bytes().split_at(cut);
            assert_eq!(read_pieces([one, other]), whole, "{shown} cut after {cut}");
        }
    }
}

#[test]
fn empty_lines_without_end_are_refused() {
    let Read { seen, end } = read_pieces([&[b'\n'; MAX_HEAD_BYTES + 1][..]]);
    assert_eq!((seen.len(), end), (MAX_HEAD_BYTES, Err((REFUSED, None))));
}

#[test]
fn requests_are_counted_as_they_begin() {
    let mut framing = Framing::default();
    framing.read(b"\r\n");
    assert_eq!(framing.requests(), 0);
    framing.read(b"G");
    assert_eq!(framing.requests(), 1);
    framing.read(b"ET / HTTP/1.1\r\n\r\n");
    assert_eq!(framing.requests(), 1);
    framing.read(b"POST / HTTP/1.1\r\nContent-Length: 1\r\n\r\naGET / HTTP/1.1\r\n\r\nG");
    assert_eq!(framing.requests(), 4);
}

proptest::proptest! {
    #[test]
    fn the_cutting_of_the_bytes_changes_nothing(
        pieces in proptest::collection::vec("[\\PC\r\n]{0,20}|GET / HTTP/1.1\r\n|GET / HTTP/1.[0-9]\r\n|Transfer-Encoding: chunked\r\n|Content-Length: 3\r\n|\r\n|5;a\r\n|0\r\n|Host: a\r\n|A: a{5000}\r\n", 0..12),
    ) {
        let whole = pieces.concat();
        let cut = read_pieces(pieces.iter().map(String::as_bytes));
        proptest::prop_assert_eq!(cut, read_pieces([whole.as_bytes()]));
    }
}
