//! What an experiment says in a sentence or two, made from its figures and from nothing else.

use race::plan::experiment::{EventKind, ExperimentKind};

use crate::conclusions::named::listed;

use super::{
    figures::Figures,
    owes::Outcome,
    words::{capitalised, events, failed_of, median_and_worst, names, subject},
};

/// So many rows are spoken of by themselves.
const NAMED: usize = 3;

/// The sentences.
pub(super) fn of(kind: ExperimentKind, figures: &[Figures<'_>]) -> String {
    let seen: Vec<&Figures<'_>> = figures.iter().filter(|figures| !figures.events.is_empty()).collect();
    if seen.is_empty() {
        return "Nothing can be said: nothing happened to any row.".to_owned();
    }
    let of_kind = |kind: EventKind| -> Vec<&Figures<'_>> {
        seen.iter().copied().filter(|figures| figures.kind == kind).collect()
    };
    match kind {
        ExperimentKind::Reload => sentence("Reload", kind, &of_kind(EventKind::Reload)),
        ExperimentKind::Crash => {
            let killed = of_kind(EventKind::Kill);
            let first = (!killed.is_empty()).then(|| sentence(subject(EventKind::Kill), kind, &killed));
            first.into_iter().chain(faults(&of_kind)).collect::<Vec<_>>().join(" ")
        }
    }
}

/// What became of a few rows, each by itself.
fn sentence(head: &str, kind: ExperimentKind, rows: &[&Figures<'_>]) -> String {
    let mut clauses: Vec<String> = rows.iter().take(NAMED).map(|figures| clause(kind, figures)).collect();
    match rows.len().saturating_sub(NAMED) {
        0 => {}
        1 => clauses.push("one more row is in the table".to_owned()),
        more => clauses.push(format!("{more} more rows are in the table")),
    }
    format!("{head}: {}.", clauses.join("; "))
}

/// `fork-per-core failed 12 of 1,020,000 requests (0.0012%) in 50 crashes, and a new process answered after 23 ms (median; worst 61 ms)`.
fn clause(kind: ExperimentKind, figures: &Figures<'_>) -> String {
    let failed = failed_of(figures.failed, figures.requests);
    let in_all = events(figures.events.len(), kind);
    let then = match kind {
        ExperimentKind::Reload => match figures.count(|event| event.done_ns.is_some()) {
            0 => Some(format!("none of them done within {:?}", figures.of.deadline)),
            _ => median_and_worst(&figures.done).map(|times| format!("each done after {times}")),
        },
        ExperimentKind::Crash => {
            let answered = median_and_worst(&figures.replaced)
                .map(|times| format!("and a new process answered after {times}"));
            let rate =
                || median_and_worst(&figures.rate_back).map(|times| format!("its rate back after {times}"));
            match Outcome::of(figures) {
                Some(Outcome::StartedAgain) => Some("and nobody but the harness restarted it".to_owned()),
                Some(Outcome::Gone) => Some("and nobody restarted it".to_owned()),
                _ => answered.or_else(rate),
            }
        }
    };
    let then = then.map_or_else(String::new, |then| format!(", {then}"));
    format!("{} failed {failed} in {in_all}{then}", figures.of.row.name)
}

/// What becomes of rows that are told to fail: kinds of which the same is to be said share a sentence.
fn faults<'a, 'b: 'a>(of_kind: &impl Fn(EventKind) -> Vec<&'a Figures<'b>>) -> Vec<String> {
    let mut said: Vec<(Vec<EventKind>, String)> = Vec::new();
    for kind in [EventKind::Panic, EventKind::Abort, EventKind::Overflow] {
        let what = outcomes(&of_kind(kind));
        match said.last_mut().filter(|(_, before)| *before == what) {
            _ if what.is_empty() => {}
            Some((kinds, _)) => kinds.push(kind),
            None => said.push((vec![kind], what)),
        }
    }
    let sentence = |(kinds, what): (Vec<EventKind>, String)| {
        let subjects: Vec<&str> = kinds.into_iter().map(subject).collect();
        format!("{}: {what}.", capitalised(&listed(&subjects, "or")))
    };
    said.into_iter().map(sentence).collect()
}

/// Which rows live on, which replace what ended, and which end as a whole.
fn outcomes(rows: &[&Figures<'_>]) -> String {
    let all = [
        (Outcome::LivesOn, "lost no process"),
        (Outcome::Replaced, "replaced what ended"),
        (Outcome::StartedAgain, "ended as a whole, and nobody but the harness restarted them"),
        (Outcome::Gone, "ended, and nobody restarted them"),
        (Outcome::Differs, "did now one thing, now another"),
    ];
    let of_outcome = |(outcome, what): (Outcome, &str)| {
        let of: Vec<&str> = rows
            .iter()
            .filter(|figures| Outcome::of(figures) == Some(outcome))
            .map(|figures| figures.of.row.name.as_str())
            .collect();
        let what = if of.len() == 1 { what.replace("them", "it") } else { what.to_owned() };
        (!of.is_empty()).then(|| format!("{} {what}", names(&of)))
    };
    all.into_iter().filter_map(of_outcome).collect::<Vec<_>>().join("; ")
}
