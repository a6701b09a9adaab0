//! What is refused, with which status, and what becomes of the connection.

use kit::{
    connection::MAX_HEAD_BYTES,
    execute::{Done, Execute, Inline, Refused, guarded},
};

use crate::played::{HEAD, LINGER_MILLISECONDS, Played, SECOND, nothing};

#[test]
fn what_is_sent_after_a_refusal_is_read_and_not_answered_until_the_client_ends_or_takes_too_long() {
    let mut played = Played::new(Inline);
    let (answer, over) = played.send(b"GET /simple HTTP/1.1\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 ") && !over, "{answer}");
    assert_eq!(played.send(&HEAD.repeat(9)), nothing());
    assert!(played.stream.unread.lock().unwrap().is_empty());
    assert_eq!(played.wait(LINGER_MILLISECONDS - 1), nothing());
    assert_eq!(played.wait(1), (String::new(), true));
}

#[test]
fn what_hyper_refuses_by_itself_is_answered_and_counted_too() {
    for request in [
        b"GET /\0 HTTP/1.1\r\n\r\n".as_slice(),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"GET / HTTP/0.9\r\n\r\n",
    ] {
        for before in [b"".as_slice(), HEAD] {
            let mut played = Played::new(Inline);
            let (answers, _) = played.send(&[before, request].concat());
            let answer = &answers[answers.rfind("HTTP/1.1 ").unwrap()..];
            assert!(answer.starts_with("HTTP/1.1 400 ") && answer.contains("connection: close"), "{answer}");
            assert!(answer.contains("\r\ndate: "), "{answer}");
            assert_eq!(answers.matches("HTTP/1.1 200 ").count(), usize::from(!before.is_empty()));
            let metrics = played.site.metrics.text("test");
            assert!(metrics.contains(r#"endpoint="none",status="400"} 1"#), "{metrics}");
        }
    }
}

#[test]
fn a_head_that_is_too_long_is_refused_by_its_part_in_its_turn_however_it_arrives() {
    let many = "a".repeat(4 * MAX_HEAD_BYTES);
    let limit = MAX_HEAD_BYTES;
    let fields = "A: b\r\n".repeat(101);
    for (request, status) in [
        (format!("{many} / HTTP/1.1\r\nHost: a\r\n\r\n"), 501),
        (many.clone(), 501),
        (format!("GET /{many} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("GET /{many}"), 414),
        (format!("GET http://a/{many} HTTP/1.1\r\nHost: a\r\n\r\n"), 414),
        (format!("POST /echo?{many} HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello"), 414),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &many[..limit - 5]), 414),
        (format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", &many[..limit - 20]), 431),
        (format!("GET / HTTP/1.1\r\nHost: {many}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{many}: b\r\n\r\n"), 431),
        (format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\nA: {many}\r\n\r\n"), 431),
        (format!("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nA: {many}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nExpect: 100-continue\r\nUpgrade: h2c\r\nA: {many}\r\n\r\n"), 431),
        (format!("GET / HTTP/1.1\r\nHost: a\r\n{fields}\r\n"), 431),
    ] {
        let whole = [HEAD, request.as_bytes(), HEAD].concat();
        for size in [usize::MAX, 16_384, 1_000, 7] {
            let mut played = Played::new(Inline);
            let answers: String =
                whole.chunks(size.min(whole.len())).map(|piece| played.send(piece).0).collect();
            let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            assert_eq!(statuses, ["200", &status.to_string()], "{} in pieces of {size}", &request[..40]);
            let refusal = &answers[answers.rfind("HTTP/1.1 ").unwrap()..];
            for part in ["connection: close", "\r\ndate: ", "{\"error\":"] {
                assert!(refusal.contains(part), "{part} is missing: {refusal}");
            }
            let metrics = played.site.metrics.text("test");
            assert!(metrics.contains(&format!(r#"endpoint="none",status="{status}"}} 1"#)), "{metrics}");
        }
    }
}

#[test]
fn lengths_beyond_what_can_be_counted_are_no_heads_that_are_too_long() {
    for (length, status) in [
        ("18446744073709551612", 413),
        ("18446744073709551613", 413),
        ("18446744073709551614", 400),
        ("18446744073709551615", 400),
        ("18446744073709551616", 400),
        ("99999999999999999999", 400),
    ] {
        let head = format!("POST /echo HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\nhello");
        let (answer, _) = Played::new(Inline).send(head.as_bytes());
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{length}: {answer}");
    }
}

#[test]
fn a_body_that_a_precondition_makes_useless_is_not_asked_for() {
    let head = b"POST /echo HTTP/1.1\r\nHost: a\r\nIf-Match: \"a\"\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let (answer, _) = Played::new(Inline).send(head);
    assert!(answer.starts_with("HTTP/1.1 412 ") && answer.contains("connection: close"), "{answer}");
}

#[test]
fn a_request_that_two_readers_could_read_differently_is_refused_in_its_turn() {
    for (before, after) in [
        (
            "POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\nTransfer-Encoding",
            ": chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n5 ",
            "\r\nhello\r\n0\r\n\r\n",
        ),
        ("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0;", "\r\n\r\n"),
        ("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n", "\n"),
        ("POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b", "\n\r\n"),
        (
            "POST /echo HTTP/1.1\r\nHost: test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nA: b\r\nContent-Length",
            ": 9\r\n\r\n",
        ),
        ("GET /simple#top", " HTTP/1.1\r\nHost: test\r\n\r\n"),
    ] {
        for cut in [false, true] {
            let mut played = Played::new(Inline);
            let mut answers = String::new();
            let request = [HEAD, before.as_bytes(), after.as_bytes(), HEAD].concat();
            let middle = if cut { HEAD.len() + before.len() } else { request.len() };
            for piece in [&request[..middle], &request[middle..]] {
                answers.push_str(&played.send(piece).0);
            }
            let statuses: Vec<_> = answers.split("HTTP/1.1 ").skip(1).map(|answer| &answer[..3]).collect();
            assert_eq!(statuses, ["200", "400"], "{before:?} {cut}\n{answers}");
        }
    }
}

#[test]
fn a_client_that_waits_for_leave_is_told_at_once_that_its_body_is_not_wanted() {
    let mut played = Played::new(Inline);
    let head = b"POST /nowhere HTTP/1.1\r\nHost: test\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n";
    let (answer, _) = played.send(head);
    assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("connection: close"), "{answer}");
}

/// Does what a broken operation would.
struct Broken;

impl Execute for Broken {
    type Future = std::future::Ready<Result<Done, Refused>>;

    fn execute(&self, _: app::Operation) -> Self::Future {
        std::future::ready(guarded(|| panic!("an operation that fails on purpose")))
    }
}

#[test]
fn an_operation_that_panics_costs_one_answer_and_not_the_connection() {
    let mut played = Played::new(Broken);
    for _ in 0..2 {
        let (answer, over) = played.send(HEAD);
        assert!(answer.starts_with("HTTP/1.1 500 "), "{answer}");
        assert!(!over);
    }
}

/// Has always too much to do.
struct Full;

impl Execute for Full {
    type Future = std::future::Ready<Result<Done, Refused>>;

    fn execute(&self, _: app::Operation) -> Self::Future {
        std::future::ready(Err(Refused::Busy { retry_after: SECOND }))
    }
}

#[test]
fn refusals_are_those_that_the_description_gives_as_examples() {
    let post = |length: usize, rest: &str| {
        format!("POST /echo HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n{rest}\r\n")
    };
    let long = "x".repeat(20_000);
    let long_target = format!("GET /{long} HTTP/1.1\r\nHost: test\r\n\r\n");
    let long_head = format!("GET / HTTP/1.1\r\nHost: test\r\nX: {long}\r\n\r\n");
    let slow = |played: &mut Played<Inline>| {
        let _ = played.send(post(9, "").as_bytes());
        played.wait(5_000).0
    };
    let answers = [
        (400, Played::new(Inline).send(b"GET / HTTP/1.1\r\n\r\n").0),
        (408, slow(&mut Played::new(Inline))),
        (412, Played::new(Inline).send(post(0, "If-Match: \"a\"\r\n").as_bytes()).0),
        (413, Played::new(Inline).send(post(101, "").as_bytes()).0),
        (414, Played::new(Inline).send(long_target.as_bytes()).0),
        (417, Played::new(Inline).send(post(1, "Expect: more\r\n").as_bytes()).0),
        (431, Played::new(Inline).send(long_head.as_bytes()).0),
        (500, Played::new(Broken).send(HEAD).0),
        (503, Played::new(Full).send(HEAD).0),
    ];
    for (status, answer) in answers {
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{status} was due: {answer}");
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        let head = head.to_ascii_lowercase();
        assert_eq!(head.contains("\r\nconnection: close"), status < 500 && status != 412, "{head}");
        assert_eq!(head.contains("\r\nretry-after: 1"), status == 503, "{head}");
        let reason = body.strip_prefix(r#"{"error":""#).and_then(|rest| rest.strip_suffix(r#""}"#)).unwrap();
        let examples = [format!("value: {{ error: {reason} }}"), format!("value: {{ error: '{reason}' }}")];
        let described = examples.iter().any(|example| app::OPENAPI.contains(example));
        assert!(described, "openapi.yaml has no example {examples:?}");
    }
}
