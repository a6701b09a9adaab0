//! The table of percentiles in a summary.

use comfy_table::{CellAlignment, Table, presets::NOTHING};

use super::{
    latency::{IntervalUs, LatencyUs},
    report::StreamReport,
    self_checks::time,
};
use terminal::numbers::thousands;

/// Response and service time side by side; one of them where due and sent are one instant.
pub(super) fn percentiles(response: &LatencyUs, stream: &StreamReport) -> String {
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
