use super::*;

const HOST: &str = "Host: a\r\n";

/// How many messages, and why no more.
fn summary(text: &str) -> (usize, Stop) {
    let reading = read(text.as_bytes());
    (reading.messages.len(), reading.stop)
}

fn get(fields: &str) -> String {
    format!("GET / HTTP/1.1\r\n{HOST}{fields}\r\n")
}

#[test]
fn messages_end_where_their_framing_says() {
    let text = [
        "\r\n\nGET /a HTTP/1.1\nHost: a\n\n",
        "POST /b HTTP/1.1\r\nhost:[::1]:80\r\ncontent-length: 05\r\nContent-Length: 5 \r\n\r\nhello",
        "POST /c HTTP/1.1\r\nHOST: a.b:\r\nTransfer-Encoding: CHUNKED\r\n\r\n003;a=\"b\"\r\nabc\r\nA\r\n0123456789\r\n0\r\nT: 1\r\n\r\n",
        "OPTIONS * HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n",
        "GET http://a:1/x?y HTTP/1.1\r\nHost: b\r\nConnection: x, close\r\n\r\n",
        "rest",
    ];
    let bytes = text.concat();
    let reading = read(bytes.as_bytes());
    let read: Vec<_> =
        reading.messages.iter().map(|m| (m.target, m.content.as_slice(), m.refusable)).collect();
    assert_eq!(
        read,
        [
            ("/a", &b""[..], false),
            ("/b", b"hello", false),
            ("/c", b"abc0123456789", true),
            ("*", b"", false),
            ("http://a:1/x?y", b"", true),
        ]
    );
    assert_eq!((reading.stop, &bytes[reading.at..]), (Stop::Closed, "rest"));
}

#[test]
fn what_is_cut_short_is_incomplete_at_every_byte() {
    let text = "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nT: 1\r\n\r\n";
    let head = text.find("\r\n\r\n").unwrap() + 4;
    assert_eq!(summary(text), (1, Stop::End));
    for cut in 1..text.len() {
        let stop = if cut < head { Stop::IncompleteHead } else { Stop::IncompleteContent };
        assert_eq!(summary(&text[..cut]), (0, stop), "{cut}");
    }
    let long = get("Content-Length: 18446744073709551615\r\n");
    assert_eq!(summary(&(long + "x")), (0, Stop::IncompleteContent));
}

#[test]
fn requests_that_are_none_are_refused() {
    let heads = [
        "GET  / HTTP/1.1",
        "GET / HTTP/1.1 ",
        " GET / HTTP/1.1",
        "GET /\tHTTP/1.1",
        "GET /",
        "G\u{e9}T / HTTP/1.1",
        "GET / HTTP/1.10",
        "GET / HTTP/1.",
        "GET / HTTP/2.0",
        "GET / http/1.1",
        "GET /#f HTTP/1.1",
        "GET /?a=%zz HTTP/1.1",
        "GET /{} HTTP/1.1",
        "GET /?[] HTTP/1.1",
        "GET /\u{e9} HTTP/1.1",
        "GET /\x01 HTTP/1.1",
        "GET * HTTP/1.1",
        "GET simple HTTP/1.1",
        "GET http:///x HTTP/1.1",
        "GET http://u@a/x HTTP/1.1",
        "GET 1://a/x HTTP/1.1",
        "CONNECT a:80 HTTP/1.1",
        "CONNECT / HTTP/1.1",
    ];
    for head in heads {
        let (count, stop) = summary(&format!("{head}\r\n{HOST}\r\n"));
        assert!(count == 0 && matches!(stop, Stop::Invalid(_)), "{head:?}: {stop:?}");
    }
}

#[test]
fn fields_that_smuggle_are_refused() {
    let fields = [
        "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
        "Transfer-Encoding: chunked, identity\r\n",
        "Transfer-Encoding: gzip, chunked\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Transfer-Encoding:\r\n",
        "Transfer-Encoding : chunked\r\n",
        "Transfer-Encoding: chunked\x0b\r\n",
        "Content-Length: +5\r\n",
        "Content-Length: 5, 5\r\n",
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length:\r\n",
        "Content-Length: 18446744073709551616\r\n",
        " folded\r\n",
        "a: b\r\n folded\r\n",
        "a: b\rc\r\n",
        "a: \0\r\n",
        "a\r\n",
        ": a\r\n",
        "Host: a\r\n",
        "Expect: 200-ok\r\n",
    ];
    for field in fields {
        let (count, stop) = summary(&get(field));
        assert!(count == 0 && matches!(stop, Stop::Invalid(_)), "{field:?}: {stop:?}");
    }
    for host in ["", "a,b", "a b", "u@a", "a/b", "a:b", "a:1:2", "[::1", "[]", "[::1]x", "%zz", "\u{e9}"] {
        let (count, stop) = summary(&format!("GET / HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        assert!(count == 0 && matches!(stop, Stop::Invalid(_)), "{host:?}: {stop:?}");
    }
    for absent in ["GET / HTTP/1.1\r\n\r\n", "POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"]
    {
        assert!(matches!(summary(absent), (0, Stop::Invalid(_))), "{absent:?}");
    }
}

#[test]
fn chunks_that_smuggle_are_refused() {
    let bodies = [
        "5 \r\nhello\r\n0\r\n\r\n",
        " 5\r\nhello\r\n0\r\n\r\n",
        "5\nhello\r\n0\r\n\r\n",
        "5;a\nhello\r\n0\r\n\r\n",
        "5;\x01\r\nhello\r\n0\r\n\r\n",
        "5;a\rb\r\nhello\r\n0\r\n\r\n",
        "0x5\r\nhello\r\n0\r\n\r\n",
        "+5\r\nhello\r\n0\r\n\r\n",
        "\r\nhello\r\n0\r\n\r\n",
        "5\r\nhello0\r\n\r\n",
        "5\r\nhello\n0\r\n\r\n",
        "10000000000000000\r\n",
        "0\r\nT: 1\n\r\n",
        "0\r\nT: 1\n\nGET / HTTP/1.1\r\n\r\n",
        "0\r\nno colon\r\n\r\n",
        "0\r\nT : 1\r\n\r\n",
        "0\r\nContent-Length: 5\r\n\r\n",
        "0\r\nT: 1\r\ntransfer-encoding:chunked\r\n\r\n",
        "1\r\na\r\n0\r\nHOST: a\r\n\r\n",
    ];
    for body in bodies {
        let (count, stop) = summary(&(get("Transfer-Encoding: chunked\r\n") + body));
        assert!(count == 0 && matches!(stop, Stop::Invalid(_)), "{body:?}: {stop:?}");
    }
}

#[test]
fn connections_persist_as_the_version_and_the_options_say() {
    let cases = [
        ("HTTP/1.1", "", Stop::End),
        ("HTTP/1.1", "Connection: keep-alive\r\n", Stop::End),
        ("HTTP/1.1", "Connection: close\r\nConnection: keep-alive\r\n", Stop::Closed),
        ("HTTP/1.1", "Connection: keep-alive,,CLOSE\r\n", Stop::Closed),
        ("HTTP/1.1", "Connection: close \u{e9}\r\n", Stop::Unclear),
        ("HTTP/1.2", "", Stop::End),
        ("HTTP/1.9", "Connection: close\r\n", Stop::Closed),
        ("HTTP/1.0", "", Stop::Closed),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", Stop::Closed),
        ("HTTP/1.0", "Connection: keep-alive\r\n", Stop::End),
    ];
    for (version, field, stop) in cases {
        assert_eq!(summary(&format!("GET / {version}\r\n{HOST}{field}\r\n")), (1, stop), "{version} {field}");
    }
}

#[test]
fn preconditions_are_stars_or_none() {
    let cases = [
        ("", None, None),
        ("If-Match: *\r\n", Some(true), None),
        ("If-None-Match: \"a\"\r\nif-none-match:\t*\r\n", None, Some(true)),
        ("If-None-Match: \"a,*\", W/\"*\"\r\nIf-Match:\r\n", Some(false), Some(false)),
    ];
    for (fields, if_match, if_none_match) in cases {
        let text = get(fields);
        let message = &read(text.as_bytes()).messages[0];
        assert_eq!((message.if_match, message.if_none_match), (if_match, if_none_match), "{fields}");
    }
}

proptest::proptest! {
    #[test]
    fn any_bytes_are_read_without_panic_and_no_further_than_they_go(bytes: Vec<u8>) {
        let reading = read(&bytes);
        proptest::prop_assert!(reading.at <= bytes.len());
        proptest::prop_assert!(reading.messages.is_empty() || reading.at > 0);
    }
}
