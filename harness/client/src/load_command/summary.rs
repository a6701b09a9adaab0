//! What a person reads at the end: the figures of a [`Report`] as text.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use load::{Clocked, ErrorKind, OsErrors, Pacing, Rate, ReceivedBy, Verify};

use super::{
    bars,
    check::SelfCheck,
    latency::{IntervalUs, LatencyUs},
    report::{Report, StreamReport},
    self_checks::time,
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

/// By what answers were timed.
fn timed(clocked: Clocked) -> String {
    match clocked.received_by {
        ReceivedBy::Stamp if clocked.by_read == 0 => "by the kernel when the last byte came".to_owned(),
        ReceivedBy::Stamp => format!(
            "{} by the kernel when the last byte came, {} without its stamp when they were read",
            thousands(clocked.by_stamp as f64),
            thousands(clocked.by_read as f64)
        ),
        ReceivedBy::Read(because) => format!("when they were read ({})", because.reason()),
    }
}

fn load_of(stream: &StreamReport) -> String {
    let connections = match (stream.connections.planned, stream.share_of_mix) {
        (_, Some(share)) => {
            let shared = thousands(stream.outstanding_limit as f64);
            format!("{:.0}% of what {shared} shared connections ask", 100.0 * share)
        }
        (1, None) => "1 connection".to_owned(),
        (planned, None) => format!("{} connections", thousands(planned as f64)),
    };
    let how = match stream.pacing {
        Pacing::Closed => return format!("closed loop, {connections}"),
        Pacing::Constant { .. } => "evenly spaced",
        Pacing::Poisson { .. } => "at random (Poisson)",
    };
    format!("{} {how}, {connections}", stream.pacing.rate().map(rate).unwrap_or_default())
}

fn rate(rate: Rate) -> String {
    match rate {
        Rate::Steady(steady) => format!("{}/s", per_second(steady)),
        Rate::Ramp { from, to, over_s } => {
            format!("{} to {}/s over {over_s:.1} s", per_second(from), per_second(to))
        }
        Rate::Bursts { per_second: while_on, on_s, off_s } => {
            format!("{}/s for {on_s} s and none for {off_s} s in turn", per_second(while_on))
        }
    }
}

/// Of a few a second the tenths are seen.
fn per_second(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}") } else { thousands(rate) }
}

fn statuses(stream: &StreamReport) -> String {
    let other =
        Some(stream.status.other()).filter(|&other| other > 0).map(|other| ("other".to_owned(), other));
    let counts = stream.status.iter().map(|(status, count)| (status.to_string(), count)).chain(other);
    let compared = match stream.verify {
        Verify::All => "all",
        Verify::Sample { .. } => "a sample",
        Verify::None => "none",
    };
    format!("{} (expected: {}; content of {compared} compared)", listed(counts), stream.expects)
}

fn errors(stream: &StreamReport) -> String {
    let of_kind = |(kind, count): (ErrorKind, u64)| {
        let errors = stream.causes.of(kind).into_iter().flat_map(OsErrors::iter);
        let causes: Vec<_> = errors.map(|(error, count)| (error.name().into_owned(), count)).collect();
        let causes = match &causes[..] {
            [] => String::new(),
            [(name, all)] if *all == count => format!(" ({name})"),
            _ => format!(" ({})", listed(causes.into_iter())),
        };
        format!("{} {}{causes}", kind.name(), thousands(count as f64))
    };
    let all: Vec<String> = stream.errors.iter().map(of_kind).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

fn unfinished(stream: &StreamReport) -> String {
    let mut text = String::new();
    for (count, what) in [
        (stream.counts.unsent_at_end, "never sent"),
        (stream.counts.in_flight_at_end, "still in flight at the end"),
    ] {
        if count > 0 {
            let _ = write!(text, ", {} {what}", thousands(count as f64));
        }
    }
    text
}

fn listed(counts: impl Iterator<Item = (String, u64)>) -> String {
    let all: Vec<String> =
        counts.map(|(name, count)| format!("{name} {}", thousands(count as f64))).collect();
    if all.is_empty() { "none".to_owned() } else { all.join(", ") }
}

/// Response and service time side by side; one of them where due and sent are one instant.
fn percentiles(response: &LatencyUs, stream: &StreamReport) -> String {
    let service = stream.service_us.as_ref().filter(|_| stream.pacing.is_open());
    let service_title =
        if response.unanswered > 0 { "service time of what was answered" } else { "service time" };
    let mut table = Table::new();
    table.load_style(NOTHING);
    let mut titles = vec!["", "response time", "99% interval"];
    if service.is_some() {
        titles.extend([service_title, "99% interval"]);
    }
    table.set_header(titles);
    let columns = |times: &LatencyUs| {
        times
            .rows()
            .map(|(_, value, bound, interval)| [shown(value, bound), between(interval)])
            .collect::<Vec<_>>()
    };
    let (of_response, of_service) = (columns(response), service.map(columns));
    for (index, (name, ..)) in response.rows().enumerate().filter(|(_, (name, ..))| response.has(name)) {
        let mut row = vec![name.replace('_', ".")];
        row.extend(of_response[index].clone());
        row.extend(of_service.iter().flat_map(|rows| rows[index].clone()));
        table.add_row(row);
    }
    for (name, of) in [("mean", (|t| t.mean) as fn(&LatencyUs) -> f64), ("max", |t| t.max)] {
        let mut row = vec![name.to_owned()];
        for times in [Some(response), service].into_iter().flatten() {
            row.extend([shown(of(times), times.at_least.contains(&name)), String::new()]);
        }
        table.add_row(row);
    }
    for column in table.column_iter_mut() {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table.lines().map(|line| format!("  {}\n", line.trim_end())).collect()
}

fn shown(us: f64, bound: bool) -> String {
    if bound { format!("> {}", time(us)) } else { time(us) }
}

fn between(interval: IntervalUs) -> String {
    match interval {
        IntervalUs { low: Some(low), high: Some(high), .. } => format!("{} to {}", time(low), time(high)),
        IntervalUs { low: Some(low), .. } => format!("> {}", time(low)),
        IntervalUs { needs_requests: Some(needs), .. } => {
            format!("needs {} requests", thousands(needs as f64))
        }
        IntervalUs { .. } => String::new(),
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
        Accounting, Causes, ConnectionCounts, Counts, DepartureSummary, Errors, OsError, ReadBecause,
        Statuses, WrongAnswer,
    };
    use stats::{Censored, Histogram, Stationarity};

    use super::*;
    use crate::load_command::{
        check::CheckName,
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
