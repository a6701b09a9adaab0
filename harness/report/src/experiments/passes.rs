//! Each row's load and what came of it over whole passes, and what its primary process took.

use race::records::window::StreamRecord;
use terminal::numbers::thousands;

use crate::{
    model::{Cell, Column, Table},
    numbers::three_digits,
};

use super::{
    rows::{OfRow, Pass},
    table::groups_of,
    words::percent,
};

/// A line for each pass that counts.
pub(super) fn of(rows: &[OfRow<'_>]) -> Table {
    let has_several = rows.iter().any(|of| of.planned > 1);
    let lines = |of: &OfRow<'_>| -> Vec<Vec<Cell>> {
        of.passes.iter().map(|pass| line(of, pass, has_several)).collect()
    };
    let mut columns = vec![Column::text("row", "row")];
    if has_several {
        columns.push(Column::number("pass", "pass"));
    }
    columns.extend([
        Column::number("capacity/s", "capacity_per_second"),
        Column::number("offered/s", "offered_per_second"),
        Column::number("requests", "requests"),
        Column::number("failed", "failed"),
        Column::number("failed outside of events", "failed_outside_of_events").optional(),
        Column::number("failed connects", "connects_failed").optional(),
        Column::number("closed idle", "closed_idle").optional(),
        Column::number("workers", "workers").optional(),
        Column::number("primary's CPU", "primary_cpu_share"),
        Column::number("primary's RSS, MiB", "primary_rss_kib"),
    ]);
    Table {
        id: "passes".to_owned(),
        caption: "Each row's load, what failed in the whole pass, and what its primary process took: the share of a CPU over the pass by its \
                  own clock, and the largest that its resident set ever was. Offered is a part of what the row carried in a closed loop just \
                  before. Closed idle: connections that were closed while nothing was asked on them, which costs no request."
            .to_owned(),
        columns,
        groups: groups_of(rows, lines),
        ..Table::default()
    }
}

fn line(of: &OfRow<'_>, pass: &Pass<'_>, has_several: bool) -> Vec<Cell> {
    let Pass { record, measured, events } = pass;
    let count = |count: u64| Cell::number(thousands(count as f64), count as f64);
    let rate = |rate: Option<f64>| rate.map_or_else(Cell::none, |rate| Cell::number(thousands(rate), rate));
    let mut cells = vec![Cell::text(&of.row.name)];
    if has_several {
        cells.push(count(record.of.start as u64 + 1));
    }
    let in_events: u64 = events.iter().map(|event| event.requests_failed()).sum();
    let offered: f64 = measured.streams.iter().filter_map(|stream| stream.offered_per_second).sum();
    let connect = |stream: &StreamRecord| stream.errors.get("connect").copied();
    cells.extend([
        rate(record.capacity_per_second),
        rate((offered > 0.0).then_some(offered)),
        count(pass.due()),
        count(pass.failed()),
        count(pass.failed().saturating_sub(in_events)),
        count(measured.streams.iter().filter_map(connect).sum()),
        count(record.closed_idle),
        record.workers.map_or_else(Cell::none, |workers| count(workers as u64)),
    ]);
    cells.extend(match &record.primary {
        None => [Cell::none(), Cell::none()],
        Some(primary) => {
            let (share, kib) = (primary.cpu_share(), primary.peak_rss_kib as f64);
            [Cell::number(percent(share), share), Cell::number(three_digits(kib / 1024.0), kib)]
        }
    });
    cells
}
