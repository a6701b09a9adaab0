//! Who answered, and whose the connections were: where these explain a tail, since connections come and go, or are unlike each other.

use race::{
    plan::scenario::Stream,
    records::window::StreamRecord,
    registry::{OperationPlacement, Row},
};
use stats::rounds::Windows;

use crate::{
    conclusions::{
        field::Field,
        workers::{times_fair_connections, times_fair_share},
    },
    counts::{
        entered::ranked_stream,
        kept::{Line, Start, Which, Window},
        value::Value,
    },
    model::{Cell, Column, Table},
    numbers::Unit,
};

/// The table; none of a scenario whose connections are kept and alike.
pub(crate) fn of(field: &Field<'_>) -> Option<Table> {
    let stream = &field.scenario.streams[ranked_stream(field.scenario)];
    if stream.requests_per_connection.is_none() && stream.weights.is_empty() {
        return None;
    }
    let columns = vec![
        Column::text("row", "row"),
        Column::number("workers", "workers"),
        Column::number("answered", "workers_that_answered"),
        Column::number("busiest's answers", "busiest_answers_of_share"),
        Column::number("busiest's connections", "busiest_connections_of_share"),
    ];
    let all: Vec<usize> = (0..field.rows.len()).collect();
    let groups = field.groups(&all, |row| {
        let line = &field.rows[row].line;
        vec![
            Cell::text(line.label()),
            workers_of(line)
                .map_or_else(Cell::none, |workers| Cell::number(workers.to_string(), workers as f64)),
            value(line, stream, Unit::Plain, |record, _| {
                let answered = record.answers_by_worker.values().filter(|answers| **answers > 0).count();
                (answered > 0).then_some(answered as f64)
            }),
            value(line, stream, Unit::Ratio, times_fair_share),
            match are_owners_named(line.row) {
                true => value(line, stream, Unit::Ratio, times_fair_connections),
                false => Cell::none(),
            },
        ]
    });
    let caption = format!(
        "Who answered {}: workers that the server says it has, and those that answered in a window or the load before it; what the busiest of \
         them answered, and how many connections it had, beside a fair share (1 is even). Where operations run elsewhere, or connections are \
         stolen, no answer tells whose a connection is.",
        stream.name
    );
    Some(Table { id: "workers".to_owned(), caption, columns, groups, legend: Vec::new(), is_detail: false })
}

/// Whether whoever answers is whose the connection is.
fn are_owners_named(row: &Row) -> bool {
    row.factors.is_none_or(|factors| factors.placement == OperationPlacement::Inline && !factors.stealing)
}

/// How many workers the row's servers say that they have.
fn workers_of(line: &Line<'_>) -> Option<usize> {
    line.starts.iter().find_map(|start| start.server?.workers)
}

/// A figure of each window that is told how many workers there are, over starts.
fn value(
    line: &Line<'_>,
    stream: &Stream,
    unit: Unit,
    figure: impl Fn(&StreamRecord, usize) -> Option<f64>,
) -> Cell {
    let of_start = |start: &Start<'_>| -> Windows {
        let workers = start.server.and_then(|server| server.workers).unwrap_or(0);
        let of_window =
            |window: &Option<Window<'_>>| figure(window.as_ref()?.measured.stream(&stream.name)?, workers);
        start.windows(Which::Gated).iter().map(of_window).collect()
    };
    let windows: Vec<Windows> = line.starts.iter().map(of_start).collect();
    Value::of_windows(&windows).map_or_else(Cell::none, |value| unit.cell(&value))
}

#[cfg(test)]
mod tests {
    use crate::made_up::{around, cell, raced, section};

    #[test]
    fn where_connections_are_unlike_the_table_says_whose_they_were_and_elsewhere_there_is_none() {
        let rows = ["fork-per-core", "work-stealing"];
        let contents = raced("skew", &rows, (6, 2), |wanted| {
            let mut measured = around(800);
            let stream = &mut measured.streams[0];
            (stream.name, stream.connections) = ("complex".to_owned(), 8);
            let split = if wanted.entry.row.name == rows[0] { [300, 100] } else { [200, 200] };
            let by = |counts: [u64; 2]| ["a", "b"].map(str::to_owned).into_iter().zip(counts).collect();
            stream.answers_by_worker = by(split);
            stream.connections_by_worker = by([4, 4]);
            measured
        });
        let section = section(&contents);
        assert_eq!(cell(&section, rows[0], "busiest's answers"), "1.50 [1.50, 1.50]");
        assert_eq!(cell(&section, rows[1], "busiest's answers"), "1.00 [1.00, 1.00]");
        assert_eq!(cell(&section, rows[0], "busiest's connections"), "1.00 [1.00, 1.00]");
        assert_eq!(cell(&section, rows[0], "workers"), "2");
        let kept = crate::made_up::section(&raced("mixed", &rows, (6, 2), |_| around(800)));
        assert!(kept.tables().all(|table| table.id != "workers"));
    }
}
