//! A check that cannot fail is a defect: the suite passes a server that does everything right, and
//! catches each of its faults by the case that is about it.

mod model;

use std::net::TcpListener;
use std::time::{Duration, Instant};

use conformance::{Level, Options, Verdict, check_answers, run, run_cases, suite};
use model::{Fault, HEADER_TIMEOUT, MAX_BODY, start};

/// A fault, and a case that must not pass because of it.
const CAUGHT: &[(Fault, &str)] = &[
    (Fault::AddsOneToSums, "simple gives the sum of 0..1000"),
    (Fault::AddsOneToSums, "ten requests in one write are answered in their order"),
    (Fault::IgnoresSeeds, "randoms follows its seed"),
    (Fault::TakesAnyParameter, "iterations beyond the range are refused"),
    (Fault::TakesAnyParameter, "a misspelt parameter is refused"),
    (Fault::TakesAnyParameter, "a delay without duration is refused"),
    (Fault::OmitsAllow, "POST to simple is 405"),
    (Fault::OmitsDate, "every answer has a Date"),
    (Fault::OmitsWorker, "answers name their origin and worker"),
    (Fault::SendsBodyToHead, "a HEAD answer has no body and the next answer follows at once"),
    (Fault::SendsBodyToHead, "HEAD of an unknown path is 404 without body"),
    (Fault::KnowsAnyMethod, "an unknown method is 501"),
    (Fault::KnowsAnyMethod, "methods are case-sensitive"),
    (Fault::ClosesAfterEachAnswer, "a connection serves one request after another"),
    (Fault::ClosesAfterEachAnswer, "the answer after a 404 is right"),
    (Fault::ForgetsPipelinedBytes, "two requests in one write are both answered"),
    (Fault::NeverClosesOnRequest, "Connection: close is obeyed and announced"),
    (Fault::NeverClosesOnRequest, "nothing is answered after Connection: close"),
    (Fault::KeepsHttp10Open, "HTTP/1.0 is answered without a Host and closed"),
    (Fault::NeedsHostInHttp10, "HTTP/1.0 is answered without a Host and closed"),
    (Fault::TakesMissingHost, "a missing Host is refused"),
    (Fault::TakesRepeatedHost, "a repeated Host is refused"),
    (Fault::TakesBadLengths, "a length that is no number is refused"),
    (Fault::TakesBadLengths, "a length beyond 64 bits is refused"),
    (Fault::TakesConflictingLengths, "conflicting lengths are refused"),
    (
        Fault::PrefersLengthToChunks,
        "Content-Length beside Transfer-Encoding is refused, or chunked wins and the connection closes",
    ),
    (Fault::IgnoresUnknownCodings, "an unknown transfer coding is refused"),
    (Fault::TakesBadChunks, "a bad chunk size is refused"),
    (Fault::TakesBadChunks, "chunk data longer than its size is refused"),
    (Fault::CountsChunksInDecimal, "chunk sizes are hexadecimal in any case"),
    (Fault::NeverContinues, "a client that waits for 100 Continue gets it and then its answer"),
    (Fault::EchoesWithoutType, "echo returns the type that it was given"),
    (Fault::CutsLongBodies, "echo returns a body that no single read can hold"),
    (Fault::HasNoBodyLimit, "a declared length beyond any limit is refused before the body comes"),
    (Fault::HasNoBodyLimit, "a body one byte over the limit is refused"),
    (Fault::HasNoBodyLimit, "a chunked body one byte over the limit is refused"),
    (Fault::HasNoHeadLimit, "a field that never ends is refused"),
    (Fault::HasNoHeadLimit, "too many fields are refused"),
    (Fault::HasNoHeaderTimeout, "a head that never ends is timed out"),
    (Fault::HasNoHeaderTimeout, "a client that trickles its head is timed out"),
    (Fault::CountsNothing, "metrics count requests"),
    (Fault::LeavesBodiesUnread, "the body of a refused request is not taken for the next one"),
    (Fault::GivesTruncatedAnswers, "echo returns a body of known length"),
];

/// Short, because a server with a fault often says nothing; long enough for the faults that must be seen
/// as more than silence.
fn impatient() -> Options {
    Options {
        patience: Duration::from_millis(400),
        header_timeout: Some(Duration::from_millis(200)),
        max_body: Some(MAX_BODY),
        origin: None,
        parallel: 4,
    }
}

#[test]
fn a_server_that_does_everything_right_passes_every_case() {
    let options = Options {
        header_timeout: Some(HEADER_TIMEOUT),
        max_body: Some(MAX_BODY),
        origin: Some("model".to_owned()),
        ..Options::default()
    };
    let report = run(start(Fault::Nothing), &options);
    let good = |verdict| matches!(verdict, Verdict::Pass);
    // The one case about a choice between two right ways.
    let of_note = |level| level > Level::May;
    let broken = report.outcomes.iter().any(|outcome| of_note(outcome.level) && !good(outcome.verdict));
    assert!(!broken, "{report}");
}

#[test]
fn every_fault_is_caught_by_the_case_that_is_about_it() {
    for &(fault, name) in CAUGHT {
        let cases = suite().into_iter().filter(|case| case.name == name);
        let report = run_cases(cases, start(fault), &impatient());
        assert_eq!(report.outcomes.len(), 1, "there is no case named {name:?}");
        assert_eq!(report.outcomes[0].verdict, Verdict::Fail, "{fault:?}\n{report}");
    }
}

#[test]
fn a_refusal_in_another_way_is_a_warning_and_not_a_pass() {
    for fault in [Fault::RefusesWithServerErrors, Fault::RefusesSilently] {
        let cases = suite().into_iter().filter(|case| case.name == "a missing Host is refused");
        let report = run_cases(cases, start(fault), &impatient());
        assert_eq!(report.warnings(Level::Must).count(), 1, "{report}");
        assert_eq!(report.failures(Level::May).count(), 0, "{report}");
    }
}

#[test]
fn another_origin_than_the_expected_one_is_a_failure() {
    let options = Options { origin: Some("somebody-else".to_owned()), ..Options::default() };
    let cases = suite().into_iter().filter(|case| case.name.starts_with("answers name"));
    let report = run_cases(cases, start(Fault::Nothing), &options);
    assert!(report.to_string().contains("origin is \"model\", not \"somebody-else\""), "{report}");
}

#[test]
fn what_depends_on_an_unknown_limit_is_skipped_and_says_so() {
    let cases = suite().into_iter().filter(|case| case.name.contains("timed out"));
    let report = run_cases(cases, start(Fault::Nothing), &Options::default());
    assert_eq!(report.count(Verdict::Skip), 2, "{report}");
    assert!(report.to_string().contains("--header-timeout is not known"), "{report}");
}

#[test]
fn no_case_waits_longer_than_its_patience_for_a_server_that_says_nothing() {
    let options = Options { patience: Duration::from_millis(20), ..impatient() };
    let address = start(Fault::SaysNothing);
    let began = Instant::now();
    let report = run_cases(suite().into_iter().take(20), address, &options);
    assert_eq!(report.count(Verdict::Pass), 0, "{report}");
    // A deadline on the whole, far beyond what is expected.
    assert!(began.elapsed() < Duration::from_secs(60));
}

#[test]
fn a_server_that_is_not_there_fails_every_case_and_skips_none() {
    let address = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap()
    };
    let report = run(address, &impatient());
    assert_eq!(report.count(Verdict::Fail), report.outcomes.len(), "{report}");
}

#[test]
fn the_short_check_passes_right_answers_and_names_the_target_of_a_wrong_one() {
    assert_eq!(check_answers(start(Fault::Nothing), Some("model")), Ok(()));
    let refused = |fault, origin| check_answers(start(fault), origin).unwrap_err();
    let wrong = refused(Fault::AddsOneToSums, None);
    assert_eq!(wrong.target, "/simple");
    assert!(wrong.to_string().contains("payload is 499501, not 499500; try it with curl"), "{wrong}");
    assert_eq!(refused(Fault::IgnoresSeeds, None).target, "/api/randoms?count=100&seed=7");
    assert_eq!(refused(Fault::CutsLongBodies, Some("other")).detail, "origin is \"model\", not \"other\"");
    assert!(refused(Fault::GivesTruncatedAnswers, None).detail.contains("in the middle of an answer"));
}
