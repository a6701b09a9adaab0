//! What the figures took: windows, CPU time, memory, and what the gate left out.

use race::{
    plan::scenario::{Metric, Placement},
    records::window::Measured,
};
use stats::fisher::Kept;
use terminal::numbers::thousands;

use crate::{
    conclusions::{disturbance::dropped_cell, field::Field, named::ranked_figure},
    counts::{
        compared::{by_window, cpu_per_request, resident_mib},
        entered::Quantity,
        kept::{Line, Which},
        value::Value,
    },
    model::{Cell, Column, Table},
    numbers::Unit,
};

/// The table.
pub(crate) fn of(field: &Field<'_>) -> Table {
    let is_shared = field.scenario.placement == Placement::Shared;
    let unit = field.ranked_unit();
    let mut columns = vec![
        Column::text("row", "row"),
        Column::number("CPU us/request", "cpu_us_per_request"),
        Column::number("memory, MiB", "memory_mib"),
        Column::number("errors", "errors"),
        Column::number("kept", "kept_percent"),
        Column::text("dropped for", "dropped_for").optional(),
        Column::number(format!("ungated {}", ungated_name(field, unit)), ungated_key(field)).optional(),
        Column::number("server CPU", "server_cpu_percent").optional(),
    ];
    if is_shared {
        columns.push(Column::number("generator", "generator_cpu_percent").optional());
    }
    columns.push(Column::number("answers", "answers").optional());
    let all: Vec<usize> = (0..field.rows.len()).collect();
    let count = |number: u64| Cell::number(thousands(number as f64), number as f64);
    let right = |measured: &Measured| measured.streams.iter().map(|stream| stream.right).sum::<u64>();
    let groups = field.groups(&all, |row| {
        let line = &field.rows[row].line;
        let mut cells = vec![
            Cell::text(line.label()),
            value(Value::of_windows(&cpu_per_request(line))),
            // Two servers of a row differ by less than a hundredth: no interval is worth its width here.
            Cell { interval: None, ..value(Value::of_windows(&resident_mib(line))) },
            count(line.measured().map(Measured::errors).sum()),
            kept(line),
            Cell::text(dropped_cell(field.contents, line)),
            ungated(field, row, unit),
            percent(line, server_busy),
        ];
        if is_shared {
            cells.push(percent(line, |measured| measured.accounts.harness_share()));
        }
        cells.push(count(line.measured().map(right).sum()));
        cells
    });
    let generator = if is_shared { "; generator: what it took of the same CPUs" } else { "" };
    let caption = format!(
        "What that took. Memory of all processes; kept: windows that count, of those planned; ungated: the figure with all windows, \
         whatever others did to the machine meanwhile{generator}."
    );
    Table { id: "costs".to_owned(), caption, columns, groups, legend: Vec::new(), is_detail: false }
}

fn value(value: Option<Value>) -> Cell {
    value.map_or_else(Cell::none, |value| Unit::Plain.cell(&value))
}

fn percent(line: &Line<'_>, share: impl Fn(&Measured) -> f64) -> Cell {
    let windows = by_window(line, Which::Gated, |measured| Some(100.0 * share(measured)));
    let middle = Value::of_windows(&windows).map(|value| value.median.value);
    middle.map_or_else(Cell::none, |percent| Cell::number(format!("{percent:.0}%"), percent))
}

/// The part of the server's CPUs that the row had, over the whole stretch.
fn server_busy(measured: &Measured) -> f64 {
    let accounts = &measured.accounts;
    let whole_ns = accounts.stretch_ns as f64 * accounts.cpus.len() as f64;
    accounts.row.total_cpu_ns() as f64 / whole_ns.max(1.0)
}

/// A row's share of windows that count.
fn kept(line: &Line<'_>) -> Cell {
    let Kept { kept, dropped } = line.kept();
    match kept + dropped {
        0 => Cell::none(),
        planned => {
            let percent = 100.0 * kept as f64 / planned as f64;
            Cell::number(format!("{percent:.0}%"), percent)
        }
    }
}

fn ungated_name(field: &Field<'_>, unit: Unit) -> String {
    match field.scenario.rank.by {
        Metric::Throughput => "req/s".to_owned(),
        Metric::IdleMemory => "bytes each".to_owned(),
        Metric::P95 | Metric::P99 => format!("{}, {}", ranked_figure(field.scenario), unit.name()),
    }
}

fn ungated_key(field: &Field<'_>) -> &'static str {
    match field.scenario.rank.by {
        Metric::Throughput => "ungated_requests_per_s",
        Metric::IdleMemory => "ungated_bytes_an_idle_connection",
        Metric::P95 => "ungated_p95_us",
        Metric::P99 => "ungated_p99_us",
    }
}

/// What rows are compared by, of all windows whatever others did to the machine.
fn ungated(field: &Field<'_>, row: usize, unit: Unit) -> Cell {
    match field.rows[row].ungated {
        _ if field.analysis.loads[row].is_overloaded() => Cell::none(),
        Some(Quantity::Time(time)) => Cell::number(unit.show_quantile(time), time.ns() as f64 / 1000.0),
        Some(Quantity::Plain(value)) => Cell::number(thousands(value), value),
        None => Cell::none(),
    }
}
