//! How long each thing may take, and what ends a connection that takes longer.

use kit::execute::Inline;

use crate::played::{HEAD, LINGER_MILLISECONDS, Played, nothing};

#[test]
fn a_head_that_trickles_is_refused_at_the_timeout_counted_from_its_first_byte() {
    let mut played = Played::new(Inline);
    assert!(played.send(HEAD).0.starts_with("HTTP/1.1 200"));
    assert_eq!(played.wait(5_000), nothing(), "idle, which may last longer");
    for byte in &HEAD[..9] {
        assert_eq!(played.send(&[*byte]), nothing());
        assert_eq!(played.wait(100), nothing());
    }
    let (answer, over) = played.wait(100);
    assert!(answer.starts_with("HTTP/1.1 408 ") && answer.contains("connection: close"), "{answer}");
    assert!(answer.contains("\r\ndate: ") && answer.contains(" GMT\r\n"), "{answer}");
    assert!(!over, "the client may still be sending");
    assert_eq!(played.wait(LINGER_MILLISECONDS), (String::new(), true));
}

#[test]
fn a_head_that_begins_in_the_same_read_as_another_request_has_its_own_timeout() {
    let mut played = Played::new(Inline);
    let (answer, _) = played.send(&[HEAD, &HEAD[..5]].concat());
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert_eq!(played.wait(999), nothing());
    assert!(played.wait(1).0.starts_with("HTTP/1.1 408 "));
}

#[test]
fn empty_lines_between_requests_are_no_beginning_of_one() {
    let mut played = Played::new(Inline);
    assert!(played.send(HEAD).0.starts_with("HTTP/1.1 200"));
    assert_eq!(played.send(b"\r\n"), nothing());
    assert_eq!(played.wait(9_999), nothing());
    assert_eq!(played.wait(1), (String::new(), true));
}

#[test]
fn a_silent_client_is_let_go_without_an_answer() {
    let mut played = Played::new(Inline);
    assert_eq!(played.send(b""), nothing());
    assert_eq!(played.wait(999), nothing());
    assert_eq!(played.wait(1), (String::new(), true));
}

#[test]
fn an_idle_connection_closes_and_each_request_gives_it_its_whole_time_again() {
    let mut played = Played::new(Inline);
    for _ in 0..3 {
        assert!(played.send(HEAD).0.starts_with("HTTP/1.1 200"));
        assert_eq!(played.wait(9_999), nothing());
    }
    assert_eq!(played.wait(1), (String::new(), true));
}

#[test]
fn no_timeout_ends_a_request_that_is_being_answered() {
    let mut played = Played::new(Inline);
    let delay = b"GET /delay?ms=60000 HTTP/1.1\r\nHost: test\r\n\r\n";
    assert_eq!(played.send(delay), nothing());
    assert_eq!(played.wait(59_999), nothing());
    let (answer, over) = played.wait(1);
    assert!(answer.contains(r#""payload":60000"#), "{answer}");
    assert!(!over);
}

#[test]
fn a_body_that_does_not_arrive_in_time_is_refused() {
    let mut played = Played::new(Inline);
    assert_eq!(played.send(b"POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 9\r\n\r\nhalf"), nothing());
    assert_eq!(played.wait(4_999), nothing());
    let (answer, _) = played.wait(1);
    assert!(answer.starts_with("HTTP/1.1 408 "), "{answer}");
}
