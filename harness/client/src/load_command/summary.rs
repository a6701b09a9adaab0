//! What a person reads at the end: the figures of a [`Report`] as text.

use std::fmt::Write as _;

use super::{
    bars,
    check::SelfCheck,
    percentiles::percentiles,
    report::{Report, StreamReport},
    self_checks::time,
    words::{errors, load_of, per_second, statuses, timed, unfinished},
};
use terminal::numbers::thousands;

/// Escape sequences, which the stream leaves out where there is no terminal.
const BOLD: &str = "\x1b[1m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// The whole summary.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
    if report.window_s == 0.0 {
        return text;
    }
    for stream in &report.streams {
        text.push('\n');
        stream_figures(&mut text, stream, report);
    }
    text.push('\n');
    generator(&mut text, report);
    warnings(&mut text, report);
    text
}

/// Writing into a `String` cannot fail.
macro_rules! line {
    ($text:expr, $($argument:tt)*) => {{
        let _ = writeln!($text, $($argument)*);
    }};
}

fn head(text: &mut String, report: &Report) {
    line!(text, "{BOLD}{}{PLAIN}", report.url);
    if report.interrupted && report.window_s == 0.0 {
        line!(
            text,
            "{YELLOW}PARTIAL RESULTS: interrupted before the window opened; nothing was measured{PLAIN}"
        );
        return;
    }
    if report.interrupted {
        line!(
            text,
            "{YELLOW}PARTIAL RESULTS: interrupted after {:.1} s of a window of {:.1} s{PLAIN}",
            report.window_s,
            report.planned_window_s
        );
    }
    line!(
        text,
        "{:.1} s measured after a warm-up of {:.1} s, seed {}",
        report.window_s,
        report.warm_up_s,
        report.seed
    );
    if let Some(part) = report.part {
        line!(text, "part {} of {}, counted from 0: what follows is of this part alone", part.index, part.of);
    }
    if report.streams.len() > 1 {
        line!(text, "{} right answers a second in all", per_second(report.requests_per_second));
    }
}

fn stream_figures(text: &mut String, stream: &StreamReport, report: &Report) {
    line!(text, "{BOLD}{} {}{PLAIN}  {}", stream.method, stream.target, load_of(stream));
    let counts = &stream.counts;
    line!(
        text,
        "  requests  {} right answers a second; of {} due in the window {} were answered rightly{}",
        per_second(stream.requests_per_second),
        thousands(counts.due as f64),
        thousands(counts.ok as f64),
        unfinished(stream)
    );
    line!(text, "  status    {}", statuses(stream));
    line!(text, "  errors    {}", errors(stream));
    if let Some(response) = &stream.response_us {
        line!(text, "\n{}", percentiles(response, stream).trim_end_matches('\n'));
        if let Some(serial) =
            stream.serial.filter(|serial| serial.variance_inflation.is_some_and(|by| by > 1.5))
        {
            line!(
                text,
                "  Answers depend on each other: these tell as much as {} independent ones.",
                thousands(serial.effective_sample_size)
            );
        }
        if let Some(failed) = &stream.failed_us {
            line!(text, "  Failed requests are not among these: {}.", thousands(failed.count as f64));
        }
    }
    if let (Some(lag), Some(waited)) = (&stream.lag_us, stream.waited_share) {
        let percentiles: Vec<String> = [("p50", "p50"), ("p99", "p99"), ("p99_9", "p99.9")]
            .into_iter()
            .filter(|(name, _)| lag.has(name))
            .map(|(name, shown)| format!("{shown} {}", time(lag.percentile(name))))
            .chain([format!("max {}", time(lag.max))])
            .collect();
        line!(
            text,
            "\n  lag       {} (the generator's own lateness); {}",
            percentiles.join(", "),
            stolen(report.machine.steal)
        );
        line!(text, "  waiting   {:.1}% of the requests found every connection busy", 100.0 * waited);
    }
    if stream.clocked.by_stamp + stream.clocked.by_read > 0 {
        let gap = if stream.lag_us.is_none() { "\n" } else { "" };
        line!(text, "{gap}  timed     {}", timed(stream.clocked));
    }
    if !stream.response.is_empty() {
        let unanswered = stream.response_us.as_ref().map_or(0, |response| response.unanswered);
        line!(text, "\n{}", bars::draw(&stream.response, unanswered).trim_end_matches('\n'));
    }
}

fn stolen(steal: Option<f64>) -> String {
    steal.map_or_else(
        || "steal time unknown".to_owned(),
        |steal| format!("{:.1}% of the CPU time was stolen", 100.0 * steal),
    )
}

fn generator(text: &mut String, report: &Report) {
    let generator = &report.generator;
    let threads = if generator.threads == 1 { "thread" } else { "threads" };
    let calls = &generator.syscalls;
    line!(
        text,
        "generator: {} {threads}, {:.0}% busy{}; {} waits, {} reads, {} writes; {}",
        generator.threads,
        100.0 * generator.busy,
        generator
            .cpu_per_request_us
            .map(|us| format!(", {us:.1} us of CPU time a request"))
            .unwrap_or_default(),
        thousands(calls.waits as f64),
        thousands(calls.reads as f64),
        thousands(calls.writes as f64),
        stolen(report.machine.steal)
    );
}

fn warnings(text: &mut String, report: &Report) {
    let several = report.streams.len() > 1;
    let mut warn = |check: &SelfCheck, of: &str| {
        let advice = check.advice.as_deref().map_or_else(String::new, |advice| format!("; {advice}"));
        line!(text, "{YELLOW}warning:{PLAIN} {of}{}{advice}", check.finding);
    };
    let failed = |checks: &[SelfCheck]| -> Vec<SelfCheck> {
        checks.iter().filter(|check| !check.passed).cloned().collect()
    };
    for stream in &report.streams {
        let of = if several { format!("{}: ", stream.name) } else { String::new() };
        failed(&stream.self_checks).iter().for_each(|check| warn(check, &of));
    }
    failed(&report.self_checks).iter().for_each(|check| warn(check, ""));
}

#[cfg(test)]
mod tests {
    use load::{
        Accounting, Causes, Clocked, ConnectionCounts, Counts, DepartureSummary, ErrorKind, Errors, OsError,
        OsErrors, Pacing, ReadBecause, ReceivedBy, Statuses, Verify, WrongAnswer,
    };
    use stats::{Censored, Histogram, Stationarity};

    use super::*;
    use crate::load_command::{
        check::CheckName,
        latency::LatencyUs,
        report::{GeneratorReport, MachineReport, SCHEMA, SystemCalls},
    };

    /// Exponential times with this mean, by their quantiles.
    fn exponential(mean_us: f64, count: u32) -> Histogram {
        let mut times = Histogram::new();
        (0..count).for_each(|k| {
            let left = 1.0 - (f64::from(k) + 0.5) / f64::from(count);
            times.record_ns((-left.ln() * mean_us * 1_000.0) as u64);
        });
        times
    }

    fn open_loop() -> StreamReport {
        let (response, mut unanswered) = (exponential(2_000.0, 9_990), Histogram::new());
        (0..10).for_each(|_| unanswered.record_ns(5_000_000_000));
        let mut errors = Errors::default();
        errors.add(ErrorKind::Reset);
        let mut causes = Causes::default();
        causes.add(ErrorKind::Reset, OsError(104));
        let times = Censored::from_parts(response.clone(), unanswered);
        StreamReport {
            name: "simple".to_owned(),
            method: "GET".to_owned(),
            target: "/simple".to_owned(),
            expects: "the right answer of /simple".to_owned(),
            pacing: Pacing::Poisson { per_second: 1_000.0.into() },
            share_of_mix: None,
            connections: ConnectionCounts { planned: 64, open_at_start: 64, ..ConnectionCounts::default() },
            outstanding_limit: 64,
            offered_per_second: 1_000.0,
            requests_per_second: 999.0,
            counts: Counts { due: 10_001, ok: 9_990, in_flight_at_end: 10, ..Counts::default() },
            errors,
            causes,
            failed_attempts: OsErrors::default(),
            status: Statuses::default(),
            verify: Verify::All,
            first_wrong: None::<WrongAnswer>,
            first_unreadable: None,
            clocked: Clocked {
                received_by: ReceivedBy::Stamp,
                by_stamp: 9_990,
                by_read: 0,
                ended: 0,
                unstamped: 0,
                strayed: 0,
            },
            response_us: LatencyUs::of_censored(&times, Some(4.0)),
            observed_us: LatencyUs::of_censored(&times, None),
            service_us: LatencyUs::of(&exponential(1_900.0, 9_990), Some(4.0)),
            failed_us: LatencyUs::of(&exponential(1_000.0, 1), None),
            unexpected: Vec::new(),
            queue_wait_us: LatencyUs::of(&exponential(1.0, 9_990), None),
            waited_share: Some(0.0123),
            lag_us: LatencyUs::of(&exponential(20.0, 10_000), None),
            overtaken_share: Some(0.01),
            mean_in_server: 2.0,
            mean_in_generator: 0.1,
            departures: None::<DepartureSummary>,
            drawn_schedule: None,
            stationarity: Stationarity::CannotTell,
            serial: None,
            accounting: Accounting {
                due_unaccounted: 0,
                sent_unaccounted: 0,
                observations_unaccounted: 0,
                littles_law_difference: 0.001,
            },
            self_checks: vec![
                SelfCheck {
                    name: CheckName::Lag,
                    passed: false,
                    finding: "the finding".to_owned(),
                    advice: Some("the advice".to_owned()),
                },
                SelfCheck {
                    name: CheckName::Answers,
                    passed: true,
                    finding: "unseen".to_owned(),
                    advice: None,
                },
            ],
            response,
        }
    }

    #[test]
    fn everything_that_a_person_needs_is_in_the_summary() {
        let closed = StreamReport {
            name: "complex".to_owned(),
            target: "/complex?iterations=9".to_owned(),
            pacing: Pacing::Closed,
            share_of_mix: Some(0.2),
            errors: Errors::default(),
            response_us: LatencyUs::of(&exponential(6_000.0, 500), Some(1.0)),
            failed_us: None,
            clocked: Clocked {
                received_by: ReceivedBy::Read(ReadBecause::Pipelining),
                by_stamp: 0,
                by_read: 500,
                ..open_loop().clocked
            },
            waited_share: None,
            lag_us: None,
            self_checks: Vec::new(),
            response: exponential(6_000.0, 500),
            ..open_loop()
        };
        let report = Report {
            schema: SCHEMA,
            tool: "harness load",
            version: "0.1.0",
            command: "harness load".to_owned(),
            started: String::new(),
            window_opened: None,
            url: "http://127.0.0.1:8080/".to_owned(),
            address: "127.0.0.1:8080".to_owned(),
            seed: 7,
            part: None,
            clock: None,
            interrupted: true,
            warm_up_s: 1.0,
            planned_window_s: 20.0,
            window_s: 10.0,
            requests_per_second: 1_998.0,
            streams: vec![open_loop(), closed],
            generator: GeneratorReport {
                threads: 1,
                cpus: vec![1],
                spins: false,
                busy: 0.25,
                starved: 0.0,
                cpu_per_request_us: Some(9.5),
                syscalls: SystemCalls { waits: 9_000, reads: 10_000, writes: 10_000 },
                involuntary_switches: 3,
            },
            closed_loop: None,
            clock_step_ns: Some(3),
            machine: MachineReport { steal: Some(0.004) },
            self_checks: Vec::new(),
        };
        insta::assert_snapshot!(anstream::adapter::strip_str(&render(&report)).to_string());
    }
}
