//! A row's latencies under a scenario in HdrHistogram's log format, as other tools plot them: an interval a start and stream.

use race::{plan::scenario::Scenario, records::window::WindowRecord};
use stats::{
    Censored, Sparse,
    hdr_log::{HdrLog, RESPONSE, TimeRange, UNANSWERED},
};

use crate::counts::kept::{Line, Start, Which};

/// The log of a row's windows that count; `None` where none does. The tags are those of `harness load --export-hdr`: what was never
/// answered has one of its own, so that merging keeps "longer than".
pub(crate) fn log(scenario: &Scenario, line: &Line<'_>) -> Option<Vec<u8>> {
    let of_start = |start: &Start<'_>| start_log(scenario, start);
    let mut logs: Vec<HdrLog> = line.starts.iter().filter_map(of_start).collect();
    let windows = line.windows().count();
    let starts = logs.len();
    logs.first_mut()?.comment(&format!(
        "{} under {}: the {windows} windows that count, of {starts} starts; an interval is from the first window of a start to its last",
        line.label(),
        scenario.name
    ));
    let mut text = Vec::new();
    // Memory takes everything.
    HdrLog::write_intervals(&logs, &mut text).ok()?;
    Some(text)
}

/// One start's part of it.
fn start_log(scenario: &Scenario, start: &Start<'_>) -> Option<HdrLog> {
    let windows: Vec<_> = start.windows(Which::Gated).iter().flatten().collect();
    if windows.is_empty() {
        return None;
    }
    let mut log = HdrLog::new(whole(windows.iter().map(|window| window.record)));
    for stream in &scenario.streams {
        let mut times = Censored::<Sparse>::default();
        let of_stream = windows.iter().filter_map(|window| window.measured.stream(&stream.name));
        of_stream.for_each(|stream| times.merge(&stream.response_times()));
        log.add(&HdrLog::tag(&stream.name, RESPONSE), &times.answered().histogram());
        log.add(&HdrLog::tag(&stream.name, UNANSWERED), &times.given_up().histogram());
    }
    Some(log)
}

/// From the beginning of the first to the end of the last; `None` where one does not tell.
fn whole<'a>(windows: impl Iterator<Item = &'a WindowRecord>) -> Option<TimeRange> {
    let ranges: Vec<TimeRange> = windows.map(WindowRecord::range).collect::<Option<_>>()?;
    ranges
        .into_iter()
        .reduce(|a, b| TimeRange { start_s: a.start_s.min(b.start_s), end_s: a.end_s.max(b.end_s) })
}
