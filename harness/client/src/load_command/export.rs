//! The histograms of a run as HdrHistogram's log, for tools that plot or merge distributions.

use load::Outcome;
use stats::hdr_log::{self, HdrLog, TimeRange};

use super::report::Report;

/// The log of a run. The tags of a stream are its name and `response`, `unanswered` (together the response time),
/// `service`, and for open loops `lag`.
pub(super) fn log_of(report: &Report, outcome: &Outcome, window: Option<TimeRange>) -> HdrLog {
    let mut log = HdrLog::new(window);
    log.comment(&format!("{}, seed {}", report.command, report.seed));
    if report.interrupted {
        log.comment("interrupted: partial results");
    }
    for stream in &outcome.streams {
        log.add(&HdrLog::tag(&stream.name, hdr_log::RESPONSE), &stream.response);
        log.add(&HdrLog::tag(&stream.name, hdr_log::UNANSWERED), &stream.unanswered);
        log.add(&HdrLog::tag(&stream.name, "service"), &stream.service);
        if stream.pacing.is_open() {
            log.add(&HdrLog::tag(&stream.name, "lag"), &stream.lag);
        }
    }
    log
}
