//! What each tier owes, on outcomes made by hand; and that controlled rows are compared.

use conformance::{Level, Verdict};

use super::{
    agree::{Compared, compare},
    judgement::{Judgement, Kind, judge},
    play::PlayedCase,
    verdict::RowVerdict,
};
use crate::{
    records::conformance::Status,
    registry::{Deviation, Row, Tier},
};

fn row(name: &str, tier: Tier, deviations: &[(&str, &[&str])]) -> Row {
    let listed = |(why, cases): &(&str, &[&str])| Deviation {
        why: (*why).to_owned(),
        cases: cases.iter().map(|&case| case.to_owned()).collect(),
        by_chance: false,
    };
    let deviations = deviations.iter().map(listed).collect();
    Row { tier, deviations, is_given: false, ..Row::given(name.to_owned(), vec!["x".to_owned()]) }
}

fn case(name: &str, level: Level, verdict: Verdict) -> PlayedCase {
    PlayedCase {
        name: name.to_owned(),
        level,
        source: "9112 6".to_owned(),
        verdict,
        detail: if verdict == Verdict::Pass { String::new() } else { "status is 200, not 400".to_owned() },
        said: String::new(),
    }
}

/// Everything passes: three MUST, twenty SHOULD, one MAY.
fn right() -> Vec<PlayedCase> {
    let must = ["m0", "m1", "m2"].map(|name| case(name, Level::Must, Verdict::Pass));
    let should = (0..20).map(|n| case(&format!("s{n}"), Level::Should, Verdict::Pass));
    must.into_iter().chain(should).chain([case("may", Level::May, Verdict::Pass)]).collect()
}

fn with(changes: &[(&str, Verdict)]) -> Vec<PlayedCase> {
    let changed = |case: PlayedCase| match changes.iter().find(|(name, _)| *name == case.name) {
        Some(&(_, verdict)) => PlayedCase { verdict, detail: "status is 200, not 400".to_owned(), ..case },
        None => case,
    };
    right().into_iter().map(changed).collect()
}

fn controlled(changes: &[(&str, Verdict)]) -> Judgement {
    judge(&row("a", Tier::Controlled, &[]), &with(changes))
}

fn kinds(judgement: &Judgement) -> Vec<(&str, Kind, bool)> {
    judgement.findings.iter().map(|f| (f.case.as_str(), f.kind, f.breaks)).collect()
}

#[test]
fn a_controlled_row_that_passes_everything_holds_and_says_nothing() {
    let judgement = controlled(&[]);
    assert!(judgement.holds() && judgement.findings.is_empty(), "{judgement:?}");
    assert_eq!(
        [judgement.must, judgement.should, judgement.may].map(|s| (s.passed, s.all)),
        [(3, 3), (20, 20), (1, 1)]
    );
}

#[test]
fn a_controlled_row_passes_every_must_and_a_warning_or_a_skip_is_no_pass() {
    for (verdict, kind) in
        [(Verdict::Fail, Kind::Fail), (Verdict::Warn, Kind::Warn), (Verdict::Skip, Kind::NotJudged)]
    {
        let judgement = controlled(&[("m1", verdict)]);
        assert!(!judgement.holds(), "{verdict:?}");
        assert_eq!(kinds(&judgement), [("m1", kind, true)]);
    }
}

#[test]
fn a_controlled_row_may_miss_one_should_of_twenty_and_not_two() {
    let one = controlled(&[("s0", Verdict::Fail)]);
    assert!(one.holds(), "{one:?}");
    assert_eq!(kinds(&one), [("s0", Kind::Fail, false)]);
    let two = controlled(&[("s0", Verdict::Fail), ("s9", Verdict::Warn)]);
    assert!(!two.holds(), "{two:?}");
    assert_eq!((two.should.passed, two.should.all), (18, 20));
}

#[test]
fn what_nobody_is_owed_breaks_no_row_unless_it_is_a_desync() {
    for tier in [Tier::Controlled, Tier::Native, Tier::Reference] {
        let row = row("a", tier, &[]);
        let mut cases = with(&[("may", Verdict::Fail)]);
        assert!(judge(&row, &cases).holds());
        cases.iter_mut().for_each(|case| {
            if case.name == "may" {
                case.detail = "desync: the body was answered as a request".to_owned();
            }
        });
        assert_eq!(kinds(&judge(&row, &cases)), [("may", Kind::Desync, true)]);
    }
}

#[test]
fn a_desync_breaks_a_row_that_lists_it_as_a_deviation() {
    let mut cases = with(&[("m1", Verdict::Fail)]);
    let listed = row("a", Tier::Native, &[("takes bodies for requests", &["m1"])]);
    assert!(judge(&listed, &cases).holds());
    cases.iter_mut().filter(|case| case.name == "m1").for_each(|case| {
        case.detail = "desync: the body was answered as a request".to_owned();
    });
    assert_eq!(kinds(&judge(&listed, &cases)), [("m1", Kind::Desync, true)]);
}

#[test]
fn a_listed_deviation_passes_and_an_unlisted_one_fails() {
    let failing = [("m1", Verdict::Fail), ("s3", Verdict::Warn)];
    for tier in [Tier::Native, Tier::Reference] {
        let listed = row("a", tier, &[("no chunks", &["m1"]), ("its own way", &["s3"])]);
        let judgement = judge(&listed, &with(&failing));
        assert!(judgement.holds() && judgement.findings.is_empty(), "{judgement:?}");
        assert_eq!(judgement.deviations.len(), 2);

        let judgement = judge(&row("a", tier, &[("no chunks", &["m1"])]), &with(&failing));
        assert_eq!(kinds(&judgement), [("s3", Kind::Warn, true)]);
        assert!(judgement.findings[0].detail.ends_with("not listed as a deviation"), "{judgement:?}");
    }
}

#[test]
fn a_listed_deviation_that_no_longer_happens_fails() {
    let listed = row("a", Tier::Native, &[("no chunks", &["m1"])]);
    let judgement = judge(&listed, &right());
    assert_eq!(kinds(&judgement), [("m1", Kind::NoLonger, true)]);
    assert!(!judgement.holds());
}

#[test]
fn a_deviation_by_chance_may_happen_or_not_and_covers_nothing_else() {
    let mut listed = row("a", Tier::Native, &[("whoever is first", &["m1", "s3"])]);
    listed.deviations[0].by_chance = true;
    for failing in [&[][..], &[("m1", Verdict::Fail)], &[("m1", Verdict::Fail), ("s3", Verdict::Warn)]] {
        assert!(judge(&listed, &with(failing)).holds(), "{failing:?}");
    }
    assert_eq!(kinds(&judge(&listed, &with(&[("m2", Verdict::Fail)]))), [("m2", Kind::Fail, true)]);
    let skipped = judge(&listed, &with(&[("m1", Verdict::Skip)]));
    assert_eq!(kinds(&skipped), [("m1", Kind::NotJudged, true)]);
}

#[test]
fn a_listed_deviation_that_is_not_judged_or_not_played_fails() {
    let listed = row("a", Tier::Native, &[("no limit", &["m1", "gone"])]);
    let judgement = judge(&listed, &with(&[("m1", Verdict::Skip)]));
    assert_eq!(kinds(&judgement), [("m1", Kind::NotJudged, true), ("gone", Kind::NotJudged, true)]);
    // What is skipped without being listed shows nothing, and is counted.
    let unlisted = judge(&row("a", Tier::Native, &[]), &with(&[("m1", Verdict::Skip)]));
    assert!(unlisted.holds());
    assert_eq!((unlisted.skipped, unlisted.must.all), (1, 2));
}

fn verdict(name: &str, tier: Tier, said: &[(&str, &str)]) -> RowVerdict {
    let row = row(name, tier, &[]);
    let mut cases = right();
    for case in &mut cases {
        if let Some((_, said)) = said.iter().find(|(name, _)| *name == case.name) {
            case.said = (*said).to_owned();
        }
    }
    RowVerdict::played(&row, false, judge(&row, &cases), cases)
}

#[test]
fn a_controlled_row_that_says_something_else_than_the_first_is_broken() {
    let first = [("m0", "HTTP/1.1 200 OK\r\nallow: GET\r\n\r\n"), ("m1", "same"), ("m2", "only here")];
    let other = [("m0", "HTTP/1.1 200 OK\r\nallow: GET, HEAD\r\n\r\n"), ("m1", "same"), ("s0", "only there")];
    let mut rows = [
        verdict("native", Tier::Native, &other),
        verdict("first", Tier::Controlled, &first),
        verdict("same", Tier::Controlled, &first),
        verdict("other", Tier::Controlled, &other),
    ];
    let compared = compare(&mut rows);
    assert_eq!(
        compared,
        Compared {
            with: Some("first".to_owned()),
            rows: vec!["same".to_owned(), "other".to_owned()],
            cases: 2,
            all: 24
        }
    );
    assert_eq!(rows.iter().map(RowVerdict::holds).collect::<Vec<_>>(), [true, true, true, false]);
    let [finding] = rows[3].findings() else { panic!("{:?}", rows[3].findings()) };
    assert_eq!((finding.kind, finding.case.as_str()), (Kind::Differs, "m0"));
    assert_eq!(finding.detail, r#"says "allow: GET, HEAD\r", where first says "allow: GET\r""#);
    assert!(rows[3].reason().unwrap().contains("DIFFERS"));
}

#[test]
fn rows_are_compared_with_one_that_holds() {
    let wrong = row("wrong", Tier::Controlled, &[]);
    let mut cases = with(&[("m0", Verdict::Fail)]);
    cases[0].said = "wrong".to_owned();
    let wrong = RowVerdict::played(&wrong, false, judge(&wrong, &cases), cases);
    let right = [("m0", "right")];
    let mut rows = [wrong, verdict("b", Tier::Controlled, &right), verdict("c", Tier::Controlled, &right)];
    assert_eq!(compare(&mut rows).with.as_deref(), Some("b"));
    assert_eq!(rows.iter().map(RowVerdict::holds).collect::<Vec<_>>(), [false, true, true]);
    // Its failure is told once.
    assert_eq!(rows[0].findings().len(), 1);
}

#[test]
fn one_controlled_row_alone_is_compared_with_nobody() {
    let mut rows =
        [verdict("a", Tier::Controlled, &[("m0", "x")]), verdict("b", Tier::Native, &[("m0", "y")])];
    let compared = compare(&mut rows);
    assert_eq!((compared.with, compared.cases), (None, 0));
    assert!(rows.iter().all(RowVerdict::holds));
}

#[test]
fn a_row_that_could_not_be_played_does_not_hold_and_the_null_server_has_no_verdict() {
    let failed = RowVerdict::failed(&row("a", Tier::Native, &[]), "the server died".to_owned());
    assert_eq!((failed.status(), failed.reason().as_deref()), (Status::Broken, Some("the server died")));
    let null = RowVerdict::not_verified(&row("ceiling", Tier::Calibration, &[]));
    assert_eq!((null.status(), null.reason()), (Status::NotVerified, None));
}

#[test]
fn the_reason_in_one_line_names_three_cases_and_counts_the_rest() {
    let row = row("a", Tier::Controlled, &[]);
    let changes = ["m0", "m1", "m2", "s0", "s1"].map(|name| (name, Verdict::Fail));
    let cases = with(&changes);
    let verdict = RowVerdict::played(&row, false, judge(&row, &cases), cases);
    let reason = verdict.reason().unwrap();
    assert!(
        reason.starts_with("it does not conform (MUST 0/3, SHOULD 18/20): m0 (RFC 9112 6): FAIL"),
        "{reason}"
    );
    assert!(reason.ends_with("; and 2 more; `harness verify a` shows all"), "{reason}");
}
