//! How soon a row was itself again after its events: a line for each row and kind of event.

use race::plan::experiment::ExperimentKind;

use crate::{
    counts::value::Value,
    model::{Cell, Column, Table},
    numbers::Unit,
};

use super::{
    figures::Figures,
    rows::OfRow,
    table::{heads, lines_of, names},
    words::{median_cell, slices_cell, worst_cell, worst_slices_cell},
};

/// The table.
pub(super) fn of(kind: ExperimentKind, rows: &[OfRow<'_>], figures: &[Figures<'_>]) -> Table {
    let is_crash = kind == ExperimentKind::Crash;
    let mut columns = heads(is_crash);
    // What a narrow page leaves out first stands last.
    if !is_crash {
        columns.extend([Column::number("done", "done_us"), Column::number("worst done", "done_worst_us")]);
    }
    columns.extend([
        Column::number("new process", "replaced_us"),
        Column::number("worst new", "replaced_worst_us"),
        Column::number("rate back", "rate_back_us"),
        Column::number("latency back", "latency_back_us"),
        Column::number("longest", "longest_us"),
        Column::number("worst longest", "longest_worst_us").optional(),
        Column::number("worst rate", "rate_back_worst_us").optional(),
        Column::number("worst latency", "latency_back_worst_us").optional(),
        Column::number("worst p99 of 10 ms", "p99_worst_us").optional(),
        Column::number("usual longest", "usual_longest_us").optional(),
    ]);
    Table {
        id: "times".to_owned(),
        caption: caption(is_crash),
        columns,
        groups: lines_of(rows, figures, |figures| {
            let mut cells = names(figures, is_crash);
            cells.extend(line(figures, is_crash));
            cells
        }),
        ..Table::default()
    }
}

fn caption(is_crash: bool) -> String {
    let done = if is_crash {
        ""
    } else {
        "done: until every worker of before was gone and as many others were there; "
    };
    format!(
        "How soon each row was itself again, milliseconds: the median over events, with the interval of their order statistics (95%), and the worst event. \
         {done}new process: until one answered that was not there before, of rows that say who answers; rate back: until, for 50 ms, 95% of \
         what is due is answered; latency back: until, for 50 ms, nothing fails and no 10 ms have a longer response than 99 of 100 had before \
         (usual longest); longest: what the others felt, the longest response to what was due meanwhile and was answered."
    )
}

fn line(figures: &Figures<'_>, is_crash: bool) -> Vec<Cell> {
    let mut cells = Vec::new();
    if !is_crash {
        cells.extend([median_cell(&figures.done), worst_cell(&figures.done)]);
    }
    let shown = |us: f64| Cell::number(Unit::Milliseconds.show(us), us);
    let most = |times_us: &[f64]| times_us.iter().copied().reduce(f64::max).map_or_else(Cell::none, shown);
    cells.extend([
        median_cell(&figures.replaced),
        worst_cell(&figures.replaced),
        slices_cell(&figures.rate_back),
        slices_cell(&figures.latency_back),
        Value::of(&figures.longest_us).map_or_else(Cell::none, |value| Unit::Milliseconds.cell(&value)),
        most(&figures.longest_us),
        worst_slices_cell(&figures.rate_back),
        worst_slices_cell(&figures.latency_back),
        most(&figures.p99_us),
        figures.usual_us.map_or_else(Cell::none, |us| shown(us as f64)),
    ]);
    cells
}
