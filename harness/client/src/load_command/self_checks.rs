//! Whether the figures of a run can be trusted, asked of the run itself: each check has a name, an answer, and a
//! sentence with the figures that it comes from.
//!
//! The thresholds are those of windows, in [`soundness`]; this module only words them.

use load::{Accounting, Counts, ErrorKind, Opening, OsErrors, Outcome, Plan, Rate, StreamOutcome};
use stats::Stationarity;

use super::{
    check::{CheckName, SelfCheck},
    report::{GeneratorReport, StreamReport},
};
use crate::connecting;
use race::measure::soundness::{self, Flow};
use terminal::numbers::thousands;

/// More requests than this part that found every connection busy are worth a word.
const WAITED: f64 = 0.01;
/// A drawn schedule is doubted where its test has a smaller p-value than this.
const DRAWN_P: f64 = 0.001;

/// The checks that apply to a stream. `report` is already filled in from `outcome`. A run that was `interrupted` waited for
/// no last answers, so that what is missing is nobody's fault.
pub(super) fn of_stream(report: &StreamReport, outcome: &StreamOutcome, interrupted: bool) -> Vec<SelfCheck> {
    let mut checks = vec![answers(report), accounting(report), littles_law(report)];
    if report.pacing.is_open() {
        checks.extend([lag(report), drawn_schedule(report), departures(outcome)].into_iter().flatten());
        checks.push(saturation(report, interrupted));
        checks.extend(outstanding_limit(report));
    } else {
        checks.push(closed_loop(report, outcome));
    }
    checks.extend(stationarity(report));
    checks
}

/// The checks of the run as a whole.
pub(super) fn of_run(generator: &GeneratorReport, plan: &Plan, outcome: &Outcome) -> Vec<SelfCheck> {
    let starved = 100.0 * generator.starved;
    let busy = 100.0 * generator.busy;
    vec![
        connections(plan, outcome),
        SelfCheck::new(
            CheckName::Starvation,
            !soundness::is_starved(generator.starved),
            format!("the generator was without a CPU for {starved:.1}% of the window, and 5% are allowed"),
        )
        .advise("give it a CPU of its own (--cpus)"),
        SelfCheck::new(
            CheckName::GeneratorBound,
            !soundness::is_busy(generator.busy),
            format!("the generator was busy for {busy:.0}% of the window"),
        )
        .advise("the rate is a lower bound of what the server can do; give the generator more CPUs (--cpus)"),
    ]
}

/// Over all streams: those of a mix may share their connections.
fn connections(plan: &Plan, outcome: &Outcome) -> SelfCheck {
    let sum = |count: fn(&StreamOutcome) -> u64| outcome.streams.iter().map(count).sum::<u64>();
    let planned = sum(|stream| stream.connections.planned);
    let open = sum(|stream| stream.connections.open_at_start);
    let failed = sum(|stream| stream.errors.of(ErrorKind::Connect));
    let ahead = plan.streams.iter().all(|stream| stream.policy.opening == Opening::Ahead);
    let mut finding = if ahead {
        format!(
            "{} of {} connections were open when load began",
            thousands(open as f64),
            thousands(planned as f64)
        )
    } else {
        format!("{} connections were opened one after another", thousands(planned as f64))
    };
    let mut attempts = OsErrors::default();
    outcome.streams.iter().for_each(|stream| attempts.merge(&stream.failed_attempts));
    if attempts.total() > 0 {
        finding += &format!(
            "; {} attempts to connect failed, {} of them in the window: {}",
            thousands(attempts.total() as f64),
            thousands(failed as f64),
            connecting::told(&attempts)
        );
    }
    let lost = outcome.streams.iter().any(|stream| stream.connections.lost);
    if lost {
        finding += "; in the end none could be opened any more";
    }
    let passed = (open >= planned || !ahead) && failed == 0 && !lost;
    let advice = connecting::advice_on(&attempts);
    SelfCheck::new(CheckName::Connections, passed, finding).advise(
        advice.unwrap_or_else(|| "see how many connections the server accepts, and its backlog".to_owned()),
    )
}

fn answers(report: &StreamReport) -> SelfCheck {
    let failed = report.errors.requests();
    let mut finding = if failed == 0 {
        format!("no request failed; expected was {}", report.expects)
    } else if report.counts.ok == 0 {
        format!("no request was answered rightly; expected was {}", report.expects)
    } else {
        let share = 100.0 * failed as f64 / report.counts.due.max(1) as f64;
        format!("{} requests failed ({share:.2}%); expected was {}", thousands(failed as f64), report.expects)
    };
    if let Some(first) = &report.first_wrong {
        let (status, excerpt) = (first.status, first.excerpt.trim());
        let excerpt: String = excerpt.chars().take(100).filter(|c| !c.is_control()).collect();
        finding += &format!("; the first: status {status}, {}: `{excerpt}`", first.reason);
    }
    if let Some(first) = &report.first_unreadable {
        finding += &format!("; the first that could not be read: {}", first.reason);
    }
    let answers = SelfCheck::new(CheckName::Answers, failed == 0, finding);
    let advice = ADVICE_ON_ANSWERS.iter().find(|(kind, _)| report.errors.of(*kind) > 0);
    match advice {
        Some((ErrorKind::Status3xx, _)) if report.status.redirects() == 0 => answers.advise(
            "304 answers a conditional request: leave out its field (if-none-match, if-modified-since), or say that it is \
             right with --expect-status 304",
        ),
        Some((_, advice)) => answers.advise(*advice),
        None => answers,
    }
}

/// What to do about failed requests: of several kinds, about the one that says most.
const ADVICE_ON_ANSWERS: [(ErrorKind, &str); 6] = [
    (ErrorKind::Status3xx, "redirects are not followed: load the URL that they lead to"),
    (ErrorKind::WrongAnswer, "if any content is right, say so with --expect-status 200"),
    (ErrorKind::TooLarge, "raise --max-head or --max-body"),
    (
        ErrorKind::Reset,
        "connections broke with requests in flight: see whether the server crashed, or what its log says",
    ),
    (
        ErrorKind::ClosedEarly,
        "the server closed connections before their answers were complete: see whether it crashed, or what its log says",
    ),
    (
        ErrorKind::Timeout,
        "answers did not come within --timeout: see whether the server still works, or give it more time",
    ),
];

fn accounting(report: &StreamReport) -> SelfCheck {
    let Accounting { due_unaccounted, sent_unaccounted, observations_unaccounted, .. } = report.accounting;
    let Counts { due, sent, unsent_at_end, .. } = report.counts;
    SelfCheck::new(
        CheckName::Accounting,
        report.accounting.balances(),
        format!(
            "{} requests due, {} sent, {} unsent; unaccounted for: {due_unaccounted} due, {sent_unaccounted} sent, \
             {observations_unaccounted} observed",
            thousands(due as f64),
            thousands(sent as f64),
            thousands(unsent_at_end as f64)
        ),
    )
}

fn littles_law(report: &StreamReport) -> SelfCheck {
    let difference = report.accounting.littles_law_difference;
    SelfCheck::new(
        CheckName::LittlesLaw,
        soundness::littles_law_holds(difference),
        format!("the two sides of Little's law differ by {:.2}%, and 5% are allowed", 100.0 * difference),
    )
}

/// `None` where nothing was sent, or nothing answered that the lag could be compared with.
fn lag(report: &StreamReport) -> Option<SelfCheck> {
    let lag = report.lag_us.as_ref()?.percentile("p99");
    let allowed = soundness::allowed_lag_us(report.response_us.as_ref()?.percentile("p99"));
    Some(
        SelfCheck::new(
            CheckName::Lag,
            lag <= allowed,
            format!(
                "the generator's own lag has p99 {}, and {} are allowed beside this response time",
                time(lag),
                time(allowed)
            ),
        )
        .advise("give the generator a CPU of its own (--cpus, --spin), or see whether the machine stole it"),
    )
}

/// `None` where arrivals are not random, or gaps too few or too short to tell.
fn departures(outcome: &StreamOutcome) -> Option<SelfCheck> {
    let (distance, follow) = soundness::departures_of(outcome)?;
    Some(SelfCheck::new(
        CheckName::Departures,
        follow,
        format!("gaps between sends are {distance:.3} away from the schedule's, and 0.02 are allowed"),
    ))
}

/// `None` where the schedule is not random. A sound schedule fails once in a thousand runs.
fn drawn_schedule(report: &StreamReport) -> Option<SelfCheck> {
    let drawn = report.drawn_schedule?;
    Some(
        SelfCheck::new(
            CheckName::DrawnSchedule,
            drawn.p_value >= DRAWN_P,
            format!("the drawn schedule has A^2 = {:.2} (p = {:.4})", drawn.a_squared, drawn.p_value),
        )
        .advise("so uneven a draw comes once in a thousand seeds; repeat with another --seed"),
    )
}

/// `None` where the window is too short to tell, or the load itself changes.
fn stationarity(report: &StreamReport) -> Option<SelfCheck> {
    if matches!(report.pacing.rate(), Some(Rate::Ramp { .. })) {
        return None;
    }
    let (passed, change) = match report.stationarity {
        Stationarity::Stationary { relative_change, .. } => (true, relative_change),
        Stationarity::Trend { relative_change, .. } => (false, relative_change),
        Stationarity::CannotTell => return None,
    };
    Some(
        SelfCheck::new(
            CheckName::Stationarity,
            passed,
            format!("response times changed by {:+.0}% over the window", 100.0 * change),
        )
        .advise(
            "one percentile does not describe them; warm up for longer (--warm-up), or see what fills up",
        ),
    )
}

fn saturation(report: &StreamReport, interrupted: bool) -> SelfCheck {
    let Counts { due, completed, unsent_at_end: unsent, ok_in_window, .. } = report.counts;
    let censored = report.response_us.as_ref().map_or(0, |response| response.unanswered);
    let failed = report.errors.requests();
    // What was refused was answered; it is the business of the check of answers.
    let kept_up = interrupted || soundness::kept_up(Flow { due, answered: completed, unsent, censored });
    let waited = report.waited_share.unwrap_or(0.0);
    let behind = soundness::fell_behind(due, ok_in_window + failed, waited);
    let mut finding = format!(
        "{}/s offered, {}/s answered rightly in the window",
        thousands(report.offered_per_second),
        thousands(report.requests_per_second)
    );
    if kept_up && !behind {
        return SelfCheck::new(CheckName::Saturation, true, finding);
    }
    finding = format!("the server did not keep up: {finding}");
    if waited > 0.5 {
        finding += &format!(" while all {} connections were mostly busy", report.connections.planned);
    }
    if censored > 0 {
        finding += &format!("; never answered: {}", thousands(censored as f64));
    }
    SelfCheck::new(CheckName::Saturation, false, finding)
}

fn outstanding_limit(report: &StreamReport) -> Option<SelfCheck> {
    let waited = report.waited_share?;
    Some(SelfCheck::new(
        CheckName::OutstandingLimit,
        waited <= WAITED,
        format!(
            "{:.1}% of the requests found all {} connections busy and waited, which their response times include",
            100.0 * waited,
            report.connections.planned
        ),
    )
    .advise("with more connections (--connections) they would wait in the server"))
}

fn closed_loop(report: &StreamReport, outcome: &StreamOutcome) -> SelfCheck {
    let limit = report.outstanding_limit;
    match soundness::hidden_stall(&outcome.service, limit, outcome.window_s) {
        None => {
            let finding = "the closed loop hid no stall: its p99 would be less than twice as long had requests kept \
                           coming at their mean rate";
            SelfCheck::new(CheckName::ClosedLoop, true, finding.to_owned())
        }
        Some(hidden) => {
            let stalled_s = hidden.longest_ns as f64 / 1e9;
            let us = |ns: u64| ns as f64 / 1000.0;
            SelfCheck::new(
                CheckName::ClosedLoop,
                false,
                format!(
                    "the closed loop hides a stall: the slowest answer took {}, in which some {} requests would have \
                     come at {}/s, and at most {limit} were waiting; had they kept coming, p99 would be some {}, \
                     not {}",
                    time(us(hidden.longest_ns)),
                    thousands(report.requests_per_second * stalled_s),
                    thousands(report.requests_per_second),
                    time(us(hidden.open_loop_p99_ns)),
                    time(us(hidden.p99_ns)),
                ),
            )
            .advise("measure with --rate")
        }
    }
}

/// A time with its unit, three digits.
pub(super) fn time(us: f64) -> String {
    match us {
        us if us < 1_000.0 => format!("{us:.0} us"),
        us if us < 10_000.0 => format!("{:.2} ms", us / 1e3),
        us if us < 100_000.0 => format!("{:.1} ms", us / 1e3),
        us if us < 1_000_000.0 => format!("{:.0} ms", us / 1e3),
        _ => format!("{:.2} s", us / 1e6),
    }
}
