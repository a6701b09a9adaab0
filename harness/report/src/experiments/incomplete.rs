//! What is missing of an experiment, and what went otherwise than it should.

use std::{cmp::Reverse, collections::BTreeMap};

use race::{plan::experiment::ExperimentKind, programs::prerequisites::Skipped, records::window::Verdict};
use terminal::numbers::thousands;

use crate::model::Said;

use super::{
    figures::Figures,
    rows::OfRow,
    words::{events, names},
};

/// So many things that went otherwise than they should are said of a row.
const NAMED: usize = 3;

/// What must be known before the tables are read: which rows were not measured, or not to the end.
pub(super) fn caveats(rows: &[OfRow<'_>], skipped: &[Skipped]) -> Vec<String> {
    let of_skipped = |skipped: &Skipped| format!("{} was skipped: no {}.", skipped.row, skipped.missing);
    let mut caveats: Vec<String> = skipped.iter().map(of_skipped).collect();
    if rows.iter().all(|of| of.passes.is_empty()) {
        caveats.push("Nothing was measured.".to_owned());
    }
    let mut missing: Vec<&str> = Vec::new();
    for of in rows.iter().filter(|of| of.asked.is_ok()) {
        let name = &of.row.name;
        for (start, why) in &of.void {
            caveats.push(format!("{name}: nothing of {} counts: {why}.", pass_of(of, *start)));
        }
        let cut_short = of.passes.iter().filter_map(|pass| Some((pass, pass.record.cut_short.as_ref()?)));
        for (pass, why) in cut_short {
            let (record, which) = (pass.record, pass_of(of, pass.record.of.start));
            let (seen, planned) = (record.events, record.planned);
            caveats.push(format!("{name}: {which} has {seen} of {planned} events: {why}."));
        }
        let there = of.passes.len() + of.void.len();
        match (of.planned as usize, of.cut_off) {
            (planned, _) if there >= planned => {}
            (1, 0) => missing.push(name.as_str()),
            (1, _) => {
                caveats.push(format!("{name}: its pass was begun and not finished: nothing of it counts."));
            }
            (planned, _) => caveats.push(format!("{name}: {there} of {planned} passes were finished.")),
        }
    }
    if !missing.is_empty() {
        let were = if missing.len() == 1 { "was" } else { "were" };
        caveats.push(format!("{} {were} not measured.", names(&missing)));
    }
    caveats
}

/// `its pass`, or which of several.
fn pass_of(of: &OfRow<'_>, start: usize) -> String {
    if of.planned == 1 { "its pass".to_owned() } else { format!("pass {}", start + 1) }
}

/// What must be known of single rows.
pub(super) fn notes(rows: &[OfRow<'_>]) -> Vec<String> {
    rows.iter().filter_map(of_row).collect()
}

fn of_row(of: &OfRow<'_>) -> Option<String> {
    let mut said = Vec::new();
    let is_bound = |verdict: &Verdict| matches!(verdict, Verdict::Valid { generator_bound: true });
    if of.passes.iter().any(|pass| is_bound(&pass.record.verdict)) {
        said.push("the generator was busy: it, and not the row, may have been late".to_owned());
    }
    let mut problems: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for event in of.passes.iter().flat_map(|pass| pass.events) {
        if let Some(problem) = &event.problem {
            problems.entry(problem).or_default().push(event.number + 1);
        }
    }
    // Those that befell most events first, and of these the first.
    let mut problems: Vec<(&str, Vec<usize>)> = problems.into_iter().collect();
    problems.sort_by_key(|(_, numbers)| (Reverse(numbers.len()), numbers.first().copied()));
    let left: usize = problems.iter().skip(NAMED).map(|(_, numbers)| numbers.len()).sum();
    said.extend(problems.into_iter().take(NAMED).map(|(problem, numbers)| match numbers.as_slice() {
        [first, _, ..] => format!("{} events, the first of them event {first}: {problem}", numbers.len()),
        numbers => format!("event {}: {problem}", numbers.first().copied().unwrap_or_default()),
    }));
    if left > 0 {
        said.push(format!("{left} more did not go as they should"));
    }
    said.extend(of.passes.iter().filter_map(|pass| pass.record.unclean_end.clone()));
    (!said.is_empty()).then(|| format!("{}: {}", of.row.name, said.join("; ")))
}

/// What is true of the rows beside their figures, a sentence each.
pub(super) fn findings(kind: ExperimentKind, figures: &[Figures<'_>]) -> Vec<Said> {
    let seen = figures.iter().filter(|figures| !figures.events.is_empty());
    seen.flat_map(|figures| {
        let name = match kind {
            ExperimentKind::Crash => format!("{}, {}", figures.of.row.name, figures.kind),
            ExperimentKind::Reload => figures.of.row.name.clone(),
        };
        let all = events(figures.events.len(), kind);
        let per_event = worst_event(figures).map(|(number, failed)| {
            format!(
                "{name}: requests failed in {} of {all}, {} in one of them at most (event {}).",
                figures.events_with_failures,
                thousands(failed as f64),
                number + 1,
            )
        });
        let connects = (figures.connects_failed > 0).then(|| {
            format!(
                "{name}: {} attempts to connect failed; what was due meanwhile waited, and is in the response times.",
                figures.connects_failed
            )
        });
        per_event.into_iter().chain(connects).map(Said::from)
    })
    .collect()
}

/// The event in which most requests failed, where any did in any of several.
fn worst_event(figures: &Figures<'_>) -> Option<(usize, u64)> {
    let failed = figures.events.iter().map(|event| (event.number, event.requests_failed()));
    // The first of those that are alike.
    failed.rev().max_by_key(|(_, failed)| *failed).filter(|(_, failed)| *failed > 0)
}
