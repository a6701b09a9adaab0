//! The report for people, line for line as the original prints it.

use std::{fmt::Write as _, path::Path, time::Duration};

use jiff::{Timestamp, tz::TimeZone};
use terminal::out;

use super::{
    ending::Ending,
    plan::ARRIVALS_LAST,
    report::{Report, Run, Summary},
    tally::PERIOD_MS,
};

/// How wide a name and its dots are, in columns.
const NAME_WIDTH: usize = 79;

/// Names that are in the JSON report alone.
const NOT_SHOWN: &str = "plugins.metrics-by-endpoint";

const GREY: &str = "\x1b[90m";
const PLAIN: &str = "\x1b[0m";

/// Prints, in one time zone, or is quiet.
#[derive(Debug)]
pub(super) struct Console {
    zone: TimeZone,
    quiet: bool,
}

impl Console {
    pub(super) fn new(zone: TimeZone, quiet: bool) -> Self {
        Self { zone, quiet }
    }

    /// The one phase of the run has `what`: started or completed.
    pub(super) fn phase(&self, what: &str, at: Timestamp) {
        let length_s = ARRIVALS_LAST.as_secs();
        self.print(&format!("Phase {what}: unnamed (index: 0, duration: {length_s}s) {}\n\n", self.time(at)));
    }

    /// A period is over.
    pub(super) fn period(&self, report: &Report) {
        self.print(&format!("{}\n\n", self.period_text(report)));
    }

    /// The run is over.
    pub(super) fn summary(&self, run: &Run, ending: &Ending, at: Timestamp) {
        self.print(&self.summary_text(run, ending, at));
    }

    /// The report is in `path`.
    pub(super) fn written(&self, path: &Path) {
        self.print(&format!("Log file: {}\n", path.display()));
    }

    fn print(&self, text: &str) {
        if !self.quiet {
            out!("{text}");
        }
    }

    fn period_text(&self, report: &Report) -> String {
        let ends = Timestamp::from_millisecond(report.period_ms + PERIOD_MS).unwrap_or(Timestamp::MAX);
        let width_s = report.noted_ms().map_or(0.0, |(first, last)| (last - first) as f64 / 1000.0);
        let width = format!(" {GREY}(width: {width_s}s){PLAIN}");
        heading(&format!("Metrics for period to: {}", self.time(ends)), &width) + &lines(report)
    }

    fn summary_text(&self, run: &Run, ending: &Ending, at: Timestamp) -> String {
        let done = if ending.interrupted {
            format!("Interrupted: {ending}.")
        } else {
            "All VUs finished.".to_owned()
        };
        let partial = if ending.interrupted { " (interrupted: partial results)" } else { "" };
        let title = heading(&format!("Summary report @ {}", self.time(at)), partial);
        format!("{done} Total time: {}\n\n{title}{}", length(ending.took), lines(&run.aggregate))
    }

    fn time(&self, at: Timestamp) -> String {
        at.to_zoned(self.zone.clone()).strftime("%H:%M:%S(%z)").to_string()
    }
}

fn heading(title: &str, beside: &str) -> String {
    let rule = "-".repeat(title.chars().count());
    format!("{rule}\n{title}{beside}\n{rule}\n\n")
}

/// A line a counter and rate, and a block a distribution, all by name.
fn lines(report: &Report) -> String {
    let mut named: Vec<(&str, String)> = Vec::new();
    named.extend(report.counters.iter().map(|(name, n)| (name.as_str(), line(name, n))));
    named.extend(
        report.rates.iter().map(|(name, rate)| (name.as_str(), line(name, format_args!("{rate}/sec")))),
    );
    named.extend(report.summaries.iter().map(|(name, summary)| (name.as_str(), block(name, summary))));
    named.retain(|(name, _)| !name.starts_with(NOT_SHOWN));
    named.sort_by_key(|(name, _)| *name);
    if named.is_empty() {
        return "No measurements recorded during this period\n".to_owned();
    }
    named.into_iter().map(|(_, text)| text).collect()
}

fn line(name: &str, value: impl std::fmt::Display) -> String {
    let mut name = format!("{name}:");
    if name.chars().count() > NAME_WIDTH {
        name = name.chars().take(NAME_WIDTH - 3).chain("...".chars()).collect();
    }
    let dots = ".".repeat(NAME_WIDTH - name.chars().count());
    format!("{name} {GREY}{dots}{PLAIN} {value}\n")
}

fn block(name: &str, summary: &Summary) -> String {
    let mut text = format!("{name}:\n");
    for (key, value) in [
        ("min", summary.min),
        ("max", summary.max),
        ("mean", summary.mean),
        ("median", summary.p50),
        ("p95", summary.p95),
        ("p99", summary.p99),
    ] {
        text.push_str(&line(&format!("  {key}"), value));
    }
    text
}

/// `1 minute, 6 seconds`.
fn length(took: Duration) -> String {
    let seconds = took.as_secs();
    let mut text = String::new();
    for (size, unit) in [(3600, "hour"), (60, "minute"), (1, "second")] {
        let n = if size == 3600 { seconds / size } else { seconds / size % 60 };
        if seconds >= size || size == 1 {
            let plural = if n == 1 { "" } else { "s" };
            let comma = if text.is_empty() { "" } else { ", " };
            // Writing to a string does not fail.
            let _ = write!(text, "{comma}{n} {unit}{plural}");
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use crate::quick::tally::Tally;

    const STARTED: &str = "2026-01-02T03:04:07Z";
    const SECOND_NS: u64 = 1_000_000_000;

    /// Three users: one with three answers over two periods, one that is refused, one that never hears again.
    fn run(interrupted: bool) -> (Run, Ending) {
        let mut tally = Tally::new(STARTED.parse().unwrap(), "/simple");
        for at_ns in [0, SECOND_NS / 3, 2 * SECOND_NS / 3] {
            tally.arrived(at_ns);
            tally.requested(at_ns);
        }
        tally.answered(SECOND_NS, 200, 350_250, 41);
        tally.failed(SECOND_NS, "ECONNREFUSED".into());
        tally.requested(SECOND_NS);
        tally.answered(2 * SECOND_NS, 404, 9_876_543_210, 9);
        tally.requested(2 * SECOND_NS);
        tally.answered(4 * SECOND_NS, 200, 12_000_000, 41);
        tally.completed(4 * SECOND_NS, 4 * SECOND_NS);
        let ending = Ending {
            interrupted,
            took: Duration::from_millis(66_100),
            planned: 4,
            arrived: 3,
            under_way: u32::from(interrupted),
        };
        (tally.conclude(interrupted), ending)
    }

    fn console() -> Console {
        Console::new(TimeZone::UTC, false)
    }

    #[test]
    fn a_run_reads_like_the_original() {
        let (run, ending) = run(false);
        let mut text: String = run.intermediate.iter().map(|report| console().period_text(report)).collect();
        text += &console().summary_text(&run, &ending, STARTED.parse().unwrap());
        insta::assert_snapshot!(strip_str(&text).to_string());
    }

    #[test]
    fn the_json_report_has_the_originals_keys_in_its_order() {
        insta::assert_snapshot!(serde_json::to_string_pretty(&run(false).0).unwrap());
    }

    #[test]
    fn an_interrupted_run_is_marked_everywhere() {
        let (run, ending) = run(true);
        let text = console().summary_text(&run, &ending, STARTED.parse().unwrap());
        let head: String = strip_str(&text).to_string().lines().take(6).collect::<Vec<_>>().join("\n");
        insta::assert_snapshot!(head);
        assert_eq!(serde_json::to_value(&run).unwrap()["interrupted"], true);
    }

    #[test]
    fn nothing_measured_is_said() {
        assert_eq!(lines(&Report::default()), "No measurements recorded during this period\n");
    }

    #[test]
    fn a_name_too_long_is_cut_so_that_values_stay_aligned() {
        let widths = [10, 78, 79, 300].map(|n| {
            let text = line(&"x".repeat(n), 7);
            strip_str(&text).to_string().find(" 7\n")
        });
        assert_eq!(widths, [Some(80); 4]);
    }

    #[test]
    fn lengths_are_told_in_the_units_they_reach() {
        let told = |s| length(Duration::from_secs(s));
        assert_eq!([told(0), told(1), told(66)], ["0 seconds", "1 second", "1 minute, 6 seconds"]);
        assert_eq!(told(3600), "1 hour, 0 minutes, 0 seconds");
        assert_eq!(told(90_061), "25 hours, 1 minute, 1 second");
    }
}
