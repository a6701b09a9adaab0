//! What failed in a row's events: a line for each row and kind of event.

use race::{plan::experiment::ExperimentKind, registry::Tier};
use stats::{proportion, proportion::Proportion};
use terminal::numbers::thousands;

use crate::model::{Cell, Column, Exact, Group, Table};

use super::{
    figures::Figures,
    rows::OfRow,
    words::{by_kind, percent},
};

/// The table; the rows that no event can happen to have a line that says so elsewhere.
pub(super) fn of(kind: ExperimentKind, rows: &[OfRow<'_>], figures: &[Figures<'_>]) -> Table {
    let is_crash = kind == ExperimentKind::Crash;
    let mut columns = heads(is_crash);
    columns.extend([
        Column::number("events", "events"),
        Column::number("requests", "requests"),
        Column::number("failed", "failed"),
        Column::number("share", "failed_share"),
        Column::text("how", "failed_by_kind"),
        Column::number("events with failures", "events_with_failures_share").optional(),
        Column::number("resets", "resets"),
    ]);
    Table {
        id: "events".to_owned(),
        caption: format!(
            "What failed. Requests: {}; failed: those that were not answered rightly, with the share of all, or of none the share that it is \
             below at 95%; events with failures: with the exact interval of their share (95%); resets: connections, idle ones among them. \
             Rows are not ranked: each is loaded at a part of what it can carry itself.",
            match is_crash {
                true =>
                    "those due from such an event to the next, or all of its pass where a row meets one fault alone",
                false => "all of the row's pass",
            }
        ),
        columns,
        groups: lines_of(rows, figures, |figures| {
            let mut cells = names(figures, is_crash);
            cells.extend(line(figures));
            cells
        }),
        ..Table::default()
    }
}

fn line(figures: &Figures<'_>) -> Vec<Cell> {
    let count = |count: u64| match figures.events.is_empty() {
        true => Cell::none(),
        false => Cell::number(thousands(count as f64), count as f64),
    };
    let how = by_kind(&figures.failed_by_kind);
    vec![
        events_cell(figures),
        count(figures.requests),
        count(figures.failed),
        failed_share_cell(figures),
        if how.is_empty() { Cell::none() } else { Cell::text(how) },
        share_cell(figures.events_with_failures, figures.events.len() as u64),
        count(figures.reset),
    ]
}

/// The columns that say what a line is about.
pub(super) fn heads(is_crash: bool) -> Vec<Column> {
    let fault = is_crash.then(|| Column::text("fault", "fault"));
    std::iter::once(Column::text("row", "row")).chain(fault).collect()
}

/// Their cells.
pub(super) fn names(figures: &Figures<'_>, is_crash: bool) -> Vec<Cell> {
    let fault = is_crash.then(|| Cell::text(figures.kind.to_string()));
    std::iter::once(Cell::text(&figures.of.row.name)).chain(fault).collect()
}

/// A line for each of the figures, tier by tier.
pub(super) fn lines_of(
    rows: &[OfRow<'_>],
    figures: &[Figures<'_>],
    line: impl Fn(&Figures<'_>) -> Vec<Cell>,
) -> Vec<Group> {
    groups_of(rows, |of| {
        let own = figures.iter().filter(|figures| figures.of.row.name == of.row.name);
        own.map(&line).collect()
    })
}

/// Of the requests, how many parts failed; a bound where none did.
fn failed_share_cell(figures: &Figures<'_>) -> Cell {
    match (figures.failed, figures.requests) {
        (_, 0) => Cell::none(),
        (0, all) => {
            let below = proportion::below_where_none_was_seen(all);
            Cell {
                exact: Some(Exact::between(0.0, 0.0, below)),
                ..Cell::text(format!("< {}", percent(below)))
            }
        }
        (failed, all) => {
            let share = failed as f64 / all as f64;
            Cell::number(percent(share), share)
        }
    }
}

/// `50`, or `31 of 50` where others were to come.
fn events_cell(figures: &Figures<'_>) -> Cell {
    let (seen, planned) = (figures.events.len(), figures.of.planned_events(figures.kind));
    let text = if seen == planned { thousands(seen as f64) } else { format!("{seen} of {planned}") };
    Cell::number(text, seen as f64)
}

/// A share of events with its exact interval; of none, below which share it is.
fn share_cell(cases: u64, all: u64) -> Cell {
    let Some(Proportion { share, low, high }) = proportion::exact(cases, all) else { return Cell::none() };
    if cases == 0 {
        let below = proportion::below_where_none_was_seen(all);
        return Cell {
            text: "0".to_owned(),
            interval: Some(format!("[below {}]", percent(below))),
            exact: Some(Exact::between(0.0, 0.0, below)),
        };
    }
    Cell {
        text: thousands(cases as f64),
        interval: Some(format!("[{}, {}]", percent(low), percent(high))),
        exact: Some(Exact::between(share, low, high)),
    }
}

/// A group for each tier that has a line.
pub(super) fn groups_of<'a>(rows: &[OfRow<'a>], lines: impl Fn(&OfRow<'a>) -> Vec<Vec<Cell>>) -> Vec<Group> {
    let of_tier = |tier: Tier| Group {
        heading: Some(tier.to_string()),
        rows: rows.iter().filter(|of| of.row.tier == tier).flat_map(&lines).collect(),
    };
    Tier::ALL.into_iter().map(of_tier).filter(|group| !group.rows.is_empty()).collect()
}
