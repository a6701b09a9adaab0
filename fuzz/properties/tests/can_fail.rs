//! That each property can fail: it is shown servers, routers and parsers that are wrong on purpose.

use std::time::Duration;

use app::{Operation, Request};
use kit::execute::{Done, Execute, Refused, run_here};
use properties::{
    Violation,
    connection::{Frugal, Played, Script, play},
    delivery::Delivery,
    events::{
        self, Sight,
        event::{Event, Events, Halt},
        row::{Place, Row},
        stopped,
    },
    request_path, response, route,
};

const TWO: &[u8] = b"\0\0GET /simple HTTP/1.1\r\nHost: a\r\n\r\nPOST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\nhi";

/// That the properties find a fault in a server whose connection was tampered with afterwards.
#[track_caller]
fn assert_found(input: &[u8], tamper: impl Fn(Script<'_>, &mut Played), words: &str) {
    request_path::check(input).expect("the untampered connection is right");
    let server = |script: Script<'_>| {
        let mut played = play(Frugal, script)?;
        tamper(script, &mut played);
        Ok(played)
    };
    let violation = request_path::check_server(server, input).expect_err("what was tampered with is noticed");
    assert!(violation.0.contains(words), "{violation}");
}

fn answers(played: &Played) -> Vec<Vec<u8>> {
    let text = String::from_utf8(played.written.clone()).unwrap();
    text.split_inclusive("HTTP/1.1 ")
        .map(str::to_owned)
        .skip(1)
        .map(|rest| format!("HTTP/1.1 {}", rest.trim_end_matches("HTTP/1.1 ")).into_bytes())
        .collect()
}

#[test]
fn an_answer_given_twice_is_found() {
    assert_found(TWO, |_, played| played.written = played.written.repeat(2), "what is no message");
}

#[test]
fn answers_in_the_wrong_order_are_found() {
    let swap = |_: Script<'_>, played: &mut Played| {
        let mut answers = answers(played);
        answers.reverse();
        played.written = answers.concat();
    };
    assert_found(TWO, swap, "message 0");
}

#[test]
fn a_lost_answer_is_found() {
    assert_found(TWO, |_, played| played.written = answers(played).remove(0), "got no answer");
}

#[test]
fn an_answer_without_its_last_byte_and_one_with_a_byte_more_are_found() {
    assert_found(TWO, |_, played| played.written.truncate(played.written.len() - 1), "is cut short");
    assert_found(TWO, |_, played| played.written.push(b'\n'), "answer 2");
}

#[test]
fn a_wrong_byte_in_an_answer_is_found() {
    assert_found(TWO, |_, played| *played.written.last_mut().unwrap() = b'j', "answered");
}

#[test]
fn a_success_beyond_what_is_no_message_is_found() {
    let smuggled = b"\0\0POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let success = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    assert_found(
        smuggled,
        |_, played| played.written = success.to_vec(),
        "is 200 to what is no message: Invalid",
    );
    let open = b"HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n";
    assert_found(smuggled, |_, played| played.written = open.to_vec(), "does not close");
}

#[test]
fn an_answer_in_an_older_version_is_found() {
    let old = |_: Script<'_>, played: &mut Played| {
        let text = String::from_utf8(std::mem::take(&mut played.written)).unwrap();
        played.written = text.replace("HTTP/1.1 ", "HTTP/1.0 ").into_bytes();
    };
    assert_found(b"\0\0GET /simple HTTP/1.0\r\n\r\n", old, "is of HTTP/1.0");
    assert_found(b"\0\0GET /simple HTTP/1.1\r\n\r\n", old, "is of HTTP/1.0");
}

#[test]
fn a_precondition_that_is_ignored_is_found() {
    let success = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
    for (field, status) in [("If-None-Match: *", 304), ("If-Match: \"a\"", 412)] {
        let input = format!("\0\0GET /healthz HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n");
        let ignore = |_: Script<'_>, played: &mut Played| played.written = success.to_vec();
        assert_found(input.as_bytes(), ignore, &format!("status 200, not {status}"));
    }
}

#[test]
fn a_trailer_that_frames_and_is_ignored_is_found() {
    let input =
        b"\0\0POST /echo HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nHost: b\r\n\r\n";
    let success = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
    let ignore = |_: Script<'_>, played: &mut Played| played.written = success.to_vec();
    assert_found(input, ignore, "is 200 to what is no message");
}

#[test]
fn an_answer_after_one_that_closes_is_found() {
    let closing = b"\0\0GET /healthz HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\nGET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
    assert_found(closing, |_, played| played.written = played.written.repeat(2), "follows one that closes");
}

#[test]
fn a_connection_that_outlives_its_client_is_found() {
    let input = [&[1, 0], &TWO[2..]].concat();
    assert_found(&input, |_, played| played.is_over = false, "outlives its client");
}

#[test]
fn an_answer_that_depends_on_the_cutting_is_found() {
    let input = [&b"\0\x02\x80\x80GET /echo HTTP/1.1\r\nHost: a\r\n\r\n"[..]].concat();
    let tamper = |script: Script<'_>, played: &mut Played| {
        if !script.delivery.cuts.is_empty() {
            let text = String::from_utf8(std::mem::take(&mut played.written)).unwrap();
            played.written = text.replace("host: a", "host: b").into_bytes();
        }
    };
    assert_found(&input, tamper, "delivered whole");
}

#[test]
fn a_connection_that_forgets_a_wake_up_is_found() {
    /// Polled once it is not ready and wakes nobody; nothing ever polls it again.
    struct Forgetful;
    struct Never;
    impl Future for Never {
        type Output = Result<Done, Refused>;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Self::Output> {
            std::task::Poll::Pending
        }
    }
    impl Execute for Forgetful {
        type Future = Never;
        fn execute(&self, _: Operation) -> Never {
            Never
        }
    }
    let violation = request_path::check_server(|script| play(Forgetful, script), TWO).unwrap_err();
    assert!(violation.0.contains("got no answer"), "{violation}");
}

#[test]
fn a_connection_that_never_rests_is_found() {
    /// Wakes itself for ever.
    struct Restless;
    struct Spinning;
    impl Future for Spinning {
        type Output = Result<Done, Refused>;
        fn poll(
            self: std::pin::Pin<&mut Self>,
            context: &mut std::task::Context<'_>,
        ) -> std::task::Poll<Self::Output> {
            context.waker().wake_by_ref();
            std::task::Poll::Pending
        }
    }
    impl Execute for Restless {
        type Future = Spinning;
        fn execute(&self, _: Operation) -> Spinning {
            Spinning
        }
    }
    let violation = request_path::check_server(|script| play(Restless, script), TWO).unwrap_err();
    assert!(violation.0.contains("still at work"), "{violation}");
}

#[test]
fn an_operation_that_computes_something_else_is_found() {
    struct Wrong;
    impl Execute for Wrong {
        type Future = std::future::Ready<Result<Done, Refused>>;
        fn execute(&self, _: Operation) -> Self::Future {
            std::future::ready(run_here(&Operation::Complex { iterations: 3 }))
        }
    }
    assert!(request_path::check_server(|script| play(Wrong, script), TWO).is_err());
}

/// Routers that are wrong in one thing, and an input that shows it.
#[test]
fn a_router_that_leaves_the_contract_is_found() {
    type Router = fn(&str, &str, Option<&str>) -> route::Outcome;
    let routers: [(&str, Router, &[u8]); 5] = [
        ("takes any method", |_, path, query| app::route("GET", path, query), b"BREW\n/simple"),
        (
            "lets HEAD differ",
            |method, path, query| app::route(method, if method == "HEAD" { "/" } else { path }, query),
            b"HEAD\n/simple",
        ),
        (
            "ignores a slash",
            |method, path, query| app::route(method, path.strip_suffix('/').unwrap_or(path), query),
            b"GET\n/simple/",
        ),
        (
            "takes a parameter out of range",
            |method, path, query| match query {
                Some("ms=60001") => Ok(Request::Operation(Operation::Delay { milliseconds: 60_001 })),
                _ => app::route(method, path, query),
            },
            b"GET\n/delay?ms=60001",
        ),
        (
            "takes the wrong value",
            |method, path, query| match app::route(method, path, query) {
                Ok(Request::Operation(Operation::Complex { iterations })) => {
                    Ok(Request::Operation(Operation::Complex { iterations: iterations / 2 }))
                }
                other => other,
            },
            b"GET\n/complex?iterations=10",
        ),
    ];
    for (fault, router, input) in routers {
        assert_eq!(route::check(input), Ok(()), "{fault}: the true router");
        assert!(route::check_router(router, input).is_err(), "{fault}");
    }
    let asked = std::cell::Cell::new(0);
    let moody = |method: &str, path: &str, query: Option<&str>| {
        asked.set(asked.get() + 1);
        app::route(method, if asked.get() > 1 { "/" } else { path }, query)
    };
    assert!(route::check_router(moody, b"GET\n/simple").is_err(), "is no function");
}

#[test]
fn a_parser_that_is_wrong_is_found() {
    type Tamper = fn(Delivery<'_>, &mut response::Transcript);
    let whole = b"\0\x01\x08HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 204 No Content\r\n\r\n";
    let wrong: [(&str, Tamper); 7] = [
        ("loses an answer", |_, transcript| drop(transcript.answers.pop())),
        ("tells a wrong status", |_, transcript| transcript.answers[0].status = 201),
        ("loses a byte", |_, transcript| transcript.answers[0].body.truncate(1)),
        ("reuses what closes", |_, transcript| transcript.answers[0].keep_alive = false),
        ("miscounts", |_, transcript| transcript.answers[0].end += 1),
        ("waits for more", |_, transcript| transcript.end = response::End::Incomplete),
        ("depends on the cutting", |delivery, transcript| {
            if !delivery.cuts.is_empty() {
                transcript.answers.clear();
            }
        }),
    ];
    assert_eq!(response::check(whole), Ok(()));
    for (fault, tamper) in wrong {
        let parser = |delivery: Delivery<'_>, is_to_head| {
            let mut transcript = response::parse(delivery, is_to_head);
            tamper(delivery, &mut transcript);
            transcript
        };
        assert!(matches!(response::check_parser(parser, whole), Err(Violation(_))), "{fault}");
    }
}

/// The sequence in which `parts` are sent, then what `tags` say.
fn sequence(parts: &[u8], tags: &[u8]) -> Vec<u8> {
    let sent = parts.iter().map(|part| 1 | part << 3);
    std::iter::once(0).chain(sent).chain(tags.iter().copied()).collect()
}

const END: u8 = 5 | 4 << 3;
const RESET: u8 = 5;
const WAIT_20_MS: u8 = 6 | 5 << 3;

/// That the property of events finds a fault: in what was played to each row, tampered with before or afterwards.
#[track_caller]
fn assert_found_in_events(
    input: &[u8],
    server: impl Fn(&Row, &Events) -> Result<events::Played, Violation>,
    words: &str,
) {
    events::check(input).expect("the untampered connection is right");
    let violation = events::check_server(server, input).expect_err("what was tampered with is noticed");
    assert!(violation.0.contains(words), "{violation}");
}

#[test]
fn a_server_that_takes_the_end_of_a_half_for_a_leave_is_found() {
    let takes_it_for_a_reset = |row: &Row, played: &Events| {
        let mut played = played.clone();
        for event in &mut played.events {
            if *event == Event::End {
                *event = Event::Reset;
            }
        }
        events::play(row, &played, Sight::Good)
    };
    // A delay, alone and behind others, and an operation that only a pool takes time for.
    for parts in [&[1][..], &[0, 3, 1], &[2]] {
        assert_found_in_events(&sequence(parts, &[END]), takes_it_for_a_reset, "got no answer");
    }
}

#[test]
fn a_server_that_does_not_see_a_reset_while_it_works_is_found() {
    let blind = |row: &Row, events: &Events| events::play(row, events, Sight::None);
    for tags in [&[RESET][..], &[END, WAIT_20_MS, RESET], &[WAIT_20_MS, RESET]] {
        assert_found_in_events(&sequence(&[10], tags), blind, "outlives its client, who reset it");
        assert_found_in_events(&sequence(&[10, 0, 20], tags), blind, "outlives its client, who reset it");
    }
}

#[test]
fn a_server_that_is_too_late_or_too_early_for_a_reset_is_found() {
    let without = |row: &Row, events: &Events| {
        let mut played = events::play(
            row,
            &Events { events: events.events[..1].to_vec(), ..events.clone() },
            Sight::Good,
        )?;
        played.over_at = Some(Duration::ZERO);
        Ok(played)
    };
    assert_found_in_events(&sequence(&[1], &[WAIT_20_MS, RESET]), without, "1 answers before the reset");
    let mute = |row: &Row, events: &Events| {
        Ok(events::Played { written: Vec::new(), ..events::play(row, events, Sight::Good)? })
    };
    assert_found_in_events(&sequence(&[0], &[WAIT_20_MS, RESET]), mute, "0 answers before the reset");
}

#[test]
fn rows_that_answer_otherwise_are_found() {
    let words_differ = |row: &Row, events: &Events| {
        let mut played = events::play(row, events, Sight::Good)?;
        if row.place == Place::Pool {
            let text = String::from_utf8(std::mem::take(&mut played.written)).unwrap();
            played.written = text.replace("application/json", "application/jsom").into_bytes();
        }
        Ok(played)
    };
    assert_found_in_events(&sequence(&[0], &[]), words_differ, "inline (whole) against pool (cut)");
}

#[test]
fn work_that_is_left_or_begun_for_nobody_is_found() {
    type Tamper = fn(&mut events::Played);
    let tampers: [(Tamper, &str); 3] = [
        (|played| played.left_in_flight = 1, "1 operations are left in flight"),
        (|played| played.begun_for_nobody = 1, "1 begin when the connection is over"),
        (|played| played.is_over_at_last = false, "never over"),
    ];
    for (tamper, words) in tampers {
        let server = |row: &Row, events: &Events| {
            let mut played = events::play(row, events, Sight::Good)?;
            tamper(&mut played);
            Ok(played)
        };
        assert_found_in_events(&sequence(&[2], &[END]), server, words);
    }
}

/// That the property about stops finds a fault in a server that stops in a way of its own.
#[track_caller]
fn assert_found_at_a_stop(
    input: &[u8],
    server: impl Fn(&Row, &Events, Halt) -> Result<events::Played, Violation>,
    words: &str,
) {
    stopped::check(input).expect("the server that stops as it should is right");
    let violation = stopped::check_server(server, input).expect_err("what it does at a stop is noticed");
    assert!(violation.0.contains(words), "{violation}");
}

/// A stop before event `before` of a sequence: with no linger, and with one that outlasts it.
fn halted(linger: u8, before: u8, events: &[u8]) -> Vec<u8> {
    [&[linger, before], events].concat()
}

#[test]
fn a_request_that_is_lost_to_a_stop_in_its_socket_is_found() {
    let blind = |row: &Row, events: &Events, halt| events::play_stopped(row, events, halt, Sight::None);
    // Behind a delay that is under way.
    let input = halted(2, 3, &sequence(&[1, 0], &[WAIT_20_MS]));
    assert_found_at_a_stop(&input, blind, "requests had begun before the stop");
}

#[test]
fn a_server_that_says_nothing_of_the_close_or_goes_on_is_found() {
    let silent = |row: &Row, events: &Events, halt| {
        let mut played = events::play_stopped(row, events, halt, Sight::Good)?;
        let text = String::from_utf8(std::mem::take(&mut played.written)).unwrap();
        played.written = text.replace("connection: close\r\n", "").into_bytes();
        Ok(played)
    };
    let input = halted(2, 1, &sequence(&[1], &[WAIT_20_MS]));
    assert_found_at_a_stop(&input, silent, "does not say");
    let goes_on = |row: &Row, events: &Events, _| events::play(row, events, Sight::Good);
    let input = halted(2, 1, &[0, 1 | 1 << 3, 6 | 9 << 3, 1, 6 | 1 << 3]);
    assert_found_at_a_stop(&input, goes_on, "an answer follows");
}

#[test]
fn a_server_that_cuts_what_is_under_way_at_a_stop_is_found() {
    let cuts = |row: &Row, events: &Events, halt: Halt| {
        let events = Events { events: events.events[..halt.before].to_vec(), ..events.clone() };
        let mut played = events::play_stopped(row, &events, halt, Sight::Good)?;
        played.written.clear();
        Ok(played)
    };
    for linger in [0, 1, 2] {
        let input = halted(linger, 1, &sequence(&[1], &[WAIT_20_MS]));
        assert_found_at_a_stop(&input, cuts, "requests had begun before the stop");
    }
}
