//! A table. Its script reads what it needs of the table itself: each group's heading, each column's key, each cell's exact value.

use maud::{Markup, html};

use crate::{
    model::{Cell, Column, Exact, Group, Kind, Symbol, Table},
    render::clean::clean,
};

use super::words::said;

/// A table called `label`, in a part of the page that scrolls by itself where the page is narrower.
pub(super) fn table(of: &Table, id: &str, label: &str) -> Markup {
    let columns: Vec<Shown<'_>> = (0..of.columns.len()).map(|at| Shown::of(of, at)).collect();
    let width: usize = columns.iter().map(Shown::width).sum();
    let has_several = of.groups.len() > 1;
    html! {
        div.scroll role="region" tabindex="0" aria-label=(clean(label)) {
            table id=(id) class=[is_of_rows(of).then_some("f")] {
                caption { span { (said(&of.caption)) } }
                thead { tr { @for column in &columns { (column.heading()) } } }
                @for group in &of.groups { (body(group, &columns, has_several.then_some(width))) }
            }
        }
        (legend(&of.legend))
    }
}

/// Whether each line is about a row, or two: those that may be filtered by row.
fn is_of_rows(table: &Table) -> bool {
    table.columns.first().is_some_and(|column| matches!(column.key.as_str(), "row" | "first"))
}

fn body(group: &Group, columns: &[Shown<'_>], heading_over: Option<usize>) -> Markup {
    let heading = group.heading.as_deref().map(clean);
    html! {
        tbody data-group=[heading.as_deref()] {
            @if let (Some(heading), Some(width)) = (&heading, heading_over) {
                tr { th.g scope="rowgroup" colspan=(width) { (heading) } }
            }
            @for row in &group.rows {
                tr { @for (column, cell) in columns.iter().zip(row) { (column.cell(cell)) } }
            }
        }
    }
}

fn legend(symbols: &[Symbol]) -> Markup {
    html! {
        @if !symbols.is_empty() {
            ul.key { @for Symbol { symbol, meaning } in symbols { li { b { (symbol) } " " (said(meaning)) } } }
        }
    }
}

/// How a column is shown.
struct Shown<'a> {
    column: &'a Column,
    /// Whether its cells say what their line is about.
    is_head: bool,
    /// Whether intervals have a place of their own, so that the figures stand below each other.
    has_intervals: bool,
}

impl<'a> Shown<'a> {
    fn of(table: &'a Table, at: usize) -> Self {
        let column = &table.columns[at];
        let mut cells = table.lines().filter_map(|(_, row)| row.get(at));
        Self {
            column,
            is_head: at == 0 || column.key == "second",
            has_intervals: column.kind == Kind::Number && cells.any(|cell| cell.interval.is_some()),
        }
    }

    fn width(&self) -> usize {
        if self.has_intervals { 2 } else { 1 }
    }

    fn heading(&self) -> Markup {
        let Column { heading, key, kind, .. } = self.column;
        let is_left = *kind == Kind::Text || self.has_intervals;
        html! {
            th.t[is_left] scope="col" colspan=[self.has_intervals.then_some(2)] data-key=(clean(key)) {
                (said(heading))
            }
        }
    }

    fn cell(&self, cell: &Cell) -> Markup {
        let Cell { text, interval, exact } = cell;
        let exact = exact.as_ref().and_then(shown);
        html! {
            @if self.is_head {
                th scope="row" { (clean(text)) }
            } @else if self.column.kind == Kind::Text {
                td.t.b[is_interval(text)] { (said(text)) }
            } @else if !self.has_intervals {
                td data-x=[exact] { (said(text)) }
            } @else if exact.is_none() && interval.is_none() && text.len() > 1 {
                // Words instead of a figure.
                td.t colspan="2" { (said(text)) }
            } @else {
                td data-x=[exact] { (said(text)) }
                td.i { @if let Some(interval) = interval { (clean(interval)) } }
            }
        }
    }
}

/// Whether a text is an interval alone, which nobody wants to read on two lines.
fn is_interval(text: &str) -> bool {
    text.starts_with('[') && text.ends_with(']') && text.len() < 40
}

/// `value low high`, where the value may be `>value`; nothing where it is no number to sort by.
fn shown(exact: &Exact) -> Option<String> {
    let Exact { value, low, high, is_bound } = *exact;
    let bound = if is_bound { ">" } else { "" };
    let ends = low.zip(high).map(|(low, high)| format!(" {} {}", number(low), number(high)));
    value.is_finite().then(|| format!("{bound}{}{}", number(value), ends.unwrap_or_default()))
}

/// What is whole is written whole; of what is not, seven digits, which is more than any figure here is known to. The table's own file has
/// all of them.
fn number(value: f64) -> String {
    if value.fract() == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    let decimals = (6 - value.abs().log10().floor() as i32).clamp(0, 12).unsigned_abs() as usize;
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_exact_value_is_written_to_seven_digits_and_what_is_no_number_is_not() {
        assert_eq!(shown(&Exact::of(1195.25)).as_deref(), Some("1195.25"));
        assert_eq!(shown(&Exact::between(0.1, 0.05, 0.25)).as_deref(), Some("0.1 0.05 0.25"));
        assert_eq!(shown(&Exact { is_bound: true, ..Exact::of(5e6) }).as_deref(), Some(">5000000"));
        assert_eq!(shown(&Exact::of(123_456_789.0)).as_deref(), Some("123456789"));
        assert_eq!(shown(&Exact::of(1.0 / 3.0)).as_deref(), Some("0.3333333"));
        assert_eq!(shown(&Exact::of(98_765.432_19)).as_deref(), Some("98765.43"));
        assert_eq!(shown(&Exact::of(12_345_678.9)).as_deref(), Some("12345679"));
        assert_eq!(shown(&Exact::of(f64::INFINITY)), None);
        assert_eq!(shown(&Exact::of(f64::NAN)), None);
    }
}
