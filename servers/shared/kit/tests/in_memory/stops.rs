//! What becomes of a connection when the server stops, whatever it is doing then.

use std::{sync::atomic::Ordering::SeqCst, time::Duration};

use kit::execute::Inline;

use crate::played::{HEAD, Played, nothing};

const LINGER: u64 = 200;
const DELAY: &[u8] = b"GET /delay?ms=70 HTTP/1.1\r\nHost: test\r\n\r\n";

/// What each of the answers says of its connection.
fn closes(answers: &str) -> Vec<bool> {
    let answers = answers.split("HTTP/1.1 ").skip(1);
    answers.map(|answer| answer.contains("\r\nconnection: close\r\n")).collect()
}

/// Its last answer is taken, and the client closes.
fn ends(mut played: Played<Inline>) {
    played.stream.ended.store(true, SeqCst);
    assert_eq!(played.send(b""), (String::new(), true));
}

#[test]
fn a_connection_without_a_request_is_closed_after_the_linger_and_no_sooner() {
    for requests in [0, 1, 3] {
        let mut played = Played::new(Inline);
        let _ = played.send(&HEAD.repeat(requests));
        // What it did before does not count.
        assert_eq!(played.wait(500), nothing());
        assert_eq!(played.stop(), nothing());
        assert_eq!(played.wait(LINGER - 1), nothing());
        assert_eq!(played.wait(1), (String::new(), true), "after {requests} requests");
    }
}

#[test]
fn a_request_that_comes_within_the_linger_is_answered_and_told_of_the_close() {
    for requests in [0, 1] {
        let mut played = Played::new(Inline);
        let _ = played.send(&HEAD.repeat(requests));
        assert_eq!(played.stop(), nothing());
        assert_eq!(played.wait(LINGER - 1), nothing());
        let (answer, over) = played.send(HEAD);
        assert!(answer.starts_with("HTTP/1.1 200 ") && closes(&answer) == [true], "{answer}");
        assert!(!over, "the client may have sent more before it read this");
        ends(played);
    }
}

#[test]
fn a_head_that_has_begun_keeps_its_time_and_is_answered() {
    for requests in [0, 1] {
        let mut played = Played::new(Inline);
        let _ = played.send(&HEAD.repeat(requests));
        assert_eq!(played.send(&HEAD[..9]), nothing());
        assert_eq!(played.stop(), nothing());
        let mut answers = String::new();
        for byte in &HEAD[9..] {
            assert_eq!(answers, "");
            assert_eq!(played.wait(30), nothing());
            answers = played.send(&[*byte]).0;
        }
        assert_eq!(closes(&answers), [true], "{answers}");
        ends(played);

        let mut played = Played::new(Inline);
        let _ = played.send(&HEAD.repeat(requests));
        assert_eq!(played.send(&HEAD[..9]), nothing());
        assert_eq!(played.stop(), nothing());
        assert_eq!(played.wait(999), nothing());
        let (answer, _) = played.wait(1);
        assert!(answer.starts_with("HTTP/1.1 408 ") && closes(&answer) == [true], "{answer}");
    }
}

#[test]
fn every_answer_says_that_the_connection_closes_whatever_was_asked_and_when() {
    let post = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\nhello";
    let waits = b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    let chunked =
        b"POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n";
    let old = b"GET /delay?ms=70 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n";
    for (before, after, status) in [
        (HEAD, &b""[..], 200),
        (DELAY, b"", 200),
        (&post[..], b"", 200),
        (&waits[..], b"hello", 200),
        (&chunked[..], b"", 200),
        (b"GET /nowhere HTTP/1.1\r\nHost: test\r\n\r\n", b"", 404),
        (b"DELETE /simple HTTP/1.1\r\nHost: test\r\n\r\n", b"", 405),
        (b"HEAD /simple HTTP/1.1\r\nHost: test\r\n\r\n", b"", 200),
        (b"GET /simple HTTP/1.1\r\n\r\n", b"", 400),
        (b"GET /simple HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n", b"", 200),
        (b"GET /simple HTTP/1.0\r\n\r\n", b"", 200),
        (&old[..], b"", 200),
        (b"GET /simple HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", b"", 200),
        (b"GET /\x01 HTTP/1.1\r\n\r\n", b"", 400),
    ] {
        let whole = [before, after].concat();
        // The signal comes between any two bytes, and before what waits is over.
        for at in 0..=whole.len() {
            let mut played = Played::new(Inline);
            let (mut answers, mut over) = played.send(&whole[..at]);
            let is_early = answers.matches("HTTP/1.1 100 ").count() < answers.matches("HTTP/1.1 ").count();
            answers += &played.stop().0;
            for bytes in [&whole[at..], b""] {
                let (more, now) = played.send(bytes);
                answers += &more;
                over |= now;
            }
            if !over {
                answers += &played.wait(70).0;
            }
            let asked = String::from_utf8_lossy(&whole);
            let answers = answers.replace("HTTP/1.1 100 Continue\r\n\r\n", "");
            assert!(answers.starts_with(&format!("HTTP/1.1 {status} ")), "{at} {asked}: {answers}");
            assert_eq!(closes(&answers).len(), 1, "{at} {asked}: {answers}");
            assert!(is_early || closes(&answers)[0], "{at} {asked}: {answers}");
        }
    }
}

#[test]
fn of_a_pipeline_that_came_whole_all_is_answered_and_the_last_answer_closes() {
    for pipeline in [&[DELAY, HEAD, HEAD][..], &[HEAD, DELAY, DELAY], &[DELAY, DELAY, DELAY]] {
        for pieces in [1, 3] {
            let mut played = Played::new(Inline);
            let mut answers = String::new();
            match pieces {
                1 => answers += &played.send(&pipeline.concat()).0,
                // The later ones stay in the socket while the first is answered.
                _ => pipeline.iter().for_each(|request| answers += &played.send(request).0),
            }
            let early = closes(&answers).len();
            answers += &played.stop().0;
            for _ in 0..3 {
                answers += &played.wait(70).0;
            }
            assert_eq!(closes(&answers), [false, false, true], "{early} {answers}");
            ends(played);
        }
    }
}

#[test]
fn what_has_begun_behind_a_request_is_waited_for_and_gets_the_close() {
    let mut played = Played::new(Inline);
    assert_eq!(played.send(&[DELAY, &HEAD[..5]].concat()), nothing());
    assert_eq!(played.stop(), nothing());
    assert_eq!(closes(&played.wait(70).0), [false]);
    assert_eq!(played.wait(LINGER + 100), nothing());
    assert_eq!(closes(&played.send(&HEAD[5..]).0), [true]);
    ends(played);
}

#[test]
fn what_lies_in_the_socket_counts_though_the_runtime_has_not_heard_of_it() {
    // Behind a request that is being answered.
    let mut played = Played::new(Inline);
    assert_eq!(played.send(DELAY), nothing());
    assert_eq!(played.stop(), nothing());
    played.stream.unheard.lock().unwrap().extend_from_slice(HEAD);
    assert_eq!(closes(&played.wait(70).0), [false]);
    assert_eq!(closes(&played.hear().0), [true]);
    ends(played);

    // On a connection that has idled long enough: for as long as it takes.
    for (linger, requests) in [(0, 0), (0, 1), (LINGER, 0), (LINGER, 1)] {
        let mut played = Played::with(Inline, |limits| limits.linger = Duration::from_millis(linger));
        let _ = played.send(&HEAD.repeat(requests));
        played.stream.unheard.lock().unwrap().extend_from_slice(HEAD);
        assert_eq!(played.stop(), nothing());
        for _ in 0..9 {
            assert_eq!(played.wait(LINGER), nothing());
        }
        assert_eq!(closes(&played.hear().0), [true]);
    }
}

#[test]
fn a_pipeline_without_end_is_told_when_the_linger_is_over_and_nothing_is_lost_that_came_before() {
    let mut played = Played::new(Inline);
    assert_eq!(played.send(&DELAY.repeat(2)), nothing());
    assert_eq!(played.stop(), nothing());
    let (mut sent, mut answers, mut by_then) = (2, String::new(), 0);
    for step in 1..100 {
        // Two are always on their way.
        played.stream.unread.lock().unwrap().extend_from_slice(DELAY);
        sent += 1;
        answers += &played.wait(70).0;
        if step * 70 <= LINGER {
            by_then = sent;
        }
        if closes(&answers).contains(&true) {
            break;
        }
    }
    let closes = closes(&answers);
    assert!((by_then..by_then + 3).contains(&closes.len()), "{} of {by_then}", closes.len());
    assert!(closes[..closes.len() - 1].iter().all(|closes| !closes));
    // It reads on, so that the last answer is not reset away.
    assert_eq!(played.send(DELAY), nothing());
    assert_eq!(played.wait(LINGER - 1), nothing());
    // What hyper had read behind it, and more, has the time that a refused client has.
    assert_eq!(played.wait(1_000), (String::new(), true));
}

#[test]
fn without_a_linger_what_is_idle_is_closed_at_once_and_what_is_there_is_answered() {
    let without = || Played::with(Inline, |limits| limits.linger = Duration::ZERO);
    let mut played = without();
    assert_eq!(played.stop(), (String::new(), true), "fresh");
    let mut played = without();
    let _ = played.send(HEAD);
    assert_eq!(played.stop(), (String::new(), true), "idle");

    let mut played = without();
    played.site.stopping.raise();
    let (answer, over) = played.send(HEAD);
    assert!(closes(&answer) == [true] && over, "{answer}");
    let mut played = without();
    assert_eq!(played.send(&HEAD[..9]), nothing());
    assert_eq!(played.stop(), nothing());
    assert_eq!(played.wait(900), nothing(), "a head keeps its time");
    assert_eq!(closes(&played.send(&HEAD[9..]).0), [true]);
    let mut played = without();
    assert_eq!(played.send(&DELAY.repeat(3)), nothing());
    assert_eq!(played.stop(), nothing());
    let answers: String = (0..3).map(|_| played.wait(70).0).collect();
    assert_eq!(closes(&answers), [false, false, true]);
}

#[test]
fn a_client_that_does_not_take_its_answers_is_not_idle() {
    let mut played = Played::new(Inline);
    played.stream.full.store(true, SeqCst);
    assert_eq!(played.send(HEAD), nothing());
    assert_eq!(played.stop(), nothing());
    assert_eq!(played.wait(9_000), nothing());
    played.stream.full.store(false, SeqCst);
    let (answer, over) = played.send(b"");
    assert!(answer.starts_with("HTTP/1.1 200 ") && !over, "{answer}");
    assert_eq!(played.wait(LINGER - 1), nothing());
    assert_eq!(played.wait(1), (String::new(), true));

    let mut played = Played::new(Inline);
    played.stream.full.store(true, SeqCst);
    assert_eq!(played.send(HEAD), nothing());
    assert_eq!(played.stop(), nothing());
    assert_eq!(played.wait(10_000), (String::new(), true), "the idle timeout is for this as well");
}

#[test]
fn a_client_that_goes_on_sending_behind_its_last_answer_is_read_from_for_the_linger() {
    let mut played = Played::new(Inline);
    assert_eq!(played.stop(), nothing());
    assert_eq!(closes(&played.send(HEAD).0), [true]);
    assert_eq!(played.send(HEAD), nothing());
    assert!(played.stream.unread.lock().unwrap().is_empty(), "read, and not answered");
    assert_eq!(played.wait(LINGER - 1), nothing());
    assert_eq!(played.wait(1), (String::new(), true));
}
