use proptest::prelude::*;

use super::*;

const LIMITS: Limits = Limits { max_head_bytes: 512, max_body_bytes: 1_000 };

/// What a client sees: the final answers, then why it stopped.
#[derive(Debug, PartialEq)]
struct Seen {
    answers: Vec<(u16, bool, Vec<u8>)>,
    end: ResponseError,
}

/// Feeds `pieces` one after the other, pipelined responses included, and then closes.
fn feed<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, answers_have_bodies: bool) -> Seen {
    let mut parser = ResponseParser::new(LIMITS);
    parser.expect(answers_have_bodies);
    let mut answers = Vec::new();
    for piece in pieces {
        let mut rest = piece;
        while !rest.is_empty() {
            match parser.feed(rest) {
                Ok(Progress::NeedMore) => break,
                Ok(Progress::Complete(response)) => {
                    answers.push((
                        response.status,
                        response.keep_alive,
                        parser.body(&response, rest).to_vec(),
                    ));
                    rest = &rest[response.consumed..];
                }
                Err(end) => return Seen { answers, end },
            }
        }
    }
    match parser.end_of_input() {
        Ok(response) => {
            answers.push((response.status, response.keep_alive, parser.body(&response, b"").to_vec()));
            Seen { answers, end: ResponseError::ClosedEarly }
        }
        Err(end) => Seen { answers, end },
    }
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
    assert_eq!(parser.body(&response, bytes), b"hello");
    assert_eq!(parser.gathered.capacity(), 0);
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
    assert_eq!(whole(long_head.as_bytes()).end, ResponseError::HeadTooLarge);
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(65));
    assert_eq!(whole(many.as_bytes()).end, ResponseError::HeadTooLarge);
    assert_eq!(whole(b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n").end, ResponseError::BodyTooLarge);
    let closed = format!("HTTP/1.1 200 OK\r\n\r\n{}", "z".repeat(1_001));
    assert_eq!(whole(closed.as_bytes()).end, ResponseError::BodyTooLarge);
}

#[test]
fn a_response_cut_anywhere_is_closed_early() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello";
    for end in 0..bytes.len() {
        assert_eq!(whole(&bytes[..end]), seen(&[]), "{end} bytes");
    }
}

#[test]
fn the_buffer_is_reused_from_response_to_response() {
    let bytes = b"HTTP/1.1 200 OK\r\ncontent-length: 500\r\n\r\n";
    let body = [b'x'; 500];
    let mut parser = ResponseParser::new(LIMITS);
    let mut capacities = Vec::new();
    for _ in 0..10 {
        assert_eq!(parser.feed(bytes), Ok(Progress::NeedMore));
        let Ok(Progress::Complete(response)) = parser.feed(&body) else { panic!("it is complete") };
        assert_eq!(parser.body(&response, &body), body);
        capacities.push((parser.gathered.as_ptr(), parser.gathered.capacity()));
    }
    assert!(capacities.windows(2).all(|pair| pair[0] == pair[1]));
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
