//! A check that cannot fail is a defect: the suite passes a server that does everything right, and
//! catches each of its faults by the case that is about it.

use std::net::TcpListener;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

use crate::model::{Fault, HEADER_TIMEOUT, MAX_BODY, start};
use conformance::{
    Difference, Level, Options, Report, Verdict, check_answers, differences, run, run_cases, suite,
};

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
    (Fault::WritesDatesOtherwise, "every answer has a Date"),
    (Fault::OmitsDateOfRefusals, "every refusal has a Date"),
    (Fault::OmitsDateOfRefusals, "a 408 has a Date"),
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
    (Fault::AnswersHttp10InItsVersion, "HTTP/1.0 is answered in HTTP/1.1, which says that it closes"),
    (Fault::AnswersHttp10InItsVersion, "HTTP/1.0 that waits for its answer is answered in HTTP/1.1"),
    (Fault::AnswersHttp10InItsVersion, "errors of HTTP/1.0 are answered in HTTP/1.1"),
    (Fault::AnswersHttp10InItsVersion, "a pipeline of HTTP/1.0 that is kept is answered in HTTP/1.1"),
    (Fault::OmitsAnnouncements, "HTTP/1.0 is answered in HTTP/1.1, which says that it closes"),
    (Fault::RefusesLaterVersions, "a higher minor version is served like 1.1"),
    (Fault::RefusesLaterVersions, "the highest minor version is served like 1.1, with what that keeps"),
    (Fault::TakesMissingHost, "a higher minor version needs a Host too"),
    (Fault::TakesRubbish, "the preface of HTTP/2 is refused"),
    (Fault::TakesRubbish, "the preface of HTTP/2 behind a request is refused"),
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
    (Fault::HasNoHeadLimit, "fields that are long together are refused"),
    (Fault::IgnoresPreconditions, "If-Match of an entity tag fails where there is none"),
    (Fault::IgnoresPreconditions, "If-None-Match: * fails where something is"),
    (Fault::IgnoresPreconditions, "If-None-Match: * of a POST is 412"),
    (Fault::IgnoresPreconditions, "a precondition is looked at wherever GET has an answer"),
    (Fault::IgnoresPreconditions, "a failed precondition of HEAD has no body"),
    (Fault::ChecksPreconditionsFirst, "an unknown path is 404 whatever the precondition"),
    (Fault::ChecksPreconditionsFirst, "a wrong parameter is 400 whatever the precondition"),
    (Fault::MatchesAnyTag, "If-Match of an entity tag fails where there is none"),
    (Fault::MatchesAnyTag, "If-Match of a weak entity tag fails likewise"),
    (Fault::MatchesAnyTag, "If-None-Match of a weak entity tag is met likewise"),
    (Fault::MatchesAnyTag, "If-Match decides before If-None-Match"),
    (Fault::MatchesAnyTag, "a precondition is looked at wherever GET has an answer"),
    (Fault::LooksForStarsWithinTags, "an entity tag that reads * is no star"),
    (Fault::LooksForStarsWithinTags, "a star within an entity tag is none"),
    (Fault::LooksForStarsWithinTags, "If-Match of an entity tag that reads * fails"),
    (Fault::HasNoRepresentations, "If-Match: * is met by what is there"),
    (Fault::HasNoRepresentations, "If-None-Match is looked at where If-Match is met"),
    (Fault::SendsBodyWith304, "If-None-Match: * fails where something is"),
    (Fault::GivesLengthWith304, "If-None-Match: * fails where something is"),
    (Fault::HasNoHeaderTimeout, "a head that never ends is timed out"),
    (Fault::HasNoHeaderTimeout, "a client that trickles its head is timed out"),
    (Fault::CountsNothing, "metrics count requests"),
    (Fault::LeavesBodiesUnread, "the body of a 405 is not taken for a request"),
    (Fault::GivesTruncatedAnswers, "echo returns a body of known length"),
    (Fault::TakesRubbish, "a request line of rubbish is refused"),
    (Fault::TakesRubbish, "two blanks before the target are refused"),
    (Fault::TakesRubbish, "a version with a leading zero is refused"),
    (Fault::TakesRubbish, "a blank before the colon is refused"),
    (Fault::TakesRubbish, "a folded field is refused"),
    (Fault::TakesRubbish, "a NUL in a field is refused"),
    (Fault::TakesRubbish, "a line of blanks before the first field is refused"),
    (Fault::HasNoHeadLimit, "a huge Host is refused"),
    (Fault::TakesRubbish, "a length with a NUL is refused"),
    (Fault::TakesBadHosts, "a list of Hosts is refused"),
    (Fault::TakesBadHosts, "an empty Host is refused"),
    (Fault::TakesBadHosts, "a Host with a path is refused"),
    (Fault::TakesBadHosts, "an IPv6 address with two gaps is refused"),
    (Fault::TakesBadHosts, "a bad Host is refused beside a target in absolute form too"),
    (Fault::TakesMissingHost, "an upgrade does not make a missing Host right"),
    (Fault::TakesBadTargets, "a fragment in a target is refused"),
    (Fault::TakesBadTargets, "a target beyond ASCII is refused"),
    (Fault::TakesBadTargets, "authority form is refused for GET"),
    (Fault::TakesBadTargets, "asterisk form is for OPTIONS only, not GET"),
    (Fault::DecodesPaths, "a percent-encoded path is another one"),
    (Fault::DecodesPaths, "two leading slashes make another path"),
    (Fault::OpensTunnels, "CONNECT of a path opens no tunnel"),
    (Fault::SwitchesProtocols, "an upgrade to HTTP/2 is ignored"),
    (Fault::SwitchesProtocols, "an upgrade to a WebSocket is ignored"),
    (Fault::KeepsHttp10Open, "an upgrade in HTTP/1.0 is ignored"),
    (Fault::TakesAnyExpectation, "an unknown expectation is 417"),
    (Fault::TakesAnyExpectation, "an unknown expectation beside a known one is 417"),
    (Fault::ContinuesInHttp10, "an expectation in HTTP/1.0 is ignored"),
    (Fault::NeverContinues, "each of two bodies that are waited for gets its leave"),
    (Fault::TakesBadLengths, "a negative length is refused"),
    (Fault::TakesBadLengths, "a length that wraps around at 64 bits is refused"),
    (Fault::TakesConflictingLengths, "conflicting lengths in names of another case are refused"),
    (Fault::PrefersLengthToChunks, "the same holds for a length behind the coding"),
    (Fault::PrefersLengthToChunks, "a hidden request in a chunk is body whatever the length says"),
    (Fault::KeepsOpenAfterBothFramings, "the same holds for a length within the chunks"),
    (Fault::KeepsOpenAfterBothFramings, "a coding in HTTP/1.0 is refused, or the connection closes"),
    (Fault::FindsChunkedAnywhere, "a coding that only resembles chunked is refused"),
    (Fault::FindsChunkedAnywhere, "chunked in two fields is refused"),
    (Fault::TakesRubbish, "chunked behind a vertical tab is refused"),
    (Fault::FindsChunkedAnywhere, "chunked with a parameter is refused"),
    (Fault::FindsChunkedAnywhere, "chunked, identity beside a length is refused"),
    (Fault::IgnoresUnknownCodings, "identity before chunked is refused"),
    (Fault::TakesBadChunks, "a signed chunk size is refused"),
    (Fault::TakesBadChunks, "a chunk size beyond 64 bits is refused"),
    (Fault::TakesBadChunks, "a bad chunk may arrive byte by byte"),
    (Fault::TakesBadExtensions, "a blank after a chunk size is refused"),
    (Fault::TakesBadExtensions, "a control byte within an extension is refused"),
    (Fault::TakesBadExtensions, "an extension without value is refused"),
    (Fault::TakesBadTrailers, "a trailer without colon is refused"),
    (Fault::TakesBadTrailers, "a trailer with a NUL is refused"),
    (Fault::TakesLineFeedsInChunks, "a chunk line that ends in a line feed alone is refused"),
    (Fault::TakesLineFeedsInChunks, "a body that ends in a line feed alone is refused"),
    (Fault::TakesLineFeedsInChunks, "a trailer section that ends in a line feed alone is refused"),
    (Fault::HeedsTrailers, "a length in the trailer is refused"),
    (Fault::IgnoresTrailers, "a length in the trailer is refused"),
    (Fault::IgnoresTrailers, "a right length in the trailer is refused"),
    (Fault::IgnoresTrailers, "a coding in the trailer is refused"),
    (Fault::IgnoresTrailers, "a Host in the trailer is refused"),
    (Fault::IgnoresTrailers, "Connection in the trailer is refused"),
    (Fault::IgnoresTrailers, "a length in the trailer is refused on a path that reads no body too"),
    (Fault::HasNoTrailerLimit, "a trailer of too many fields is refused"),
    (Fault::HasNoTrailerLimit, "a huge chunk extension is refused"),
    (Fault::ForgetsCutHeads, "a request may be cut at any place"),
    (Fault::ForgetsCutHeads, "pipelined requests may be cut at any place"),
    (Fault::TakesNextForHead, "answers keep their bodies although a HEAD follows in the same write"),
    (Fault::ComparesWholeConnectionFields, "close is recognised before other options"),
    (Fault::ComparesWholeConnectionFields, "close prevails over keep-alive"),
    (Fault::KeepsHttp10Open, "nothing is answered behind a request of HTTP/1.0"),
    (Fault::OmitsAllow, "TRACE of echo is 405"),
    (Fault::KnowsAnyMethod, "an unknown method is 501 on an unknown path too"),
    (Fault::SendsBodyToHead, "HEAD of metrics has no body"),
    (Fault::OmitsExplanations, "a 413 explains itself"),
    (Fault::OmitsAnnouncements, "a close after a missing Host is announced"),
    (Fault::TakesAnyParameter, "a percent-encoded digit is refused"),
    (Fault::AddsOneToSums, "empty pairs are passed over"),
    (Fault::TakesTheEndForALeave, "a GET is answered although its client has finished sending"),
    (Fault::TakesTheEndForALeave, "a GET of HTTP/1.0 is answered although its client has finished sending"),
    (Fault::TakesTheEndForALeave, "a delay is answered although its client has finished sending"),
    (Fault::TakesTheEndForALeave, "a long body is answered although its client has finished sending"),
    (Fault::TakesTheEndForALeave, "a long chunked body is answered although its client has finished sending"),
    (Fault::TakesTheEndForALeave, "a pipeline is answered although its client has finished sending"),
    (Fault::TakesTheEndForALeave, "any pipeline is answered although its client has finished sending"),
    (Fault::ForgetsPipelinedBytes, "a pipeline is answered although its client has finished sending"),
    (
        Fault::AnswersWhatIsCut,
        "a pipeline before a cut head is answered although its client has finished sending",
    ),
    (Fault::NeverClosesOnRequest, "any pipeline is answered although its client has finished sending"),
    (Fault::OutlivesItsClient, "a HEAD is answered although its client has finished sending"),
    (
        Fault::OutlivesItsClient,
        "a client that has finished sending before its first byte is let go without an answer",
    ),
];

/// Faults that are safe, so that a case warns of them, and such a case. It must not pass: a controlled row whose case does not is not raced.
const WARNED: &[(Fault, &str)] = &[
    (Fault::RefusesLongHeadsAlike, "a long target is refused as one"),
    (Fault::RefusesLongHeadsAlike, "a huge target is refused"),
    (Fault::RefusesLongHeadsAlike, "a target that never ends is refused as one"),
    (Fault::RefusesLongHeadsAlike, "a long query is refused as a target"),
    (Fault::RefusesLongHeadsAlike, "a long target behind a request is refused in its turn"),
    (Fault::RefusesLongHeadsAlike, "a long target is refused as one however it arrives"),
    (Fault::RefusesLongHeadsAlike, "a method of 64 KiB is refused as one"),
    (Fault::RefusesLongHeadsAlike, "a method that never ends is refused as one"),
    (Fault::CallsGreatLengthsLongHeads, "the greatest length of 64 bits is refused as a length"),
    (Fault::CallsGreatLengthsLongHeads, "the greatest length but one is refused as a length"),
    (Fault::DropsPrefaces, "the preface of HTTP/2 is refused"),
    (Fault::DropsPrefaces, "the preface of HTTP/2 behind a request is refused"),
    (Fault::DropsPrefaces, "the preface of HTTP/2 behind a body is refused"),
];

/// Faults by which bytes of a body are answered, and a case that must say so.
const DESYNCS: &[(Fault, &str)] = &[
    (Fault::LeavesBodiesUnread, "the body of a 405 is not taken for a request"),
    (Fault::LeavesBodiesUnread, "the body of a GET of simple is not taken for a request"),
    (Fault::LeavesBodiesUnread, "the body of a HEAD is not taken for a request"),
    (Fault::LeavesBodiesUnread, "the chunks of a 404 are not taken for a request"),
    (Fault::TakesBadLengths, "a length that is no number is refused"),
    (Fault::TakesConflictingLengths, "conflicting lengths are refused"),
    (Fault::FindsChunkedAnywhere, "a coding that only resembles chunked is refused"),
    (Fault::FindsChunkedAnywhere, "chunked with a parameter is refused"),
    (Fault::IgnoresUnknownCodings, "an unknown transfer coding is refused"),
    (Fault::KeepsOpenAfterBothFramings, "the same holds for a length within the chunks"),
    (Fault::StaysAfterRefusals, "a bad chunk size is refused"),
    (Fault::StaysAfterRefusals, "a request hidden in a body beyond the limit is not answered"),
    (Fault::StaysAfterRefusals, "equal lengths are taken as one or refused"),
    (Fault::StaysAfterRefusals, "an unknown expectation is 417"),
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

fn patient() -> Options {
    Options {
        header_timeout: Some(HEADER_TIMEOUT),
        max_body: Some(MAX_BODY),
        origin: Some("model".to_owned()),
        parallel: 4,
        ..Options::default()
    }
}

#[test]
fn a_server_that_does_everything_right_passes_every_case() {
    let report = run(start(Fault::Nothing), &patient());
    let good = |verdict| matches!(verdict, Verdict::Pass);
    // Others are about a choice between two right ways.
    let of_note = |level| level > Level::May;
    let broken = report.outcomes.iter().any(|outcome| of_note(outcome.level) && !good(outcome.verdict));
    assert!(!broken, "{report}");
}

/// How many of the servers are played against at the same time: both sides mostly wait.
const AT_ONCE: usize = 8;
/// How often a fault may go unseen that shows only where the server reads a request before its last part has come: on a busy
/// machine it often reads both at once.
const TRIES: usize = 20;

/// What the case `name` says of a server with `fault`.
fn played(fault: Fault, name: &str) -> Report {
    let cases = suite().into_iter().filter(|case| case.name == name);
    // What is wrong of a 408 shows only to who waits for it.
    let options = if name == "a 408 has a Date" { patient() } else { impatient() };
    let report = run_cases(cases, start(fault), &options);
    assert_eq!(report.outcomes.len(), 1, "there is no case named {name:?}");
    report
}

/// Plays each case against a server with its fault, until `caught` says that it was seen, and gives the reports in which it
/// was not.
fn missed(expected: &[(Fault, &str)], caught: impl Fn(&Report) -> bool + Sync) -> Vec<String> {
    let next = Mutex::new(expected.iter());
    let missed = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                loop {
                    let Some(&(fault, name)) = next.lock().unwrap().next() else { return };
                    let mut tries = if fault == Fault::ForgetsCutHeads { TRIES } else { 1 };
                    let uncaught = loop {
                        let report = played(fault, name);
                        tries -= 1;
                        if caught(&report) {
                            break None;
                        }
                        if tries == 0 {
                            break Some(report);
                        }
                    };
                    missed.lock().unwrap().extend(uncaught.map(|report| format!("{fault:?}\n{report}")));
                }
            });
        }
    });
    missed.into_inner().unwrap()
}

#[test]
fn every_fault_is_caught_by_the_case_that_is_about_it() {
    let missed = missed(CAUGHT, |report| report.outcomes[0].verdict == Verdict::Fail);
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn what_is_safe_and_not_as_required_is_no_pass() {
    let warned = |report: &Report| {
        report.outcomes[0].verdict == Verdict::Warn && report.warnings(Level::Must).count() == 1
    };
    let missed = missed(WARNED, warned);
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn bytes_of_a_body_that_are_answered_are_a_desync_whatever_the_level() {
    let missed =
        missed(DESYNCS, |report| report.outcomes[0].is_desync() && report.failures(Level::Must).count() == 1);
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn a_right_server_says_the_same_twice_however_many_cases_are_played_at_the_same_time() {
    let played = |parallel| run(start(Fault::Nothing), &Options { parallel, ..patient() });
    let (one, other) = thread::scope(|scope| {
        let one = scope.spawn(|| played(2));
        let other = played(8);
        (one.join().unwrap(), other)
    });
    let (compared, found) = differences(one.said(), other.said());
    assert_eq!(found, []);
    assert!(compared * 100 >= one.outcomes.len() * 95, "only {compared} cases can be compared");
}

#[test]
fn servers_that_say_the_same_in_another_way_are_told_apart_by_the_first_line_that_differs() {
    let found = |fault, name| {
        let (one, other) = (played(Fault::Nothing, name), played(fault, name));
        let (_, found) = differences(one.said(), other.said());
        found.iter().map(Difference::to_string).collect::<Vec<_>>()
    };
    let simple = "simple gives the sum of 0..1000";
    assert_eq!(
        found(Fault::OrdersHeadersOtherwise, simple),
        [format!("{simple}: line 3: \"Date: *\" against \"Content-Length: *\"")]
    );
    assert_eq!(
        found(Fault::WritesHeadersOtherwise, simple),
        [format!("{simple}: line 3: \"Date: *\" against \"date: *\"")]
    );
    let missing = "an unknown path is 404";
    let differs = &found(Fault::WordsErrorsOtherwise, missing)[0];
    assert!(differs.contains("\"Content-Length: 61\" against \"Content-Length: 14\""), "{differs}");
    assert_eq!(found(Fault::WordsErrorsOtherwise, simple), [""; 0]);
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
