//! The properties over what proptest makes up: pieces of HTTP in any order, in any cutting, which reaches other places than
//! libFuzzer's bytes do.

use proptest::{collection::vec, prelude::*, sample::select};

use properties::{Violation, delivery::Delivery, events, framing, request_path, response, route};

const REQUEST_PARTS: &[&str] = &[
    "GET /simple HTTP/1.1\r\nHost: a\r\n\r\n",
    "POST /echo HTTP/1.1\r\nHost: a\r\n",
    "HEAD /complex?iterations=7 HTTP/1.1\r\nHost: a\r\n",
    "OPTIONS * HTTP/1.0\r\n",
    "GET /delay?ms=9 HTTP/1.1\r\nHost: a\r\n",
    "Content-Length: 2\r\n",
    "Content-Length: 101\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "Expect: 100-continue\r\n",
    "Host: b\r\n",
    "Upgrade: h2c\r\n",
    "GET /simple HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "POST /echo HTTP/1.0\r\nConnection: keep-alive\r\n",
    "HEAD /info HTTP/1.7\r\nHost: a\r\n",
    "PRI * HTTP/2.0\r\n",
    "If-None-Match: *\r\n",
    "If-None-Match: \"a\", W/\"*\"\r\n",
    "If-Match: *\r\n",
    "If-Match: \"a\"\r\n",
    "Content-Length: 18446744073709551615\r\n",
    "0\r\nContent-Length: 2\r\n\r\n",
    "\r\n",
    "\n",
    "ab",
    "2\r\nab\r\n",
    "0\r\n\r\n",
    "0\r\nT: 1\r\n\r\n",
    "2;x\r\n",
    " ",
    "\t",
    "\0",
    ":",
];

/// Framings, well and badly.
const FRAMING_PARTS: &[&str] = &[
    "GET / HTTP/1.1\r\n",
    "POST / HTTP/1.1\r\n",
    "POST / HTTP/1.0\r\n",
    "POST / HTTP/1.4\r\n",
    "GET / HTTP/1.31\r\n",
    "PRI * HTTP/2.0\r\n",
    "OPTIONS * HTTP/1.1\n",
    "G#T /a?b HTTP/1.1\r\n",
    "GET /#a HTTP/1.1\r\n",
    "GET /\r\n",
    "Host: a\r\n",
    "Content-Length: 3\r\n",
    "content-length:  10 \r\n",
    "Content-Length: 3\n",
    "Content-Length: 3, 3\r\n",
    "Content-Length : 3\r\n",
    "Content-Length: +3\r\n",
    "Content-Length:\r\n",
    "Content-Length: 99999999999999999999\r\n",
    "Transfer-Encoding: chunked\r\n",
    "tRANSFER-eNCODING:chunked\n",
    "Transfer-Encoding: gzip, chunked\r\n",
    "Transfer-Encoding: chunked, gzip\r\n",
    "Transfer-Encodin: x\r\n",
    "Connection: close\r\n",
    "Expect: 100-continue\r\n",
    "Upgrade: h2c\r\nConnection: upgrade\r\n",
    " folded\r\n",
    "T\r\n",
    "C: \r\n",
    "\r\n",
    "\n",
    "\r",
    "abc",
    "abc\r\n",
    "3\r\nabc\r\n",
    "3;a=b\r\nabc\r\n",
    "3;a=\"\\\"\"\r\nabc\r\n",
    "3 \r\nabc\r\n",
    "3 ;a\r\nabc\r\n",
    "3;\r\nabc\r\n",
    "3\nabc\r\n",
    "3\r\nabc\n",
    "A\r\n0123456789\r\n",
    "0\r\n",
    "00\r\n\r\n",
    "0\r\nT: a\r\n\r\n",
    "0\r\nT: a\n\r\n\r\n",
    "0\r\nT: a\r\nhost: a\r\n\r\n",
    "0\r\nContent-Lengths: 3\r\n\r\n",
    "Content-Length: 18446744073709551614\r\n",
    "FFFFFFFFFFFFFFFF\r\n",
    "10000000000000000\r\n",
    "\0",
    "\u{e9}",
];

const RESPONSE_PARTS: &[&str] = &[
    "HTTP/1.1 200 OK\r\n",
    "HTTP/1.0 404 \r\n",
    "HTTP/1.1 100 Continue\r\n\r\n",
    "HTTP/1.1 204 No Content\r\n",
    "HTTP/1.1 304 Not Modified\r\n",
    "Content-Length: 2\r\n",
    "Content-Length: 1001\r\n",
    "Transfer-Encoding: chunked\r\n",
    "Connection: close\r\n",
    "Connection: keep-alive\r\n",
    "\r\n",
    "\n",
    "ok",
    "2\r\nok\r\n",
    "2;x=y\r\nok\r\n",
    "2 \t;x\r\nok\r\n",
    "HTTP/1.2 200 OK\r\n",
    "x: y\r\n z\r\n",
    "Content-Length :\r\n 2\r\n",
    "Transfer-Encoding: ,chunked,\r\n",
    "3e8\r\n",
    "0\r\n\r\n",
    "0\r\nT: 1\r\n\r\n",
    " ",
    "\0",
];

const LINE_PARTS: &[&str] = &[
    "GET",
    "HEAD",
    "POST",
    "OPTIONS",
    "\n",
    "/",
    "*",
    "/simple",
    "/complex",
    "/api/randoms",
    "/delay",
    "/echo",
    "?",
    "&",
    "=",
    "iterations",
    "count",
    "seed",
    "ms",
    "0",
    "60000",
    "5000000000",
    "4294967296",
    "+",
    "-",
    "\u{e9}",
    "%41",
    "\0",
];

/// An input made of parts, some of them damaged by a few bytes.
fn input(parts: &'static [&'static str]) -> impl Strategy<Value = Vec<u8>> {
    let bytes = vec(prop_oneof![9 => select(parts).prop_map(|part| part.as_bytes().to_vec()), 1 => vec(any::<u8>(), 1..3)], 0..14)
        .prop_map(|parts| parts.concat());
    (any::<u8>(), vec(any::<u8>(), 0..12), bytes)
        .prop_map(|(flags, cuts, bytes)| Delivery { flags, cuts: &cuts, bytes: &bytes }.input())
}

fn assert_holds(check: fn(&[u8]) -> Result<(), Violation>, input: &[u8]) -> Result<(), TestCaseError> {
    check(input).map_err(|violation| TestCaseError::fail(format!("{}: {violation}", input.escape_ascii())))
}

proptest! {
    // What fails belongs into the corpus, where the fuzzers see it too.
    #![proptest_config(ProptestConfig { cases: 2_000, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_connection_keeps_the_contract_for_any_pieces_of_requests(input in input(REQUEST_PARTS)) {
        assert_holds(request_path::check, &input)?;
    }

    #[test]
    fn a_connection_keeps_the_contract_for_any_sequence_of_events_in_every_row(input in vec(any::<u8>(), 0..40)) {
        assert_holds(events::check, &input)?;
    }

    #[test]
    fn a_stop_between_any_two_events_loses_nothing_in_any_row(input in vec(any::<u8>(), 0..40)) {
        assert_holds(events::stopped::check, &input)?;
    }

    #[test]
    fn messages_end_where_hyper_says_for_any_pieces_of_requests(parts in vec(select(FRAMING_PARTS), 1..16)) {
        assert_holds(framing::check, parts.concat().as_bytes())?;
    }

    #[test]
    fn messages_end_where_hyper_says_with_one_byte_changed(
        messages in vec(
            select(vec![
                "GET /a HTTP/1.1\r\nHost: a\r\n\r\n",
                "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello",
                "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\nHost: a\r\n\r\n5;a=\"b\"\r\nhello\r\n00\r\nC: d\r\n\r\n",
            ]),
            1..4,
        ),
        place: prop::sample::Index,
        byte: u8,
    ) {
        let mut bytes = messages.concat().into_bytes();
        let place = place.index(bytes.len());
        bytes[place] = byte;
        assert_holds(framing::check, &bytes)?;
    }

    #[test]
    fn the_generators_parser_is_right_for_any_pieces_of_responses(input in input(RESPONSE_PARTS)) {
        assert_holds(response::check, &input)?;
    }

    #[test]
    fn the_router_keeps_the_contract_for_any_pieces_of_request_lines(parts in vec(select(LINE_PARTS), 0..10)) {
        assert_holds(route::check, parts.concat().as_bytes())?;
    }
}
