//! What `harness merge` prints: the logs, and a table for each tag.

use std::fmt::Write as _;

use comfy_table::{CellAlignment, Table, presets::ASCII_MARKDOWN};
use jiff::Timestamp;
use stats::{
    Censored, PercentileInterval,
    hdr_log::{HdrLog, RESPONSE, TimeRange, UNANSWERED},
    percentile_interval::Z_99,
};

use super::input::Input;

const PERCENTILES: [(&str, f64); 4] = [("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)];

/// Each log with its time, and what it says about itself.
pub(super) fn inputs(inputs: &[Input]) -> String {
    let mut text = String::new();
    for input in inputs {
        let values: u64 = input.log.tagged().map(|(_, histogram)| histogram.len()).sum();
        let tags = input.log.tagged().count();
        let when = input.log.range().map_or_else(|| "at an unknown time".to_owned(), time);
        let _ = writeln!(text, "{}: {values} values under {} {when}", input.name, counted(tags, "tag"));
        input.log.comments().iter().for_each(|comment| text.push_str(&format!("  # {comment}\n")));
    }
    text
}

/// A table for each tag: its percentiles with their intervals. Ages of unanswered requests have none of their own; they
/// are in the response times that they belong to.
pub(super) fn tags(log: &HdrLog) -> String {
    let mut text = String::new();
    for (tag, histogram) in log.tagged() {
        let (stream, kind) = tag.rsplit_once('.').unwrap_or((tag, ""));
        let is_alone = || log.histogram(&HdrLog::tag(stream, RESPONSE)).is_none();
        let shown = match kind {
            RESPONSE => log.response_times(stream).map(|times| (tag.to_owned(), times)),
            UNANSWERED if is_alone() => {
                log.response_times(stream).map(|times| (HdrLog::tag(stream, RESPONSE), times))
            }
            UNANSWERED => None,
            _ => Some((tag.to_owned(), Censored::from_parts(histogram.clone(), Default::default()))),
        };
        if let Some((tag, times)) = shown {
            text.push_str(&one(&tag, &times));
        }
    }
    if log.tagged().any(|(_, histogram)| !histogram.is_empty()) {
        text.push_str(
            "\nIntervals suppose that requests are independent of each other. Those that meet in a queue are not, and\n\
             are known less surely than that.\n",
        );
    }
    text
}

fn one(tag: &str, times: &Censored) -> String {
    let name = if tag.is_empty() { "(no tag)" } else { tag };
    let mut text = format!("\n{name}: {}", counted(times.len() as usize, "value"));
    if times.censored() > 0 {
        let _ = write!(text, ", of which {} never answered", times.censored());
    }
    text.push('\n');
    if times.is_empty() {
        return text;
    }
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_header(["percentile", "value", "99% interval"]);
    for (percentile, q) in PERCENTILES {
        let value = times.quantile(q).map(|quantile| format!("{quantile:.2}")).unwrap_or_default();
        let interval = PercentileInterval::new(times, q, Z_99, 1.0);
        table.add_row([
            percentile.to_owned(),
            value,
            interval.map(|i| format!("{i:.2}")).unwrap_or_default(),
        ]);
    }
    let max = times.quantile(1.0).map(|quantile| format!("{quantile:.2}")).unwrap_or_default();
    table.add_row(["max".to_owned(), max, String::new()]);
    table.column_iter_mut().skip(1).for_each(|column| column.set_cell_alignment(CellAlignment::Right));
    text.push_str(&format!("{table}\n"));
    text
}

fn time(range: TimeRange) -> String {
    let length_s = range.length_s();
    match Timestamp::from_millisecond((range.start_s * 1e3).round() as i64) {
        Ok(start) => format!("in {length_s:.1} s from {}", start.strftime("%Y-%m-%d %H:%M:%S UTC")),
        Err(_) => format!("in {length_s:.1} s at an unknown time"),
    }
}

/// `1 tag`, `2 tags`.
fn counted(n: usize, what: &str) -> String {
    format!("{n} {what}{}", if n == 1 { "" } else { "s" })
}
