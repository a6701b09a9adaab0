//! The table that people read: each row's figure, its place, and how far it is from the best.

use race::{
    plan::scenario::Metric,
    registry::{Row, Tier},
};
use stats::places::Place;

use crate::{
    conclusions::{
        field::Field,
        marks::{self, Mark},
        named::ranked_figure,
    },
    counts::{
        compared::{Compared, Figure, ranked},
        entered::ranked_value,
        times::{key_of, name_of},
        value::Value,
    },
    model::{Cell, Column, Exact, Group, Symbol, Table},
    numbers::Unit,
    tables::support,
};

/// The table.
pub(crate) fn of(field: &Field<'_>) -> Table {
    let unit = field.ranked_unit();
    let marks: Vec<Vec<Mark>> = field
        .rows
        .iter()
        .enumerate()
        .map(|row| marks::of_row(field.scenario, field.contents, field.analysis, row))
        .collect();
    let yardstick = Yardstick::of(field);
    let mut columns = vec![Column::text("row", "row"), figure_column(field, unit)];
    if field.is_ranked {
        columns.push(Column::number("place", "place"));
    }
    columns.extend(yardstick.as_ref().map(Yardstick::column));
    columns.push(Column::text("notes", "notes"));
    let order = field.by_figure();
    let mut groups = field.groups(&order, |row| {
        let mut cells = vec![Cell::text(&field.rows[row].line.row.name), figure_cell(field, row, unit)];
        if field.is_ranked {
            cells.push(place_cell(field, row));
        }
        cells.extend(yardstick.as_ref().map(|yardstick| yardstick.cell(field, row)));
        let letters: Vec<String> = marks[row].iter().map(|mark| mark.letter().to_string()).collect();
        cells.push(Cell::text(letters.join(" ")));
        cells
    });
    // Who cannot do what is asked has the reason where its figure would be.
    let left_out = field.contents.run.plan.left_out(field.scenario);
    if !left_out.is_empty() {
        let line = |(row, reason): &(&Row, String)| {
            let mut cells = vec![Cell::none(); columns.len()];
            cells[0] = Cell::text(&row.name);
            cells[1] = Cell::text(reason);
            cells
        };
        groups
            .push(Group { heading: Some("left out".to_owned()), rows: left_out.iter().map(line).collect() });
    }
    let skipped = &field.contents.run.skipped;
    if !skipped.is_empty() {
        let lines = skipped.iter().map(|skipped| skipped_line(&skipped.row, columns.len()));
        groups.push(Group { heading: Some("skipped".to_owned()), rows: lines.collect() });
    }
    Table {
        id: "figures".to_owned(),
        caption: caption(field, yardstick.as_ref()),
        columns,
        groups,
        legend: legend(&order, &marks, !skipped.is_empty()),
        is_detail: false,
    }
}

fn caption(field: &Field<'_>, yardstick: Option<&Yardstick>) -> String {
    let what = match field.scenario.rank.by.percentile() {
        None if field.scenario.rank.by == Metric::IdleMemory => {
            "Memory of all processes that each open connection takes on which nothing happens, bytes"
                .to_owned()
        }
        None => "Right answers a second".to_owned(),
        Some(q) => format!("The {} of response times of {}", name_of(q), field.scenario.rank.stream),
    };
    let places = if field.is_ranked { "; places are among the rows of one tier" } else { "" };
    let of = match yardstick.map(|yardstick| yardstick.kind) {
        Some(Kind::Ceiling) => "; of the ceiling: beside the null server, within rounds",
        Some(Kind::Best) => "; of the best: beside the row of its tier that has the best median",
        None => "",
    };
    format!("{what}: the median over starts, with its interval{places}{of}.")
}

fn figure_column(field: &Field<'_>, unit: Unit) -> Column {
    match field.scenario.rank.by.percentile() {
        None if field.scenario.rank.by == Metric::IdleMemory => {
            Column::number("bytes an idle connection", "bytes_an_idle_connection")
        }
        None => Column::number("requests/s", "requests_per_s"),
        Some(q) => Column::number(format!("{}, {}", ranked_figure(field.scenario), unit.name()), key_of(q)),
    }
}

fn figure_cell(field: &Field<'_>, row: usize, unit: Unit) -> Cell {
    let entered = &field.rows[row];
    // What an overloaded row's answers take is how long it was loaded: no property of the row.
    if field.analysis.loads[row].is_overloaded() {
        return Cell::text("overloaded");
    }
    if let Figure::Percentile(q) = ranked(field.scenario)
        && let Some(instead) = support::instead_of(entered.ranked_times(), q, field.whole())
    {
        return Cell::text(instead);
    }
    ranked_value(field.scenario, entered).map_or_else(Cell::none, |value| unit.cell(&value))
}

fn place_cell(field: &Field<'_>, row: usize) -> Cell {
    let Some(place) = field.analysis.place_of(row) else { return Cell::none() };
    let exact = match place {
        Place::Held(rank) => Some((rank.best, rank.worst)),
        Place::Overloaded { best, worst } => Some((*best, *worst)),
        Place::Unplaced => None,
    };
    let exact = exact.map(|(best, worst)| Exact::between(best as f64, best as f64, worst as f64));
    Cell { exact, ..Cell::text(place.to_string()) }
}

/// What rows are measured by: the null server's figure where it has one, or else the best of their own tier.
struct Yardstick {
    kind: Kind,
    compared: Compared,
    /// The row that each row is put beside, if any.
    beside: Vec<Option<usize>>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Ceiling,
    Best,
}

impl Yardstick {
    /// `None` where there is nobody to be put beside.
    fn of(field: &Field<'_>) -> Option<Self> {
        let figures = field.rows.iter().map(|row| (&row.line, row.ranked_times()));
        let compared = Compared::of(ranked(field.scenario), &field.scenario.rank.stream, figures);
        let rows = 0..field.rows.len();
        let tier = |row: usize| field.rows[row].line.row.tier;
        // A row that is for request alone is measured for its own sake.
        let is_ceiling =
            |&row: &usize| tier(row) == Tier::Calibration && !field.rows[row].line.row.on_request;
        let ceiling = rows.clone().find(is_ceiling);
        if let (Some(ceiling), Metric::Throughput) = (ceiling, field.scenario.rank.by) {
            return Some(Self {
                kind: Kind::Ceiling,
                compared,
                beside: vec![Some(ceiling); field.rows.len()],
            });
        }
        let order = field.by_figure();
        let best = |row: usize| {
            let is_best =
                |&&other: &&usize| tier(other) == tier(row) && !field.analysis.loads[other].is_overloaded();
            order.iter().find(is_best).copied()
        };
        let beside: Vec<Option<usize>> = rows.map(best).collect();
        beside.iter().any(Option::is_some).then_some(Self { kind: Kind::Best, compared, beside })
    }

    fn column(&self) -> Column {
        match self.kind {
            Kind::Ceiling => Column::number("of the ceiling", "of_the_ceiling").optional(),
            Kind::Best => Column::number("of the best", "of_the_best").optional(),
        }
    }

    /// The median over starts of the ratio to the other, which both had under the same conditions.
    fn cell(&self, field: &Field<'_>, row: usize) -> Cell {
        let Some(other) = self.beside[row].filter(|_| !field.analysis.loads[row].is_overloaded()) else {
            return Cell::none();
        };
        if other == row {
            return Cell::number("1", 1.0);
        }
        let starts = self.compared.by_start(row, other).unwrap_or_default();
        let ratios: Vec<f64> = starts
            .iter()
            .filter_map(|start| Some(start.log_ratio?.exp()))
            .filter(|it| it.is_finite())
            .collect();
        Value::of(&ratios).map_or_else(Cell::none, |value| Unit::Ratio.cell(&value))
    }
}

/// A row that was asked for and cannot run here.
fn skipped_line(row: &str, columns: usize) -> Vec<Cell> {
    let mut cells = vec![Cell::none(); columns];
    cells[0] = Cell::text(row);
    cells[1] = Cell::text("skipped");
    cells[columns - 1] = Cell::text(Mark::Skipped.letter().to_string());
    cells
}

fn legend(order: &[usize], marks: &[Vec<Mark>], has_skipped: bool) -> Vec<Symbol> {
    let mut shown: Vec<Mark> = order.iter().flat_map(|&row| &marks[row]).copied().collect();
    shown.extend(has_skipped.then_some(Mark::Skipped));
    shown.sort_unstable();
    shown.dedup();
    let symbol = |mark: Mark| Symbol { symbol: mark.letter(), meaning: mark.meaning().to_owned() };
    shown.into_iter().map(symbol).collect()
}
