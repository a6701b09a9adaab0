//! The properties over what proptest makes up: pieces of HTTP in any order, in any cutting, which reaches other places than
//! libFuzzer's bytes do.

use proptest::{collection::vec, prelude::*, sample::select};

use properties::{Violation, delivery::Delivery, request_path, response, route};

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
    fn the_generators_parser_is_right_for_any_pieces_of_responses(input in input(RESPONSE_PARTS)) {
        assert_holds(response::check, &input)?;
    }

    #[test]
    fn the_router_keeps_the_contract_for_any_pieces_of_request_lines(parts in vec(select(LINE_PARTS), 0..10)) {
        assert_holds(route::check, parts.concat().as_bytes())?;
    }
}
