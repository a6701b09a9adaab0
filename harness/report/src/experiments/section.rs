//! One experiment's part of a report, put together from its figures.

use std::collections::BTreeMap;

use race::{
    plan::{
        experiment::{EventKind, Experiment, ExperimentKind},
        scenario::{Pacing, Rate, Scenario, Stream},
    },
    records::folder::Contents,
};

use crate::{conclusions::instrument, model::Section, numbers::three_digits};

use super::{
    answer,
    figures::Figures,
    incomplete, owes, passes, plot,
    rows::{self, OfRow},
    table, times,
};

/// The section.
pub(crate) fn of(scenario: &Scenario, experiment: &Experiment, contents: &Contents) -> Section {
    let kind = experiment.kind;
    let rows = rows::of(scenario, experiment, contents);
    let figures = Figures::all(&rows);
    let was_measured = rows.iter().any(|of| !of.passes.is_empty());
    let own = table::of(kind, &rows, &figures);
    let beside = [times::of(kind, &rows, &figures), owes::of(kind, &rows, &figures)];
    let passes = passes::of(&rows);
    let windows: Vec<_> = rows
        .iter()
        .map(|of| (of.row.name.clone(), of.passes.iter().map(|pass| pass.measured).collect::<Vec<_>>()))
        .collect();
    let mut findings = incomplete::findings(kind, &figures);
    findings.extend(instrument::findings(&windows));
    Section {
        name: scenario.name.clone(),
        question: scenario.question.clone(),
        answer: answer::of(kind, &figures),
        load: load(scenario, experiment, &rows),
        caveats: incomplete::caveats(&rows, &contents.run.skipped),
        figures: was_measured.then_some(own),
        beside: beside.into_iter().filter(|table| was_measured || table.id == "owes").collect(),
        beneath: if passes.is_empty() { Vec::new() } else { vec![passes] },
        plots: plot::of(kind, &figures).into_iter().collect(),
        notes: incomplete::notes(&rows),
        findings,
    }
}

/// The load, on which CPUs, and what happens how often.
fn load(scenario: &Scenario, experiment: &Experiment, rows: &[OfRow<'_>]) -> Vec<String> {
    let mut lines: Vec<String> = scenario.streams.iter().map(stream).collect();
    let Experiment { kind, every, .. } = experiment;
    let mut counts: BTreeMap<EventKind, usize> = BTreeMap::new();
    for of in rows {
        for kind in of.kinds() {
            let planned = of.planned_events(kind);
            counts.entry(kind).and_modify(|most| *most = planned.max(*most)).or_insert(planned);
        }
    }
    let what: Vec<String> = match kind {
        ExperimentKind::Crash => counts.iter().map(|(kind, count)| format!("{kind} {count}")).collect(),
        ExperimentKind::Reload => counts.values().map(|count| format!("{count} reloads")).collect(),
    };
    let what = if what.is_empty() { String::new() } else { format!(" ({} a row)", what.join(", ")) };
    lines.push(format!("one row alive at a time and never frozen, an event at most every {every:?}{what}"));
    if let Some(pass) = rows.iter().flat_map(|of| &of.passes).next() {
        lines.push(format!("{}; a request may take {:?}", pass.record.cpus, scenario.timeout));
    }
    lines
}

fn stream(stream: &Stream) -> String {
    let pacing = match stream.pacing {
        Pacing::Closed => "closed loop",
        Pacing::Constant { .. } => "open loop, constant",
        Pacing::Poisson { .. } => "open loop, Poisson",
    };
    let rate = match stream.pacing.rate() {
        Some(Rate::OfOwnCapacity(part)) => format!(" at {part} of what the row itself carries"),
        Some(Rate::PerSecond(rate)) => format!(" at {}/s", three_digits(rate)),
        _ => String::new(),
    };
    format!("{}: {pacing}{rate}, {} connections", stream.name, stream.connections)
}
