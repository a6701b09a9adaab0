//! The times of one stream, by percentile.

use race::{
    plan::scenario::{Pacing, Stream},
    records::window::StreamRecord,
};

use crate::{
    conclusions::field::Field,
    counts::{
        entered::percentile_value,
        kept::Line,
        times::{MERGED_FROM, key_of, name_of},
    },
    model::{Cell, Column, Table},
    numbers::Unit,
    tables::support,
};

/// What a closed loop's times are not.
const CLOSED_LOOP: &str = "in a closed loop: times are those of a client that waits for an answer before it asks again, and so \
     asks less while answers are slow";

/// The table of the stream at `at`.
pub(crate) fn of(field: &Field<'_>, at: usize) -> Table {
    let stream = &field.scenario.streams[at];
    let is_closed = stream.pacing == Pacing::Closed;
    let unit = field.unit_of(at);
    let percentiles: &[f64] = if is_closed { &[0.5, 0.99] } else { &[0.5, 0.9, 0.95, 0.99, 0.999] };
    let mut columns = vec![Column::text("row", "row")];
    columns.extend(
        percentiles.iter().map(|&q| Column::number(format!("{}, {}", name_of(q), unit.name()), key_of(q))),
    );
    if !is_closed {
        columns.push(Column::number("answered", "answered_percent").optional());
    }
    let all: Vec<usize> = (0..field.rows.len()).collect();
    let groups = field.groups(&all, |row| {
        let mut cells = vec![Cell::text(field.rows[row].line.label())];
        cells.extend(percentiles.iter().map(|&q| percentile(field, row, (at, q), unit)));
        if !is_closed {
            cells.push(answered(&field.rows[row].line, stream));
        }
        cells
    });
    let has_instead =
        groups.iter().flat_map(|group| &group.rows).flatten().any(|cell| cell.text.starts_with("(+"));
    let instead = if has_instead { format!("; {}", support::MEANING) } else { String::new() };
    let caption = match is_closed {
        true => format!("{}, {CLOSED_LOOP}{instead}.", stream.name),
        false => format!(
            "{}, response times from the instant a request was due; answered: within the windows, of what was due in them{instead}.",
            stream.name
        ),
    };
    Table {
        id: format!("times-{}", stream.name),
        caption,
        columns,
        groups,
        legend: Vec::new(),
        is_detail: false,
    }
}

fn percentile(field: &Field<'_>, row: usize, (stream, q): (usize, f64), unit: Unit) -> Cell {
    let times = &field.rows[row].streams[stream];
    // What an overloaded row's answers take is how long it was loaded: no property of the row.
    if field.analysis.loads[row].is_overloaded() {
        return Cell::none();
    }
    let instead = if q < MERGED_FROM { None } else { support::instead_of(times, q, field.whole()) };
    match instead {
        Some(instead) => Cell::text(instead),
        None => percentile_value(times, q).map_or_else(Cell::none, |value| unit.cell(&value)),
    }
}

/// Answers within the windows, whenever they were due, of what was due in them: what came later does not count.
fn answered(line: &Line<'_>, stream: &Stream) -> Cell {
    let records = || line.measured().filter_map(|measured| measured.stream(&stream.name));
    let sum = |of: fn(&StreamRecord) -> u64| records().map(of).sum::<u64>();
    match sum(|record| record.due) {
        0 => Cell::none(),
        due => {
            let part = 100.0 * (sum(|record| record.answered_in_window) as f64 / due as f64).min(1.0);
            Cell::number(format!("{part:.1}%"), part)
        }
    }
}
