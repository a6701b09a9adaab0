use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { max_head_bytes: 512, max_body_bytes: Some(1_000) };

/// What a client sees: the final answers, then why it stopped.
#[derive(Debug, PartialEq)]
struct Seen {
    answers: Vec<(u16, bool, Vec<u8>)>,
    end: ResponseError,
}

/// Feeds `pieces` one after the other, pipelined responses included, and then closes.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, answers_have_bodies: bool) -> Seen {
    feed_within(LIMITS, pieces, answers_have_bodies)
}

fn feed_within<'a>(
    limits: Limits,
    pieces: impl IntoIterator<Item = &'a [u8]>,
    answers_have_bodies: bool,
) -> Seen {
    let mut parser = ResponseParser::new(limits);
    parser.expect(answers_have_bodies);
    let (mut answers, mut content) = (Vec::new(), Vec::new());
    let mut take = |content: &mut Vec<u8>, response: &Response, rest: &[u8]| {
        assert_eq!(response.in_pieces, !content.is_empty());
        content.extend_from_slice(response.content(rest));
        assert_eq!(response.content_bytes, content.len() as u64);
        answers.push((response.status, response.keep_alive, std::mem::take(content)));
    };
    let mut end = None;
    'pieces: for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            match parser.feed(rest) {
                Ok(Progress::NeedMore) => break,
                Ok(Progress::Content(piece)) => {
                    assert!(!piece.content(rest).is_empty());
                    content.extend_from_slice(piece.content(rest));
                    rest = &rest[piece.consumed..];
                }
                Ok(Progress::Complete(response)) => {
                    take(&mut content, &response, rest);
                    rest = &rest[response.consumed..];
                }
                Err(error) => {
                    end = Some(error);
                    break 'pieces;
                }
            }
        }
    }
    if end.is_none()
        && let Ok(response) = parser.end_of_input()
    {
        take(&mut content, &response, b"");
    }
    Seen { answers, end: end.unwrap_or(ResponseError::ClosedEarly) }
}

fn whole(bytes: &[u8]) -> Seen {
    feed([bytes], true)
}

fn seen(answers: &[(u16, bool, &str)]) -> Seen {
    let answers =
        answers.iter().map(|(status, keep, body)| (*status, *keep, body.as_bytes().to_vec())).collect();
    Seen { answers, end: ResponseError::ClosedEarly }
}

#[test]
fn a_response_with_a_length_is_read_where_it_lies() {
    let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\nDate: now\r\n\r\nhello";
    let mut parser = ResponseParser::new(LIMITS);
    let Ok(Progress::Complete(response)) = parser.feed(bytes) else { panic!("it is complete") };
    assert_eq!((response.status, response.keep_alive, response.consumed), (200, true, bytes.len()));
    assert_eq!(response.content(bytes), b"hello");
    assert_eq!((response.content_bytes, response.in_pieces, parser.unfinished.capacity()), (5, false, 0));
    assert!(!parser.has_begun());
}

#[test]
fn chunked_closed_and_pipelined_responses_are_told_apart() {
    let bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n\
        HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\nconnection: x, Close\r\n\r\n\
        HTTP/1.0 200 OK\r\n\r\nuntil the end";
    assert_eq!(whole(bytes), seen(&[(200, true, "hi"), (404, false, ""), (200, false, "until the end")]));
}

#[test]
fn informational_responses_are_skipped() {
    let bytes = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n\
        HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    assert_eq!(whole(bytes), seen(&[(200, true, "x")]));
}

#[test]
fn a_switch_of_protocols_that_nobody_asked_for_is_malformed() {
    assert!(matches!(whole(b"HTTP/1.1 101 S\r\n\r\n").end, ResponseError::Malformed(_)));
}

#[test]
fn statuses_and_methods_without_content_need_no_length() {
    let bytes = b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 304 Not Modified\r\ncontent-length: 9\r\n\r\n";
    assert_eq!(whole(bytes), seen(&[(204, true, ""), (304, true, "")]));
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 900\r\n\r\nHTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    assert_eq!(feed([&head[..]], false), seen(&[(200, true, ""), (200, true, "")]));
}

#[test]
fn http_1_0_keeps_the_connection_only_when_it_says_so() {
    let bytes = b"HTTP/1.0 200 OK\r\ncontent-length: 0\r\nconnection: keep-alive\r\n\r\n\
        HTTP/1.0 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_eq!(whole(bytes), seen(&[(200, true, ""), (200, false, "")]));
}

#[test]
fn chunked_with_a_length_is_read_as_chunked_and_not_reused() {
    let bytes =
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n";
    assert_eq!(whole(bytes), seen(&[(200, false, "x")]));
}

#[test]
fn bad_framing_is_malformed() {
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length:\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntransfer-encoding: chunked\r\n\r\n",
        "HTTP/1.1 099 OK\r\n\r\n",
        "HTTP/2 200\r\n\r\n",
        "SSH-2.0-x\r\n",
        "HTTP/1.1 200 OK\r\nno colon\r\n\r\n",
    ] {
        assert!(matches!(whole(head.as_bytes()).end, ResponseError::Malformed(_)), "{head:?}");
    }
}

#[test]
fn limits_hold_for_heads_and_for_content_of_every_framing() {
    let long_head = format!("HTTP/1.1 200 OK\r\nx: {}\r\n\r\n", "y".repeat(600));
    assert_eq!(whole(long_head.as_bytes()).end, ResponseError::HeadTooLarge { limit: 512 });
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(90));
    assert_eq!(whole(many.as_bytes()).end, ResponseError::HeadTooLarge { limit: 512 });
    let chunked = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n";
    let long_line = format!("{chunked}1;{}\r\nx\r\n", "y".repeat(600));
    assert_eq!(whole(long_line.as_bytes()).end, ResponseError::HeadTooLarge { limit: 512 });
    let too_large = ResponseError::BodyTooLarge { limit: 1_000 };
    let content = "z".repeat(1_001);
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
        &format!("{chunked}3e9\r\n"),
    ] {
        assert_eq!(whole(format!("{head}{content}").as_bytes()).end, too_large, "{head:?}");
    }
}

#[test]
fn content_without_a_limit_may_be_longer_than_memory_is() {
    let limits = Limits { max_head_bytes: 100, max_body_bytes: None };
    for head in [
        "HTTP/1.1 200 OK\r\ncontent-length: 18446744073709551615\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nffffffffffffffff\r\n",
        "HTTP/1.1 200 OK\r\n\r\n",
    ] {
        let mut parser = ResponseParser::new(limits);
        assert_eq!(parser.feed(head.as_bytes()), Ok(Progress::NeedMore), "{head:?}");
        let input = [b'x'; 4_096];
        for _ in 0..1_000 {
            let Ok(Progress::Content(piece)) = parser.feed(&input) else { panic!("it is content") };
            assert_eq!((piece.content(&input).len(), piece.consumed), (4_096, 4_096));
        }
        assert_eq!(parser.unfinished.capacity(), 0);
    }
}

/// Responses that RFC 9112 lets a server send, and what they are, for whoever reads them one byte at a time, in two parts cut
/// anywhere, or at once.
fn allowed() -> Vec<(String, Seen)> {
    let length = |fields: &str| format!("HTTP/1.1 200 OK\r\n{fields}content-length: 2\r\n\r\nhi");
    let hi = || seen(&[(200, true, "hi")]);
    let last = || seen(&[(200, false, "hi")]);
    let chunked = |fields: &str| format!("HTTP/1.1 200 OK\r\ntransfer-encoding:{fields}\r\n\r\n");
    let many: String = (0..65).map(|index| format!("x-{index}: y\r\n")).collect();
    let more: String = (0..1_000).map(|index| format!("x-{index}: y\r\n")).collect();
    vec![
        // Section 7.1.1: blanks around the semicolon of an extension.
        (chunked(" chunked") + "2 ;a=b\r\nhi\r\n0\t;c\r\n\r\n", hi()),
        (chunked(" chunked") + "002 \t ; a = \"b;c\" ; d\r\nhi\r\n0\r\nx: y\r\n z\r\n\r\n", hi()),
        // Section 5.2: a user agent takes a folded field as if a blank were there.
        (length("x: a\r\n b\r\n\tc\r\n"), hi()),
        (length("connection: x,\r\n close\r\n"), last()),
        ("HTTP/1.1 200 OK\r\ncontent-length:\r\n 2\r\n \r\n\r\nhi".to_owned(), hi()),
        (chunked("\r\n\tchunked") + "2\r\nhi\r\n0\r\n\r\n", hi()),
        // Section 5.6.1.2 of RFC 9110: empty elements of a list.
        (chunked(" ,chunked, ,") + "2\r\nhi\r\n0\r\n\r\n", hi()),
        // Nothing bounds the number of fields.
        (length(&many), hi()),
        (length(&more), hi()),
        // Sections 4 and 5.1, and section 2.5 of RFC 9110.
        (length("x : y\r\n"), hi()),
        ("HTTP/1.1  200  OK\r\ncontent-length : 2\r\n\r\nhi".to_owned(), hi()),
        ("HTTP/1.2 200 OK\r\ncontent-length: 2\r\n\r\nhi".to_owned(), hi()),
        ("HTTP/1.1 200\r\ncontent-length: 2\r\n\r\nhi".to_owned(), hi()),
        // Section 6.1: a coding in HTTP/1.0.
        (
            "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ntransfer-encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n".to_owned(),
            last(),
        ),
    ]
}

#[test]
fn what_the_rfc_lets_a_server_send_is_taken_however_it_is_cut() {
    let limits = Limits { max_head_bytes: 64 * 1024, max_body_bytes: Some(2) };
    for (text, expected) in allowed() {
        let bytes = text.as_bytes();
        assert_eq!(feed_within(limits, [bytes], true), expected, "{text:?}");
        assert_eq!(feed_within(limits, bytes.chunks(1), true), expected, "{text:?}");
        for cut in (0..bytes.len()).step_by(1 + bytes.len() / 1_000) {
            let (first, second) = bytes.split_at(cut);
            assert_eq!(feed_within(limits, [first, second], true), expected, "{text:?} cut at {cut}");
        }
    }
}

#[test]
fn any_number_of_informational_responses_may_come_at_once() {
    let text =
        "HTTP/1.1 103 Early Hints\r\n\r\n".repeat(100_000) + "HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx";
    assert_eq!(whole(text.as_bytes()), seen(&[(200, true, "x")]));
}

#[test]
fn a_response_cut_anywhere_is_closed_early() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    for end in 0..bytes.len() {
        assert_eq!(whole(&bytes[..end]), seen(&[]), "{end} bytes");
    }
}

#[test]
fn the_memory_of_a_head_is_reused_from_response_to_response() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n";
    let mut parser = ResponseParser::new(LIMITS);
    let mut memory = Vec::new();
    for _ in 0..10 {
        assert_eq!(parser.feed(&head[..20]), Ok(Progress::NeedMore));
        assert_eq!(parser.feed(&head[20..]), Ok(Progress::NeedMore));
        let Ok(Progress::Complete(response)) = parser.feed(&[b'x'; 500]) else { panic!("it is complete") };
        assert_eq!(response.content(&[b'x'; 500]), [b'x'; 500]);
        memory.push((parser.unfinished.as_ptr(), parser.unfinished.capacity()));
    }
    assert!(memory.windows(2).all(|pair| pair[0] == pair[1]));
}

/// Responses, sound and damaged.
fn responses() -> impl Strategy<Value = Vec<u8>> {
    let sound = prop::sample::select(vec![
        "HTTP/1.1 200 OK\r\ncontent-length: 11\r\n\r\nhello world",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5;x\r\nhello\r\n6\r\n world\r\n0\r\nt: u\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 204 No Content\r\nx: y\r\n\r\n",
        "HTTP/1.1 500 Oops\r\ncontent-length: 0\r\nconnection: close\r\n\r\n",
        "HTTP/1.0 200 OK\r\n\r\nto the end",
        "HTTP/1.1 200 OK\r\ncontent-length: 2000\r\n\r\n",
        "HTTP/1.1 200 OK\r\nx: y\r\n z\r\ntransfer-encoding: chunked\r\n\r\n1 ;y\r\nx\r\n0\r\n\r\n",
        "HTTP/1.3 200 OK\r\nContent-Length : 1\r\n\r\nx",
    ]);
    let many = prop::collection::vec(sound, 1..5).prop_map(|parts| parts.concat().into_bytes());
    (many, prop::option::of((any::<prop::sample::Index>(), any::<u8>()))).prop_map(|(mut bytes, damage)| {
        if let Some((index, byte)) = damage {
            let at = index.index(bytes.len());
            bytes[at] = byte;
        }
        bytes
    })
}

proptest! {
    #[test]
    fn any_split_of_the_bytes_gives_the_same_result(
        bytes in responses(), cuts in prop::collection::vec(any::<prop::sample::Index>(), 0..12), bodies in any::<bool>(),
    ) {
        let mut ends: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
        ends.extend([0, bytes.len()]);
        ends.sort_unstable();
        let pieces = ends.windows(2).map(|pair| &bytes[pair[0]..pair[1]]);
        prop_assert_eq!(feed(pieces, bodies), feed([bytes.as_slice()], bodies));
        prop_assert_eq!(feed(bytes.chunks(1), bodies), feed([bytes.as_slice()], bodies));
    }

    #[test]
    fn arbitrary_bytes_never_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        whole(&bytes);
    }
}
