//! Which rows hold the objective, and how much more they could take.

use stats::capacity::{Capacities, Capacity};
use terminal::numbers::thousands;

use crate::{
    counts::{
        times::{key_of, name_of},
        value::{End, Value},
    },
    model::{Cell, Column, Exact, Table},
    numbers::{Unit, three_digits, times_as},
    tables::support,
};

use super::{
    capacity,
    climbed::Climbed,
    holds::{self, Holds},
};

/// The table; nothing without an objective.
pub(super) fn objective(climbed: &Climbed<'_>) -> Option<Table> {
    let objective = climbed.objective?;
    let unit = climbed.unit(climbed.q);
    let (own, stream) = (climbed.own(), climbed.stream_name);
    let mut columns = vec![Column::text("row", "row")];
    if own.is_some() {
        let heading = format!("{stream} {}, {}", name_of(climbed.q), unit.name());
        columns.push(Column::number(heading, key_of(climbed.q)));
        columns.push(Column::text("holds", "holds"));
    }
    if climbed.is_ladder() {
        columns.push(Column::number(format!("up to {stream}/s"), "capacity_per_s"));
        if own.is_some() {
            columns.push(Column::number("times the load", "times_the_load"));
        }
    }
    let groups = climbed.groups(&best_first(climbed), |row| {
        let mut cells = vec![Cell::text(climbed.label(row))];
        if let Some(holds) = holds::of(climbed, row) {
            cells.extend([time_cell(&holds, unit), Cell::text(holds.word())]);
        }
        if climbed.is_ladder() {
            let capacity = capacity::of(climbed, row);
            cells.push(capacity_cell(climbed, capacity, 1.0));
            if let Some(own) = own {
                cells.push(capacity_cell(climbed, capacity, own.per_second));
            }
        }
        vec![cells]
    });
    let has_instead =
        groups.iter().flat_map(|group| &group.rows).flatten().any(|cell| cell.text.starts_with("(+"));
    let mut parts =
        vec![format!("Objective: {} of {stream} below {:?}", name_of(climbed.q), objective.below)];
    if own.is_some() {
        parts.push(
            "holds: whether the whole interval is below it, under the load as it was asked for".to_owned(),
        );
    }
    if climbed.is_ladder() {
        parts.push(format!(
            "up to: the highest rate at which it holds and all streams are carried, between steps by the reciprocal of the percentile, the \
             median over starts with its interval; the ladder is from {} to {}/s",
            thousands(climbed.steps[0].per_second),
            thousands(climbed.steps[climbed.steps.len() - 1].per_second)
        ));
    }
    if has_instead {
        parts.push(support::MEANING.to_owned());
    }
    let caption = format!("{}.", parts.join("; "));
    Some(Table { id: "objective".to_owned(), caption, columns, groups, ..Table::default() })
}

/// By how much room they have, and then by the percentile.
pub(super) fn best_first(climbed: &Climbed<'_>) -> Vec<usize> {
    let key = |row: usize| {
        let room = match capacity::of(climbed, row).map(|found| found.median) {
            Some(Capacity::BeyondTheLadder) => f64::INFINITY,
            Some(Capacity::UpTo(rate)) => rate,
            Some(Capacity::NotAtAnyRate) => 0.0,
            None => -1.0,
        };
        let holds = holds::of(climbed, row);
        let time = holds.and_then(|holds| Some(holds.value()?.median.value)).unwrap_or(f64::INFINITY);
        (-room, time)
    };
    let mut keyed: Vec<((f64, f64), usize)> = climbed.rows().map(|row| (key(row), row)).collect();
    keyed.sort_by(|(a, _), (b, _)| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    keyed.into_iter().map(|(_, row)| row).collect()
}

fn time_cell(holds: &Holds, unit: Unit) -> Cell {
    match holds {
        Holds::Yes(value) | Holds::CannotBeTold(value) | Holds::No(value) => unit.cell(value),
        Holds::Overloaded => Cell::text("overloaded"),
        Holds::TooLittle(instead) => Cell::text(instead),
        Holds::Nothing => Cell::none(),
    }
}

/// A capacity in parts of `unit`, with its interval, or in which direction it is off the ladder.
fn capacity_cell(climbed: &Climbed<'_>, capacity: Option<Capacities>, unit: f64) -> Cell {
    let Some(found) = capacity else { return Cell::none() };
    let ends = [found.median, found.low, found.high];
    if let [Capacity::UpTo(median), Capacity::UpTo(low), Capacity::UpTo(high)] = ends {
        let end = |value: f64| End { value: value / unit, is_bound: false };
        let value = Value {
            median: end(median),
            low: end(low),
            high: end(high),
            starts: found.starts,
            is_confident: found.is_confident,
        };
        return if unit == 1.0 { Unit::Plain.cell(&value) } else { Unit::Ratio.cell(&value) };
    }
    let last = climbed.steps[climbed.steps.len() - 1].per_second;
    let (text, exact) = match found.median {
        Capacity::NotAtAnyRate => ("not at any rate".to_owned(), None),
        Capacity::UpTo(rate) => (show(rate / unit, unit), Some(Exact::of(rate / unit))),
        Capacity::BeyondTheLadder => {
            ("beyond the ladder".to_owned(), Some(Exact { is_bound: true, ..Exact::of(last / unit) }))
        }
    };
    let interval = (found.is_confident && found.low != found.high).then(|| {
        let end = |end: Capacity| match end {
            Capacity::NotAtAnyRate => "none".to_owned(),
            Capacity::UpTo(rate) => show(rate / unit, unit),
            Capacity::BeyondTheLadder => "beyond".to_owned(),
        };
        format!("[{}, {}]", end(found.low), end(found.high))
    });
    Cell { text, interval, exact }
}

/// A rate, or a multiple of one.
fn show(value: f64, unit: f64) -> String {
    if unit == 1.0 { three_digits(value) } else { times_as(value) }
}
