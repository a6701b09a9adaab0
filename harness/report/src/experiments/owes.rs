//! What each row owes for each fault: what was seen of it, what it lost, and who put it right.

use race::{
    plan::experiment::{EventKind, ExperimentKind},
    records::experiment::RestartedBy,
};
use stats::Quantile;

use crate::{
    conclusions::named::listed,
    counts::middle::of_quantiles,
    model::{Cell, Column, Group, Table},
};

use super::{
    figures::{Figures, is_ended},
    rows::OfRow,
    table::groups_of,
    words::{by_kind, requests, time_of},
};

/// What becomes of a row's process in all of its events of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Outcome {
    /// Nothing ended.
    LivesOn,
    /// What ended was replaced by the server itself.
    Replaced,
    /// What ended was the whole, and the harness started it again.
    StartedAgain,
    /// Nobody put it right.
    Gone,
    /// Now one, now another.
    Differs,
}

impl Outcome {
    /// `None` where nothing happened.
    pub(super) fn of(figures: &Figures<'_>) -> Option<Self> {
        let all = figures.events.len();
        let by = |by| figures.restarted_by(by) == all;
        let ended = figures.count(is_ended);
        match () {
            () if all == 0 => None,
            () if ended == 0 => Some(Self::LivesOn),
            () if by(RestartedBy::Server) => Some(Self::Replaced),
            () if by(RestartedBy::Harness) => Some(Self::StartedAgain),
            () if by(RestartedBy::Nobody) => Some(Self::Gone),
            () => Some(Self::Differs),
        }
    }
}

/// A line for each row and each kind of event that it was to meet, and one for each row that could meet none.
pub(super) fn of(kind: ExperimentKind, rows: &[OfRow<'_>], figures: &[Figures<'_>]) -> Table {
    let lines = |of: &OfRow<'_>| -> Vec<Vec<Cell>> {
        let name = Cell::text(&of.row.name);
        match &of.asked {
            Err(reason) => vec![vec![name, Cell::none(), Cell::text(reason), Cell::none()]],
            Ok(_) => {
                let own = figures.iter().filter(|figures| figures.of.row.name == of.row.name);
                let cells = |figures: &Figures<'_>| {
                    let fault = Cell::text(figures.kind.to_string());
                    vec![name.clone(), fault, Cell::text(seen(figures)), Cell::text(lost(figures))]
                };
                own.map(cells).collect()
            }
        }
    };
    let groups: Vec<Group> = groups_of(rows, lines);
    let (event, caption) = match kind {
        ExperimentKind::Crash => (
            "fault",
            "What each row owes for each fault: what was seen, and what clients lost. A row meets the faults that can be brought about in \
             it. Where nobody restarted a process that ended, the harness did, as an init system would.",
        ),
        ExperimentKind::Reload => {
            ("event", "What each row does when it is told to reload: what was seen, and what clients lost.")
        }
    };
    Table {
        id: "owes".to_owned(),
        caption: caption.to_owned(),
        columns: vec![
            Column::text("row", "row"),
            Column::text(event, event),
            Column::text("seen", "seen"),
            Column::text("lost", "lost"),
        ],
        groups,
        ..Table::default()
    }
}

/// What was seen: `ended; replaced by the server after 25 ms`.
fn seen(figures: &Figures<'_>) -> String {
    let all = figures.events.len();
    if all == 0 {
        return "not measured".to_owned();
    }
    if figures.kind == EventKind::Reload {
        return reloaded(figures);
    }
    match Outcome::of(figures) {
        None | Some(Outcome::LivesOn) => format!("{}; the process lives on", answers(figures)),
        Some(Outcome::Replaced) => format!("ended; replaced by the server{}", after(&figures.replaced)),
        Some(Outcome::StartedAgain) => "ended; nobody restarted it, the harness did".to_owned(),
        Some(Outcome::Gone) => "ended; nobody restarted it".to_owned(),
        Some(Outcome::Differs) => differs(figures),
    }
}

/// What whoever asked for the fault was answered.
fn answers(figures: &Figures<'_>) -> String {
    let mut answers: Vec<&str> = figures.events.iter().filter_map(|event| event.answer.as_deref()).collect();
    answers.sort_unstable();
    answers.dedup();
    match answers.as_slice() {
        [] => "nothing ended".to_owned(),
        several => format!("answered {}", listed(several, "or")),
    }
}

fn after(times: &[Quantile]) -> String {
    of_quantiles(times).map_or_else(String::new, |middle| format!(" after {}", time_of(middle.median)))
}

fn differs(figures: &Figures<'_>) -> String {
    let counts = [
        (figures.restarted_by(RestartedBy::Server), "replaced by the server"),
        (figures.restarted_by(RestartedBy::Harness), "started by the harness"),
        (figures.restarted_by(RestartedBy::Nobody), "by nobody"),
        (figures.count(|event| !is_ended(event)), "lived on"),
    ];
    let said = counts.into_iter().filter(|(count, _)| *count > 0);
    let said: Vec<String> = said.map(|(count, what)| format!("{what} {count} times")).collect();
    format!("{} of {}", said.join(", "), figures.events.len())
}

fn reloaded(figures: &Figures<'_>) -> String {
    let open = figures.count(|event| event.done_ns.is_none());
    match open {
        0 => format!("all replaced{}", after(&figures.done)),
        open => format!("not done in {open} of {}", figures.events.len()),
    }
}

/// What clients lost: `nothing`, or how many requests and how.
fn lost(figures: &Figures<'_>) -> String {
    match (figures.events.len(), figures.failed, figures.reset) {
        (0, ..) => "-".to_owned(),
        (_, 0, 0) => "nothing".to_owned(),
        (_, 0, reset) => format!("no request; {reset} resets"),
        (_, failed, _) => format!("{}: {}", requests(failed), by_kind(&figures.failed_by_kind)),
    }
}
