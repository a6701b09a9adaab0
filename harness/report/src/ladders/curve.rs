//! Latency against throughput, in tables: each row's percentile at each step, and all that is known of each.

use terminal::numbers::thousands;

use crate::{
    counts::{
        compared::throughput,
        entered::percentile_value,
        kept::Which,
        times::{MERGED_FROM, key_of, name_of},
        value::Value,
    },
    model::{Cell, Column, Table},
    numbers::Unit,
    tables::support,
};

use super::climbed::{AtStep, Climbed};

/// The percentile of each row, a column for each step; nothing without a ladder.
pub(super) fn by_step(climbed: &Climbed<'_>) -> Option<Table> {
    climbed.is_ladder().then_some(())?;
    let (q, unit, stream) = (climbed.q, climbed.unit(climbed.q), climbed.stream_name);
    let column = |(at, step): (usize, &AtStep<'_>)| {
        let key = format!("{}_at_step_{}", key_of(q), at + 1);
        Column::number(format!("{}/s", thousands(step.per_second)), key)
    };
    let columns =
        std::iter::once(Column::text("row", "row")).chain(climbed.steps.iter().enumerate().map(column));
    let order: Vec<usize> = climbed.rows().collect();
    let groups = climbed.groups(&order, |row| {
        let cells = climbed.steps.iter().map(|step| time(climbed, step, row, q, unit));
        vec![std::iter::once(Cell::text(climbed.label(row))).chain(cells).collect()]
    });
    Some(Table {
        id: "curve-steps".to_owned(),
        caption: format!(
            "The {} of response times of {stream} in {}, by what was offered of it; {}.",
            name_of(q),
            unit.name(),
            support::MEANING
        ),
        columns: columns.collect(),
        groups,
        ..Table::default()
    })
}

/// A line for each row and step; nothing without a ladder.
pub(super) fn whole(climbed: &Climbed<'_>) -> Option<Table> {
    climbed.is_ladder().then_some(())?;
    let stream = climbed.stream_name;
    let percentiles = percentiles(climbed);
    let units: Vec<Unit> = percentiles.iter().map(|&q| climbed.unit(q)).collect();
    let mut columns = vec![
        Column::text("row", "row"),
        Column::number("offered/s", "offered_per_s"),
        Column::number("answered/s", "answered_per_s"),
    ];
    columns.extend(
        percentiles
            .iter()
            .zip(&units)
            .map(|(&q, unit)| Column::number(format!("{}, {}", name_of(q), unit.name()), key_of(q))),
    );
    let order: Vec<usize> = climbed.rows().collect();
    let groups = climbed.groups(&order, |row| {
        let line = |step: &AtStep<'_>| {
            let mut cells = vec![
                Cell::text(climbed.label(row)),
                Cell::number(thousands(step.per_second), step.per_second),
                carried(climbed, step, row).map_or_else(Cell::none, |value| Unit::Plain.cell(&value)),
            ];
            cells.extend(percentiles.iter().zip(&units).map(|(&q, &unit)| time(climbed, step, row, q, unit)));
            cells
        };
        climbed.steps.iter().map(line).collect()
    });
    Some(Table {
        id: "curve".to_owned(),
        caption: format!(
            "Latency against throughput of {stream}: what was offered of it, the right answers within the windows, and response times from \
             the instant a request was due; {}.",
            support::MEANING
        ),
        columns,
        groups,
        is_detail: true,
        ..Table::default()
    })
}

/// The median, and the percentile that is asked for.
pub(super) fn percentiles(climbed: &Climbed<'_>) -> Vec<f64> {
    let mut all = vec![0.5, climbed.q];
    all.dedup();
    all
}

/// Right answers a second of a row at a step.
pub(super) fn carried(climbed: &Climbed<'_>, step: &AtStep<'_>, row: usize) -> Option<Value> {
    Value::of_windows(&throughput(&step.rows[row].line, climbed.stream_name, Which::Gated))
}

/// A percentile of a row at a step, where it is one that may be printed.
pub(super) fn time_value(
    climbed: &Climbed<'_>,
    step: &AtStep<'_>,
    row: usize,
    q: f64,
) -> Result<Value, Cell> {
    if step.loads[row].is_overloaded() {
        return Err(Cell::text("overloaded"));
    }
    let times = &step.rows[row].streams[climbed.stream];
    let instead = if q < MERGED_FROM { None } else { support::instead_of(times, q, climbed.whole) };
    match instead {
        Some(instead) => Err(Cell::text(instead)),
        None => percentile_value(times, q).ok_or_else(Cell::none),
    }
}

fn time(climbed: &Climbed<'_>, step: &AtStep<'_>, row: usize, q: f64, unit: Unit) -> Cell {
    match time_value(climbed, step, row, q) {
        Ok(value) => unit.cell(&value),
        Err(instead) => instead,
    }
}
