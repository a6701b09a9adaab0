//! What is answered, and how: pipelines, versions, conditions.

use kit::execute::Inline;

use crate::played::{HEAD, Played};

#[test]
fn a_pipeline_is_answered_in_one_go_and_counted() {
    let mut played = Played::new(Inline);
    let (answers, over) = played.send(&HEAD.repeat(3));
    assert_eq!(answers.matches(r#"{"origin":"test","worker":"t0","payload":499500}"#).count(), 3);
    assert!(!over);
    let metrics = played.site.metrics.text("test");
    assert!(metrics.contains(r#"endpoint="simple",status="200"} 3"#), "{metrics}");
}

#[test]
fn every_version_of_http_1_is_answered_in_1_1_and_kept_as_its_own_rules_say() {
    for (line, fields, kept) in [
        ("HTTP/1.0", "", false),
        ("HTTP/1.0", "Connection: keep-alive\r\n", true),
        ("HTTP/1.0", "Connection: keep-alive, close\r\n", false),
        ("HTTP/1.1", "Host: a\r\n", true),
        ("HTTP/1.2", "Host: a\r\n", true),
        ("HTTP/1.9", "Host: a\r\nConnection: close\r\n", false),
    ] {
        for (target, status) in [("/simple", "200"), ("/nowhere", "404"), ("/delay?ms=9", "200")] {
            let mut played = Played::new(Inline);
            let request = format!("GET {target} {line}\r\n{fields}\r\n");
            let (mut answers, mut over) = played.send(request.repeat(3).as_bytes());
            for _ in 0..3 {
                if !over {
                    let (more, ended) = played.wait(9);
                    answers += &more;
                    over = ended;
                }
            }
            let answers: Vec<_> = answers.split("HTTP/1.1 ").skip(1).collect();
            assert_eq!(answers.len(), if kept { 3 } else { 1 }, "{request}{answers:?}");
            for answer in answers {
                assert!(answer.starts_with(status) && !answer.contains("HTTP/1."), "{request}{answer}");
                assert_eq!(answer.contains("connection: close\r\n"), !kept, "{request}{answer}");
                let is_told = answer.contains("connection: keep-alive\r\n");
                assert_eq!(is_told, kept && line == "HTTP/1.0", "{request}{answer}");
            }
        }
    }
    let too_long = b"POST /echo HTTP/1.0\r\nConnection: keep-alive\r\nContent-Length: 101\r\n\r\nhello";
    for size in [1, 1_000] {
        let mut played = Played::new(Inline);
        let answer: String = too_long.chunks(size).map(|piece| played.send(piece).0).collect();
        assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("connection: close\r\n"), "{answer}");
    }
    let (answer, _) = Played::new(Inline).send(b"GET / HTTP/1.2\r\n\r\n");
    assert!(answer.starts_with("HTTP/1.1 400 "), "a later version needs a Host too: {answer}");
}

#[test]
fn readiness_that_is_over_is_told_whatever_the_precondition() {
    let mut played = Played::new(Inline);
    let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\nIf-None-Match: *\r\n\r\n";
    assert!(played.send(request).0.starts_with("HTTP/1.1 304 "));
    played.site.stopping.raise();
    assert!(played.send(request).0.starts_with("HTTP/1.1 503 "));
}
