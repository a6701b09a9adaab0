//! Clients that end their half, leave, or have the connection closed.

use std::sync::atomic::Ordering::SeqCst;

use kit::{execute::Inline, service::Site};

use crate::played::{HEAD, Played, nothing};

#[test]
fn what_came_whole_before_the_end_of_the_clients_half_is_answered_and_nothing_else_is() {
    const DELAY: &[u8] = b"GET /delay?ms=70 HTTP/1.1\r\nHost: test\r\n\r\n";
    const CLOSING: &[u8] = b"GET /simple HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    for (request, answers) in [
        (vec![], 0),
        (HEAD.to_vec(), 1),
        (b"GET /simple HTTP/1.0\r\n\r\n".to_vec(), 1),
        (CLOSING.to_vec(), 1),
        (DELAY.to_vec(), 1),
        ([DELAY, HEAD, DELAY].concat(), 3),
        ([HEAD, DELAY, &HEAD[..9]].concat(), 2),
        ([DELAY, CLOSING, HEAD].concat(), 2),
        (HEAD.repeat(500), 500),
    ] {
        let mut played = Played::new(Inline);
        played.stream.ended.store(true, SeqCst);
        let (mut text, mut over) = played.send(&request);
        // As often as a connection yields in a pipeline, and as the delays take.
        for _ in 0..50 {
            let (more, now) = if over { break } else { played.wait(10) };
            text += &more;
            over = now;
        }
        assert!(over, "{}", request.escape_ascii());
        assert_eq!(text.matches("HTTP/1.1 200 ").count() + text.matches("HTTP/1.0 200 ").count(), answers);
        assert_eq!(text.matches("HTTP/1.").count(), answers, "{text}");
    }
}

#[test]
fn a_client_that_resets_takes_the_operation_along_that_it_waits_for_whatever_it_sent_before() {
    let delay = b"GET /delay?ms=60000 HTTP/1.1\r\nHost: test\r\n\r\n";
    for behind in [&b""[..], HEAD, &HEAD[..5]] {
        for ended in [false, true] {
            let mut played = Played::new(Inline);
            played.stream.ended.store(ended, SeqCst);
            assert_eq!(played.send(&[&delay[..], behind].concat()), nothing());
            assert_eq!(played.wait(5_000), nothing(), "it waits");
            assert_eq!(operations_in_flight(&played.site), "1");
            played.stream.reset.store(true, SeqCst);
            let (answer, over) = played.wait(2_000);
            assert_eq!((answer.as_str(), over), ("", true), "{ended} {}", behind.escape_ascii());
            let Played { connection, site, .. } = played;
            // As a runtime does with a task that has ended.
            drop(connection);
            assert_eq!(operations_in_flight(&site), "0");
        }
    }
}

fn operations_in_flight(site: &Site) -> String {
    let metrics = site.metrics.text("test");
    let line =
        metrics.lines().find_map(|line| line.strip_prefix("server_operations_in_flight{server=\"test\"} "));
    line.unwrap().to_owned()
}

#[test]
fn it_is_looked_for_a_client_seldom_and_not_at_all_for_what_is_answered_soon() {
    let mut played = Played::new(Inline);
    for _ in 0..100 {
        assert!(played.send(HEAD).0.starts_with("HTTP/1.1 200 "));
    }
    let _ = played.send(b"GET /delay?ms=150 HTTP/1.1\r\nHost: test\r\n\r\n");
    assert!(played.wait(150).0.starts_with("HTTP/1.1 200 "));
    assert_eq!(played.stream.looks.load(SeqCst), 0);
    let _ = played.send(b"GET /delay?ms=60000 HTTP/1.1\r\nHost: test\r\n\r\n");
    for _ in 0..600 {
        let _ = played.wait(99);
    }
    let looks = played.stream.looks.load(SeqCst);
    assert!((20..40).contains(&looks), "{looks} in a minute");
}

#[test]
fn a_connection_that_closes_as_it_was_asked_waits_for_its_client_only_where_bytes_lie_unread() {
    let closing = b"GET /simple HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n";
    let mut played = Played::new(Inline);
    let (answer, over) = played.send(closing);
    assert!(answer.starts_with("HTTP/1.1 200 ") && over, "{answer}");

    // More behind it than is read at once: closed now, the answer might be reset away.
    let mut played = Played::new(Inline);
    let (answer, over) = played.send(&[closing, &HEAD.repeat(1_000)[..]].concat());
    assert_eq!((answer.matches("HTTP/1.1 ").count(), over), (1, false), "{answer}");
    assert!(played.stream.unread.lock().unwrap().is_empty());
    played.stream.ended.store(true, SeqCst);
    assert_eq!(played.send(b""), (String::new(), true));
}
