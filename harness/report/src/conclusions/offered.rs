//! The load of a scenario as it was, and on which CPUs.

use std::time::Duration;

use race::{
    plan::{
        ladder::Ladder,
        scenario::{Pacing, Rate, Scenario, Stream},
    },
    records::{folder::Contents, window::StreamRecord},
    registry::{OperationName, Row},
};
use terminal::numbers::thousands;

use crate::numbers::three_digits;

/// In lines; none where nothing was measured.
pub(crate) fn describe(scenario: &Scenario, contents: &Contents) -> Vec<String> {
    let windows = contents.measurements.complete.iter().flat_map(|start| &start.windows);
    // Of a ladder the load itself, or where it has none the lowest step.
    let step = scenario.ladder.as_ref().and_then(Ladder::own_step).unwrap_or(0);
    let is_own = |round: usize| scenario.step_of(round) == step;
    let mut own = windows.filter(|window| window.scenario == scenario.name && is_own(window.round));
    let Some((window, measured)) = own.find_map(|window| Some((window, window.measured.as_ref()?))) else {
        return Vec::new();
    };
    let streams = scenario.streams.iter().zip(&measured.streams);
    let mut lines: Vec<String> =
        streams.map(|(stream, record)| describe_stream(stream, record, contents)).collect();
    lines.push(format!(
        "{}; {} rounds a start, windows of {:?} after {:?} of the same load",
        window.cpus,
        scenario.all_rounds(),
        scenario.window,
        scenario.warm_up
    ));
    lines.extend(ladder(scenario));
    lines.extend(scenario.expected.as_ref().map(|expected| format!("expected, and no result: {expected}")));
    let longer = |row: &&Row| scenario.suits(row) && row.warm_up > Duration::ZERO;
    for row in contents.run.plan.rows.iter().filter(longer) {
        lines.push(format!("{} is warmed up for {:?} once a start", row.name, row.warm_up));
    }
    lines
}

/// What else is offered; nothing without a ladder.
fn ladder(scenario: &Scenario) -> Option<String> {
    match scenario.ladder.as_ref()? {
        Ladder::Times(times) => {
            let mut steps: Vec<String> = times.iter().map(f64::to_string).collect();
            steps.dedup();
            Some(format!("a ladder of {} times this load, its rounds in random order", steps.join(", ")))
        }
        Ladder::ToFastestCapacity { part, steps } => Some(format!(
            "a ladder of {steps} rates in equal ratios, from this load up to {part} of what the fastest row carried in a closed loop, its \
             rounds in random order"
        )),
    }
}

fn describe_stream(stream: &Stream, record: &StreamRecord, contents: &Contents) -> String {
    let offered =
        record.offered_per_second.map_or_else(String::new, |rate| format!(" {}/s", three_digits(rate)));
    let pacing = match stream.pacing {
        Pacing::Closed => "closed loop".to_owned(),
        Pacing::Constant { .. } => format!("open loop, constant{offered}"),
        Pacing::Poisson { .. } => format!("open loop, Poisson{offered}"),
    };
    let why = match stream.pacing.rate() {
        Some(Rate::OfSlowestCapacity(part)) => {
            let controlled = if contents.run.calibration.tells_tiers_apart() { "controlled " } else { "" };
            format!(" ({part} of the slowest {controlled}row's capacity)")
        }
        Some(Rate::ToReachLoad(load)) => format!(" (which makes the load of the server's CPUs {load})"),
        _ => String::new(),
    };
    let calibration = &contents.run.calibration;
    let (ns, unit) = match stream.operation {
        OperationName::Randoms => (calibration.randoms_ns_per_draw, "draws"),
        OperationName::Delay => (None, ""),
        OperationName::Simple | OperationName::Complex => {
            (calibration.complex_ns_per_iteration, "iterations")
        }
    };
    let operation = match (stream.service_time, ns) {
        (Some(time), Some(ns)) => {
            format!(" of {} {unit}, about {time:?}", thousands(time.as_nanos() as f64 / ns))
        }
        (Some(time), None) if stream.operation == OperationName::Delay => format!(" of {time:?}"),
        _ => String::new(),
    };
    let particulars = stream.particulars();
    format!("{}{operation}: {pacing}{why}, {} connections{particulars}", stream.name, stream.connections)
}
