//! What a person reads at the end: the figures of a [`Report`] as text.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::NOTHING};
use load::{Pacing, Rate, Verify};

use super::{
    bars,
    latency::{IntervalUs, LatencyUs},
    report::{Report, StreamReport},
    self_checks::{SelfCheck, time},
};
use crate::report::figures::thousands;

/// Escape sequences, which the stream leaves out where there is no terminal.
const BOLD: &str = "\x1b[1m";
const YELLOW: &str = "\x1b[33m";
const PLAIN: &str = "\x1b[0m";

/// The whole summary.
pub(super) fn render(report: &Report) -> String {
    let mut text = String::new();
    head(&mut text, report);
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
    if report.streams.len() > 1 {
        line!(text, "{} right answers a second in all", thousands(report.requests_per_second));
    }
}

fn stream_figures(text: &mut String, stream: &StreamReport, report: &Report) {
    line!(text, "{BOLD}{} {}{PLAIN}  {}", stream.method, stream.target, load_of(stream));
    let counts = &stream.counts;
    line!(
        text,
        "  requests  {} right answers a second; of {} due in the window {} were answered rightly{}",
        thousands(stream.requests_per_second),
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
            line!(text, "  Not among these are {} requests that failed.", thousands(failed.count as f64));
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
    if !stream.response.is_empty() {
        let unanswered = stream.response_us.as_ref().map_or(0, |response| response.unanswered);
        line!(text, "\n{}", bars::draw(&stream.response, unanswered).trim_end_matches('\n'));
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
    let written = |per_second: f64| {
        if per_second < 100.0 { format!("{per_second:.1}") } else { thousands(per_second) }
    };
    match rate {
        Rate::Steady(per_second) => format!("{}/s", written(per_second)),
        Rate::Ramp { from, to, over_s } => {
            format!("{} to {}/s over {over_s:.1} s", written(from), written(to))
        }
        Rate::Bursts { per_second, on_s, off_s } => {
            format!("{}/s for {on_s} s and none for {off_s} s in turn", written(per_second))
        }
    }
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
    listed(stream.errors.iter().map(|(kind, count)| (kind.name().to_owned(), count)))
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
