//! What is printed of a whole load before its tables: its plan, each part, and how long all were at work at once.

use std::{collections::BTreeSet, fmt::Write as _};

use jiff::Timestamp;
use terminal::numbers::thousands;

use super::{
    figures::{Figures, StreamFigures},
    read::Gathered,
    windows::{Overlap, Window},
};

/// What is asked of the overlap of all windows.
pub(super) const TOGETHER: f64 = 0.99;

/// The plan and its parts.
pub(super) fn parts(gathered: &Gathered, all: &[Figures], windows: &[Window]) -> String {
    let plan = &gathered.plan;
    let url = plan.plan.get("url").and_then(serde_json::Value::as_str).unwrap_or_default();
    let mut text = String::new();
    let short = plan.sha256.get(..12).unwrap_or(&plan.sha256);
    let several = if plan.parts == 1 { "" } else { "s" };
    let _ = writeln!(text, "{url}: {} part{several} of plan {short}, seed {}", plan.parts, plan.seed);
    let mut sums: Vec<StreamFigures> = Vec::new();
    for ((part, figures), window) in gathered.parts.iter().zip(all).zip(windows) {
        let offered = figures.streams.iter().map(|stream| stream.offered_per_second).sum();
        let right = figures.streams.iter().map(|stream| stream.requests_per_second).sum();
        let _ = writeln!(
            text,
            "part {} on {}: {} a second offered, {} answered rightly, {}",
            window.part,
            part.record.host.name,
            per_second(offered),
            per_second(right),
            when(window)
        );
        for stream in &figures.streams {
            match sums.iter_mut().find(|sum| sum.name == stream.name) {
                Some(sum) => {
                    sum.offered_per_second += stream.offered_per_second;
                    sum.requests_per_second += stream.requests_per_second;
                }
                None => sums.push(stream.clone()),
            }
        }
    }
    for sum in sums {
        let (offered, right) = (per_second(sum.offered_per_second), per_second(sum.requests_per_second));
        let _ = writeln!(text, "{} in all: {offered} a second offered, {right} answered rightly", sum.name);
    }
    text
}

fn per_second(rate: f64) -> String {
    if rate < 100.0 { format!("{rate:.1}") } else { thousands(rate) }
}

fn when(window: &Window) -> String {
    let start = Timestamp::from_millisecond((window.range.start_s * 1e3).round() as i64);
    let start = start.map_or_else(
        |_| "at an unknown time".to_owned(),
        |start| format!("from {}", start.strftime("%Y-%m-%d %H:%M:%S%.3f UTC")),
    );
    let bound = match window.bound_s {
        Some(0.0) => String::new(),
        Some(bound_s) => format!(" within {:.3} ms", 1e3 * bound_s),
        None => " by its own clock".to_owned(),
    };
    format!("in {:.1} s {start}{bound}", window.range.length_s())
}

/// How long all were at work at once, and how surely.
pub(super) fn together(overlap: &Overlap, windows: &[Window]) -> String {
    let text = format!(
        "at work together for {:.3} of {:.3} s ({:.1}%)",
        overlap.together_s.max(0.0),
        overlap.longest_s,
        100.0 * overlap.share()
    );
    match overlap.sure_share() {
        Some(surely) => {
            let bound_s = windows.iter().filter_map(|window| window.bound_s).fold(0.0, f64::max);
            format!(
                "{text}, surely for {:.1}%: clocks are known within {:.3} ms",
                100.0 * surely,
                1e3 * bound_s
            )
        }
        None => text,
    }
}

/// What is to be said against it.
pub(super) fn doubts(overlap: &Overlap, gathered: &Gathered, windows: &[Window]) -> Vec<String> {
    let mut doubts = Vec::new();
    if overlap.share() < TOGETHER {
        doubts.push(format!(
            "part {} began so late, or part {} ended so early, that all were at work together for {:.1}% of the longest window, and \
             {:.0}% are asked: the sum is not what the server met",
            overlap.late,
            overlap.early,
            100.0 * overlap.share(),
            100.0 * TOGETHER
        ));
    } else if overlap.sure_share().is_some_and(|surely| surely < TOGETHER) {
        doubts.push(format!(
            "the clocks are not known well enough to say that all were at work together for {:.0}% of the longest window",
            100.0 * TOGETHER
        ));
    }
    let unknown: BTreeSet<u32> =
        windows.iter().filter(|window| window.bound_s.is_none()).map(|window| window.part).collect();
    if !unknown.is_empty() {
        let named: Vec<String> = gathered
            .parts
            .iter()
            .filter(|part| unknown.contains(&part.record.part))
            .map(|part| format!("{} on {}", part.record.part, part.record.host.name))
            .collect();
        doubts.push(format!(
            "clocks were not compared for part{} {}: that all were at work together supposes that these clocks agree; see \
             --clock-against",
            if named.len() == 1 { "" } else { "s" },
            named.join(", ")
        ));
    }
    doubts
}
