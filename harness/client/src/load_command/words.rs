//! What a stream was asked for and what it met, each in a few words.

use std::fmt::Write as _;

use load::{Clocked, ErrorKind, OsErrors, Pacing, Rate, ReceivedBy, Verify};

use super::report::StreamReport;
use terminal::numbers::thousands;

/// By what answers were timed.
pub(super) fn timed(clocked: Clocked) -> String {
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

pub(super) fn load_of(stream: &StreamReport) -> String {
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
pub(super) fn per_second(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}") } else { thousands(rate) }
}

pub(super) fn statuses(stream: &StreamReport) -> String {
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

pub(super) fn errors(stream: &StreamReport) -> String {
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

pub(super) fn unfinished(stream: &StreamReport) -> String {
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
