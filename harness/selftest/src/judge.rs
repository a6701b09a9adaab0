//! Whether what the instrument reports is true. Pure: it compares plain values, and can be shown wrong ones.

use std::time::Duration;

use load::ErrorKind;

use crate::{
    case::{Case, STALL_RATE},
    check::{Check, Truth},
    log::{PERCENTILES, quantile},
    observed::{Observed, Reported},
    queue::{Intervals, Queue, sojourn_quantile},
    script::{Act, Script},
};
use race::measure::soundness::{self, HiddenStall, WithoutOmission};

/// What reported and logged times may differ by: 2% ...
const AGREEMENT: f64 = 0.02;
/// ... or 100 us, whichever is larger.
const AGREEMENT_FLOOR_NS: f64 = 100_000.0;

/// In a queue, what delays one request delays those behind it: a busy period of M/G/1 at load 0.7 serves 1 / (1 - 0.7)
/// requests on average.
const QUEUE_MEMORY: f64 = 4.0;

/// What theory says of a case that is a queue. The unit of time is the second.
#[derive(Clone, Debug)]
pub(crate) struct Theory {
    pub(crate) queue: Queue,
    pub(crate) intervals: Intervals,
}

/// The rows of one case.
#[derive(Clone, Debug, Default)]
pub(crate) struct Judgement {
    pub(crate) checks: Vec<Check>,
    pub(crate) warnings: Vec<String>,
}

/// Judges all runs of one case.
pub(crate) fn judge(case: &Case, runs: &[Observed], theory: Option<&Theory>) -> Judgement {
    let mut judgement = Judgement::default();
    for (spec, run) in case.runs.iter().zip(runs) {
        let label = spec.label;
        let checks = &mut judgement.checks;
        checks.extend(books(label, run, spec.timeout));
        if let Script::Errors { timeout, .. } = case.script {
            checks.extend(error_counts(label, run, timeout));
            continue;
        }
        if spec.pacing.is_open() {
            checks.extend(open_loop(label, run));
        }
        checks.extend(service_times(label, run));
    }
    if let (Script::Stall { delay, every, stops }, [open, closed]) = (case.script, runs) {
        let stall = Stall { delay, every, stops };
        judgement.checks.extend(stall.tail_is_seen(open));
        let (checks, warning) = stall.closed_loop_is_warned_about(open, closed);
        judgement.checks.extend(checks);
        judgement.warnings.extend(warning);
    }
    if let (Some(theory), [run]) = (theory, runs) {
        judgement.checks.extend(against_theory(theory, run));
    }
    judgement
}

/// Every request is in both books.
fn books(label: &str, run: &Observed, timeout: Duration) -> Vec<Check> {
    let Observed { log, reported, disturbance, .. } = run;
    let unsound = u64::from(!reported.consistent);
    // A server that was away for about the timeout finds connections closed whose requests it never read.
    let excused = disturbance.lasted(ns(timeout) / 2);
    vec![
        Check::exactly(format!("{label}requests"), log.entries.len() as u64, reported.sent, excused),
        Check::exactly(format!("{label}due and never sent"), 0, reported.unsent_at_end, excused),
        Check::exactly(format!("{label}accounts that disagree"), 0, unsound, false),
    ]
}

/// What only an open loop has: a schedule that it keeps, and times counted from it.
fn open_loop(label: &str, run: &Observed) -> Vec<Check> {
    let Observed { log, reported, disturbance, .. } = run;
    let outside = disturbance.outside_share(reported.sent);
    let response_p99_us = reported.response.quantile_ns(0.99).unwrap_or(0) as f64 / 1e3;
    let lag = Truth::at_most(1e3 * soundness::allowed_lag_us(response_p99_us));
    // Waits are in the histogram for every request, and none is 1 us, the least that it tells from nothing.
    let waited: u64 =
        reported.queue_wait.recorded().filter(|(ns, _)| *ns > WAITED_AFTER_NS).map(|(_, count)| count).sum();
    // A request that waited because answers were not read in time is one that the disturbance touched.
    let share = disturbance.share(reported.sent);
    let excused = waited as f64 <= share * reported.sent as f64;
    let mut checks = vec![
        Check::percentile(format!("{label}schedule lag p99"), &lag, &reported.lag, 0.99, outside),
        Check::exactly(format!("{label}waited for a connection"), 0, waited, excused),
    ];
    let times = log.service_ns();
    checks.extend(PERCENTILES.into_iter().filter_map(|q| {
        let truth = agreement(quantile(&times, q)?);
        let name = format!("{label}response p{}, log", percent(q));
        Some(Check::percentile(name, &truth, &reported.response, q, share))
    }));
    checks
}

/// What a histogram shows of a wait of nothing: its lowest value, rounded up to the end of its cell.
const WAITED_AFTER_NS: u64 = 1_100;

fn service_times(label: &str, run: &Observed) -> Vec<Check> {
    let Observed { log, reported, disturbance, .. } = run;
    let times = log.service_ns();
    let mut checks = vec![Check::exactly(
        format!("{label}right answers"),
        log.entries.len() as u64,
        reported.ok,
        disturbance.lasted(1_000_000_000),
    )];
    let share = disturbance.share(reported.sent);
    checks.extend(PERCENTILES.into_iter().map(|q| {
        // A log without answers leaves nothing to agree with: expected 0, and allowed what 0 allows.
        let truth = agreement(quantile(&times, q).unwrap_or(0));
        Check::percentile(format!("{label}service p{}, log", percent(q)), &truth, &reported.service, q, share)
    }));
    checks
}

fn error_counts(label: &str, run: &Observed, timeout: Duration) -> Vec<Check> {
    let Observed { log, reported, disturbance, .. } = run;
    // An answer takes a millisecond: only what lasts about as long as the timeout can make it miss that.
    let excused = disturbance.lasted(ns(timeout) / 2);
    let logged = |acts: &[Act]| acts.iter().map(|act| log.count(*act)).sum::<u64>();
    let mut checks: Vec<Check> = [
        ("right answers", logged(&[Act::Answer]), reported.ok),
        // What is unanswered when the drain ends was sent less than a timeout before the end.
        ("timeout or in flight at the end", logged(&[Act::Late, Act::Never]), reported.unanswered()),
        ("closed early", logged(&[Act::Truncate, Act::HalfHead]), reported.errors.of(ErrorKind::ClosedEarly)),
        ("reset", logged(&[Act::Reset]), reported.errors.of(ErrorKind::Reset)),
        ("wrong answer", logged(&[Act::WrongBytes]), reported.errors.of(ErrorKind::WrongAnswer)),
    ]
    .into_iter()
    .map(|(name, expected, found)| Check::exactly(format!("{label}{name}"), expected, found, excused))
    .collect();
    let named = [ErrorKind::Timeout, ErrorKind::ClosedEarly, ErrorKind::Reset, ErrorKind::WrongAnswer];
    let others = reported.errors.total() - named.iter().map(|kind| reported.errors.of(*kind)).sum::<u64>();
    checks.push(Check::exactly(format!("{label}errors of other kinds"), 0, others, excused));
    checks
}

/// A server that stops for `stops` at the end of each period of `every`.
struct Stall {
    delay: Duration,
    every: Duration,
    stops: Duration,
}

impl Stall {
    /// The `q`-quantile of the response time, nanoseconds, when requests are due evenly over whole periods: those that
    /// fall into the stop wait for its end, evenly from nothing to all of it.
    fn quantile_ns(&self, q: f64) -> f64 {
        let waits = self.stops.as_secs_f64() - self.every.as_secs_f64() * (1.0 - q);
        (self.delay.as_secs_f64() + waits.max(0.0)) * 1e9
    }

    /// An open loop shows the stall at its full length.
    fn tail_is_seen(&self, open: &Observed) -> Vec<Check> {
        let Observed { reported, disturbance, .. } = open;
        let gap_ns = 1e9 / STALL_RATE;
        let share = disturbance.share(reported.sent);
        STALLED
            .into_iter()
            .map(|q| {
                let expected = self.quantile_ns(q);
                // Due times are a gap apart: the one that a percentile falls on may be off by as much.
                let truth = Truth::about(expected, allowance(expected) + gap_ns);
                let name = format!("open loop: response p{}, stall", percent(q));
                Check::percentile(name, &truth, &reported.response, q, share)
            })
            .collect()
    }

    /// A closed loop does not, and says so.
    fn closed_loop_is_warned_about(
        &self,
        open: &Observed,
        closed: &Observed,
    ) -> (Vec<Check>, Option<String>) {
        let name = "closed loop: p99 as if requests had gone on";
        let expected = self.quantile_ns(HIDDEN_AT);
        let Reported { service, slots, window_s, sent, .. } = &closed.reported;
        if service.is_empty() {
            return (vec![Check::missing(name, &Truth::about(expected, 0.0))], None);
        }
        let WithoutOmission { between_ns, times } = soundness::without_omission(service, *slots, *window_s);
        let hidden = soundness::hidden_stall(service, *slots, *window_s);
        let gap_ns = between_ns as f64;
        let estimate = Truth::about(expected, EXPANDED * expected + gap_ns);
        let share = closed.disturbance.share(*sent);
        // Where more than the last hundredth was disturbed, the p99 itself is noise, and nothing may be hidden behind it.
        let excused = share > 1.0 - HIDDEN_AT;
        let warnings = u64::from(hidden.is_some());
        let checks = vec![
            Check::percentile(name, &estimate, &times, HIDDEN_AT, share),
            Check::exactly("closed loop: warnings that it hides a stall", 1, warnings, excused),
        ];
        let measured = open.reported.response.quantile_ns(HIDDEN_AT).unwrap_or(0);
        let warning = hidden.map(|HiddenStall { p99_ns, open_loop_p99_ns, .. }| {
            let [p99, corrected, between, open] =
                [p99_ns, open_loop_p99_ns, between_ns, measured].map(Duration::from_nanos);
            format!(
                "closed loop hides a stall: its p99 is {p99:.2?}, but requests due every {between:.2?} on each connection \
                 would have had {corrected:.2?}, {:.0} times as long; use an open loop (a rate) to measure it; the \
                 open loop on the same server has {open:.2?}",
                open_loop_p99_ns as f64 / p99_ns.max(1) as f64
            )
        });
        (checks, warning)
    }
}

/// The percentiles that lie within the stall, which is the last tenth.
const STALLED: [f64; 3] = [0.95, 0.99, 0.999];
const HIDDEN_AT: f64 = 0.99;
/// How far the expanded percentile may be off: the interval is a mean and the stall is met at a random point of it.
const EXPANDED: f64 = 0.05;

/// Response times lie where chance may put those of the true queue.
fn against_theory(theory: &Theory, run: &Observed) -> Vec<Check> {
    let Observed { reported, disturbance, .. } = run;
    let share = QUEUE_MEMORY * disturbance.share(reported.sent);
    PERCENTILES
        .into_iter()
        .enumerate()
        .map(|(index, q)| {
            let (low, high) = theory.intervals.of(index);
            let expected = sojourn_quantile(&theory.queue, q) * 1e9;
            let truth = Truth { expected, allowed: low * 1e9..=high * 1e9 };
            Check::percentile(
                format!("response p{}, theory", percent(q)),
                &truth,
                &reported.response,
                q,
                share,
            )
        })
        .collect()
}

fn agreement(expected_ns: u64) -> Truth {
    let expected = expected_ns as f64;
    Truth::about(expected, allowance(expected))
}

fn allowance(expected_ns: f64) -> f64 {
    (AGREEMENT * expected_ns).max(AGREEMENT_FLOOR_NS)
}

fn percent(q: f64) -> f64 {
    (q * 1e5).round() / 1e3
}

fn ns(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
#[path = "judge_tests.rs"]
mod tests;
