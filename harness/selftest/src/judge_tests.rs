//! The judge is shown an honest generator first, and then ones that are wrong in one respect each.

use load::{ErrorKind, Errors};
use stats::Histogram;

use super::*;
use crate::{
    check::Verdict,
    log::{Entry, Log},
    observed::{Disturbance, Reported},
    script::{CaseName, Length, Service},
};

const US: u64 = 1_000;
const MS: u64 = 1_000_000;
/// What the kernel adds between server and generator.
const TRANSPORT: u64 = 30 * US;

fn histogram(times_ns: impl IntoIterator<Item = u64>) -> Histogram {
    let mut histogram = Histogram::new();
    times_ns.into_iter().for_each(|ns| histogram.record_ns(ns));
    histogram
}

fn log_of(acts: impl IntoIterator<Item = (Act, u64)>) -> Log {
    let entries = acts.into_iter().enumerate().map(|(index, (act, service_ns))| {
        let arrival_ns = MS * (index as u64 + 1);
        let due_ns = arrival_ns + service_ns;
        Entry { connection: 1, act, arrival_ns, due_ns, written_ns: due_ns }
    });
    Log { entries: entries.collect(), away: Vec::new() }
}

/// What an honest generator reports of such a server.
fn honest(log: Log) -> Observed {
    let times = log.service_ns();
    let sent = log.entries.len() as u64;
    let mut errors = Errors::default();
    for entry in &log.entries {
        match entry.act {
            Act::Answer => {}
            Act::Late | Act::Never => errors.add(ErrorKind::Timeout),
            Act::Truncate | Act::HalfHead => errors.add(ErrorKind::ClosedEarly),
            Act::Reset => errors.add(ErrorKind::Reset),
            Act::WrongBytes => errors.add(ErrorKind::WrongAnswer),
        }
    }
    let reported = Reported {
        // The closed loop of `stall`.
        slots: 8,
        window_s: 1.0,
        sent,
        ok: times.len() as u64,
        errors,
        in_flight_at_end: 0,
        unsent_at_end: 0,
        consistent: true,
        service: histogram(times.iter().map(|ns| ns + TRANSPORT)),
        response: histogram(times.iter().map(|ns| ns + TRANSPORT + 5 * US)),
        queue_wait: histogram((0..sent).map(|_| 0)),
        lag: histogram((0..sent).map(|_| 5 * US)),
        late: 0,
    };
    Observed { log, reported, disturbance: Disturbance::default() }
}

/// Delays from 1 to 21 ms.
fn varied() -> Observed {
    honest(log_of((0..2_000).map(|k| (Act::Answer, MS + 10 * US * k))))
}

fn errors() -> Observed {
    let act = |k: usize| *Act::FAILURES.get(k % 14).unwrap_or(&Act::Answer);
    honest(log_of((0..1_400).map(|k| (act(k), MS))))
}

fn failed(case: CaseName, runs: &[Observed], theory: Option<&Theory>) -> Vec<String> {
    let judgement = judge(&Case::new(case, Length::Short), runs, theory);
    assert!(!judgement.checks.is_empty());
    let failed = judgement.checks.into_iter().filter(|check| check.verdict == Verdict::Fail);
    failed.map(|check| check.check).collect()
}

/// Judges an honest run that `change` has made wrong.
fn failed_after(case: CaseName, mut run: Observed, change: impl FnOnce(&mut Observed)) -> Vec<String> {
    change(&mut run);
    failed(case, &[run], None)
}

#[test]
fn an_honest_generator_passes() {
    assert_eq!(failed(CaseName::Bimodal, &[varied()], None), [""; 0]);
    assert_eq!(failed(CaseName::Errors, &[errors()], None), [""; 0]);
}

#[test]
fn times_that_are_five_percent_off_are_noticed_at_every_percentile() {
    for factor in [95, 105] {
        let wrong = failed_after(CaseName::Bimodal, varied(), |run| {
            let times = run.log.service_ns();
            run.reported.response = histogram(times.iter().map(|ns| ns * factor / 100));
        });
        assert_eq!(wrong.len(), PERCENTILES.len(), "{wrong:?}");
        assert!(wrong.iter().all(|name| name.starts_with("response p")), "{wrong:?}");
        let wrong = failed_after(CaseName::Bimodal, varied(), |run| {
            let times = run.log.service_ns();
            run.reported.service = histogram(times.iter().map(|ns| ns * factor / 100));
        });
        assert_eq!(wrong.len(), PERCENTILES.len(), "{wrong:?}");
    }
}

/// What is seen of the case `constant` when the server waits 5% longer than it logs, as `--lie 0.05` makes it: 1500 requests
/// with the spread of a quiet machine, some of them written late, which the log does say.
fn lied_to() -> Observed {
    const LIE: u64 = 250 * US;
    let written_late = |k: u64| if k.is_multiple_of(97) { 400 * US } else { 2 * US * (k % 7) };
    let mut run = honest(log_of((0..1_500).map(|k| (Act::Answer, 5 * MS + written_late(k)))));
    let seen: Vec<u64> = run.log.service_ns().iter().map(|ns| ns + LIE + TRANSPORT).collect();
    run.reported.service = histogram(seen.iter().copied());
    run.reported.response = histogram(seen.iter().map(|ns| ns + 5 * US));
    run
}

#[test]
fn a_server_that_waits_longer_than_it_says_fails_at_every_percentile_and_nothing_excuses_its_median() {
    let wrong = failed(CaseName::Constant, &[lied_to()], None);
    let expected =
        ["response", "service"].map(|time| PERCENTILES.map(|q| format!("{time} p{}, log", percent(q))));
    assert_eq!(wrong, expected.concat());
    // A quarter of the time on each side can have touched nearly every request once, and not moved half of them.
    for disturbance in [
        Disturbance { server_starved: 0.2, longest_ns: 5 * MS, ..Disturbance::default() },
        Disturbance { generator_starved: 0.2, late: 0.2, ..Disturbance::default() },
        Disturbance { stolen: 0.1, ..Disturbance::default() },
    ] {
        let wrong = failed_after(CaseName::Constant, lied_to(), |run| run.disturbance = disturbance);
        assert!(wrong.contains(&"service p50, log".to_owned()), "{disturbance:?}: {wrong:?}");
    }
    // Without the lie the same run passes.
    let honest = honest(lied_to().log);
    let judgement = judge(&Case::new(CaseName::Constant, Length::Short), &[honest], None);
    assert!(judgement.checks.iter().all(|check| check.verdict == Verdict::Pass), "{:?}", judgement.checks);
}

#[test]
fn a_tail_that_is_left_out_is_noticed_at_the_tail() {
    let run = honest(log_of((0..2_000).map(|k| (Act::Answer, if k < 1_940 { MS } else { 50 * MS }))));
    let wrong = failed_after(CaseName::Bimodal, run, |run| {
        run.reported.service = histogram((0..1_940).map(|_| MS));
    });
    assert_eq!(wrong, ["service p99, log", "service p99.9, log"]);
}

#[test]
fn a_single_request_that_is_miscounted_is_noticed() {
    let wrong = failed_after(CaseName::Bimodal, varied(), |run| run.reported.sent -= 1);
    assert_eq!(wrong, ["requests"]);
    let wrong = failed_after(CaseName::Bimodal, varied(), |run| run.reported.ok -= 1);
    assert_eq!(wrong, ["right answers"]);
    let wrong = failed_after(CaseName::Bimodal, varied(), |run| run.reported.unsent_at_end += 1);
    assert_eq!(wrong, ["due and never sent"]);
    let wrong = failed_after(CaseName::Bimodal, varied(), |run| run.reported.consistent = false);
    assert_eq!(wrong, ["accounts that disagree"]);
    let wrong = failed_after(CaseName::Bimodal, varied(), |run| run.reported.queue_wait.record_ns(2 * US));
    assert_eq!(wrong, ["waited for a connection"]);
    let excused = failed_after(CaseName::Bimodal, varied(), |run| {
        run.reported.queue_wait.record_ns(2 * US);
        run.disturbance.generator_starved = 0.01;
    });
    assert_eq!(excused, [""; 0]);
}

#[test]
fn requests_that_a_server_never_read_are_excused_by_an_absence_as_long_as_the_timeout_and_by_nothing_shorter()
{
    let unread = |longest_ns| {
        failed_after(CaseName::Errors, errors(), |run| {
            run.reported.sent += 3;
            run.disturbance.longest_ns = longest_ns;
        })
    };
    assert_eq!(unread(100 * MS), ["requests"]);
    assert_eq!(unread(200 * MS), [""; 0]);
}

#[test]
fn an_error_filed_under_another_kind_is_noticed_under_both() {
    let names = ["closed early", "reset", "wrong answer"];
    for kind in [ErrorKind::ClosedEarly, ErrorKind::Reset, ErrorKind::WrongAnswer, ErrorKind::Timeout] {
        let wrong = failed_after(CaseName::Errors, errors(), |run| run.reported.errors.add(kind));
        let expected = names.iter().find(|name| name.replace(' ', "_") == kind.name());
        assert_eq!(wrong, [*expected.unwrap_or(&"timeout or in flight at the end")]);
    }
    for kind in [ErrorKind::Connect, ErrorKind::Malformed, ErrorKind::Status5xx] {
        let wrong = failed_after(CaseName::Errors, errors(), |run| run.reported.errors.add(kind));
        assert_eq!(wrong, ["errors of other kinds"]);
    }
    let wrong = failed_after(CaseName::Errors, errors(), |run| run.reported.ok += 1);
    assert_eq!(wrong, ["right answers"]);
}

#[test]
fn a_late_generator_is_wrong_unless_somebody_else_kept_it() {
    let quick = || honest(log_of((0..2_000).map(|_| (Act::Answer, MS))));
    let late = |by_ns| {
        move |run: &mut Observed| {
            run.reported.lag = histogram((0..2_000).map(|k| if k < 1_950 { 5 * US } else { by_ns }));
            run.reported.late = 50;
        }
    };
    assert_eq!(failed_after(CaseName::Bimodal, quick(), late(200 * US)), ["schedule lag p99"]);
    let disturbed = |run: &mut Observed| {
        late(200 * US)(run);
        run.disturbance.generator_starved = 0.03;
    };
    assert_eq!(failed_after(CaseName::Bimodal, quick(), disturbed), [""; 0]);
    // A tenth of a p99 of 21 ms may be lag.
    assert_eq!(failed_after(CaseName::Bimodal, varied(), late(MS)), [""; 0]);
}

#[test]
fn nothing_reported_at_all_is_no_pass() {
    let wrong = failed_after(CaseName::Bimodal, varied(), |run| {
        run.reported.service = Histogram::new();
        run.reported.lag = Histogram::new();
    });
    assert_eq!(wrong.len(), PERCENTILES.len() + 1, "{wrong:?}");
    assert!(!failed(CaseName::Bimodal, &[honest(Log::default())], None).is_empty());
}

/// The short stall: 100 ms in every second, met by an open loop for two seconds and by a closed loop for one.
fn stall() -> [Observed; 2] {
    let held = |at_us: u64| {
        let due_us = at_us + 1_000;
        let phase_us = due_us % 1_000_000;
        let until_us = if phase_us >= 900_000 { due_us - phase_us + 1_000_000 } else { due_us };
        (Act::Answer, (until_us - at_us) * US)
    };
    let open = log_of((0..800).map(|k| held(2_500 * k)));
    // Eight connections of a request each millisecond, until all wait for the end of the stop.
    let closed =
        log_of((0..8 * 899).map(|_| (Act::Answer, MS)).chain((0..8).map(|_| (Act::Answer, 100 * MS))));
    [honest(open), honest(closed)]
}

#[test]
fn a_stall_is_seen_by_the_open_loop_and_warned_about_by_the_closed_one() {
    let judgement = judge(&Case::new(CaseName::Stall, Length::Short), &stall(), None);
    let doubts: Vec<_> = judgement.checks.iter().filter(|check| check.verdict != Verdict::Pass).collect();
    assert!(doubts.is_empty(), "{doubts:?}");
    assert_eq!(judgement.warnings.len(), 1);
    assert!(judgement.warnings[0].contains("times as long"), "{:?}", judgement.warnings);
}

#[test]
fn an_open_loop_that_waits_for_answers_is_noticed() {
    // Coordinated omission: of each stall, only the first eight requests were sent in time.
    let [mut open, closed] = stall();
    open.reported.response = closed.reported.response.clone();
    let wrong = failed(CaseName::Stall, &[open, closed], None);
    for name in ["open loop: response p95, stall", "open loop: response p99, stall"] {
        assert!(wrong.iter().any(|wrong| wrong == name), "{wrong:?}");
    }
}

#[test]
fn a_closed_loop_that_does_not_warn_is_noticed() {
    let [open, mut closed] = stall();
    closed.reported.service = histogram((0..7_200).map(|_| MS));
    let wrong = failed(CaseName::Stall, &[open, closed], None);
    assert!(wrong.contains(&"closed loop: warnings that it hides a stall".to_owned()), "{wrong:?}");
    assert!(wrong.contains(&"closed loop: p99 as if requests had gone on".to_owned()), "{wrong:?}");
}

#[test]
fn another_queue_than_the_scripted_one_is_noticed() {
    let queue = Queue { arrival_rate: 350.0, mean_service: 0.002, service: Service::Exponential };
    let theory = Theory { queue, intervals: Intervals::simulate(&queue, 4.0, 1) };
    // The distribution itself: response times are exponential with rate mu - lambda = 150 per second.
    let drawn = |rate: f64| {
        let time = move |k: u64| -(1.0 - (k as f64 + 0.5) / 1_400.0).ln() / rate;
        honest(log_of((0..1_400).map(move |k| (Act::Answer, (time(k) * 1e9) as u64))))
    };
    assert_eq!(failed(CaseName::Mm1, &[drawn(150.0)], Some(&theory)), [""; 0]);
    let wrong = failed(CaseName::Mm1, &[drawn(300.0)], Some(&theory));
    assert!(wrong.contains(&"response p50, theory".to_owned()), "{wrong:?}");
    assert!(wrong.iter().all(|name| name.ends_with("theory")), "{wrong:?}");
}
