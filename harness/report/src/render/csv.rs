//! A table for programs: comma-separated values as RFC 4180 has them, with exact values instead of those that people read.
//!
//! A number that is only known to be at least so much says so in a column of its own; one that is not known is an empty field. What a
//! spreadsheet might take for a formula is left as it is: the file says what the records say.

use crate::model::{Cell, Column, Exact, Kind, Table};

/// The key of the column that says which group a line is in.
const TIER: &str = "tier";

/// A table, with a line of headings: the columns' keys. A column of numbers of which any has an interval is followed by those of its
/// ends, `_low` and `_high`, and by `_is_bound` where any is a bound. Where there are several groups, the second column names them.
pub fn table(table: &Table) -> String {
    let columns: Vec<Shown<'_>> =
        table.columns.iter().enumerate().map(|(at, column)| Shown::of(table, at, column)).collect();
    let has_tiers = table.groups.len() > 1 && table.column(TIER).is_none();
    let mut text = String::new();
    let mut headings: Vec<String> = columns.iter().flat_map(Shown::headings).collect();
    let of_first = columns.first().map_or(0, |column| column.headings().len());
    if has_tiers {
        headings.insert(of_first, TIER.to_owned());
    }
    push_line(&mut text, &headings);
    for (heading, cells) in table.lines() {
        let none = Cell::default();
        let mut fields: Vec<String> =
            columns.iter().flat_map(|column| column.fields(cells.get(column.at).unwrap_or(&none))).collect();
        if has_tiers {
            fields.insert(of_first, heading.unwrap_or_default().to_owned());
        }
        push_line(&mut text, &fields);
    }
    text
}

/// A column, and what it is shown with.
struct Shown<'a> {
    at: usize,
    column: &'a Column,
    has_interval: bool,
    has_bounds: bool,
}

impl<'a> Shown<'a> {
    fn of(table: &Table, at: usize, column: &'a Column) -> Self {
        let any = |is: fn(&Exact) -> bool| {
            let cells = table.lines().filter_map(|(_, cells)| cells.get(at)?.exact);
            column.kind == Kind::Number && cells.into_iter().any(|exact| is(&exact))
        };
        Self {
            at,
            column,
            has_interval: any(|exact| exact.low.is_some() || exact.high.is_some()),
            has_bounds: any(|exact| exact.is_bound),
        }
    }

    fn headings(&self) -> Vec<String> {
        let key = &self.column.key;
        let mut headings = vec![key.clone()];
        if self.has_interval {
            headings.extend([format!("{key}_low"), format!("{key}_high")]);
        }
        if self.has_bounds {
            headings.push(format!("{key}_is_bound"));
        }
        headings
    }

    fn fields(&self, cell: &Cell) -> Vec<String> {
        if self.column.kind == Kind::Text {
            return vec![cell.text.clone()];
        }
        let mut fields = vec![number(cell.exact.map(|exact| exact.value))];
        if self.has_interval {
            fields.push(number(cell.exact.and_then(|exact| exact.low)));
            fields.push(number(cell.exact.and_then(|exact| exact.high)));
        }
        if self.has_bounds {
            fields.push(cell.exact.map(|exact| exact.is_bound.to_string()).unwrap_or_default());
        }
        fields
    }
}

/// The shortest text that reads back as the same number.
fn number(value: Option<f64>) -> String {
    value.filter(|value| value.is_finite()).map(|value| value.to_string()).unwrap_or_default()
}

fn push_line(text: &mut String, fields: &[String]) {
    let quoted: Vec<String> = fields.iter().map(|field| quoted(field)).collect();
    text.push_str(&quoted.join(","));
    text.push_str("\r\n");
}

fn quoted(field: &str) -> String {
    match field.contains([',', '"', '\r', '\n']) {
        true => format!("\"{}\"", field.replace('"', "\"\"")),
        false => field.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Group;

    fn group(heading: &str, rows: Vec<Vec<Cell>>) -> Group {
        Group { heading: Some(heading.to_owned()), rows }
    }

    fn made(groups: Vec<Group>) -> Table {
        let columns = vec![
            Column::text("row", "row"),
            Column::number("p99, ms", "p99_us"),
            Column::number("CPU, us", "cpu_us"),
            Column::text("place", "place"),
        ];
        Table { columns, groups, ..Table::default() }
    }

    #[test]
    fn values_are_exact_and_intervals_stand_beside_them() {
        let bound = Exact { is_bound: true, ..Exact::of(1e-7) };
        let rows = vec![
            vec![
                Cell::text("a"),
                Cell { exact: Some(Exact::between(1234.5678, 0.1 + 0.2, 2e3)), ..Cell::text("1.2 ms") },
                Cell::number("12", 12.0),
                Cell::text("1-2"),
            ],
            vec![
                Cell::text("b"),
                Cell { exact: Some(bound), ..Cell::text("> 0.0") },
                Cell::none(),
                Cell::none(),
            ],
        ];
        let text = table(&made(vec![Group { heading: None, rows }]));
        assert_eq!(
            text,
            "row,p99_us,p99_us_low,p99_us_high,p99_us_is_bound,cpu_us,place\r\n\
             a,1234.5678,0.30000000000000004,2000,false,12,1-2\r\n\
             b,0.0000001,,,true,,-\r\n"
        );
    }

    #[test]
    fn groups_are_told_apart_by_a_column() {
        let line = |row: &str| vec![Cell::text(row), Cell::number("1", 1.0), Cell::none(), Cell::text("1")];
        let groups = vec![group("controlled", vec![line("a")]), group("native", vec![line("b")])];
        assert_eq!(
            table(&made(groups)),
            "row,tier,p99_us,cpu_us,place\r\na,controlled,1,,1\r\nb,native,1,,1\r\n"
        );
    }

    #[test]
    fn hostile_names_are_fields_like_any_other() {
        let row = |name: &str| vec![Cell::text(name)];
        let rows = vec![row("a,\"b\""), row("<script>\r\n"), row("=1+1"), row("\u{202e}x%|"), vec![]];
        let of = Table {
            columns: vec![Column::text("row, \"named\"", "row, \"named\"")],
            groups: vec![Group { heading: None, rows }],
            ..Table::default()
        };
        assert_eq!(
            table(&of),
            "\"row, \"\"named\"\"\"\r\n\"a,\"\"b\"\"\"\r\n\"<script>\r\n\"\r\n=1+1\r\n\u{202e}x%|\r\n\r\n"
        );
        assert_eq!(table(&Table::default()), "\r\n");
    }
}
