//! Several tables for programs: one after another, each as `csv` writes it, with its scenario and its name in front of every line.

use crate::{
    model::{Cell, Column, Group, Table},
    render::csv,
};

/// The tables, each with its scenario (nothing where it is of none); an empty line stands between two.
pub fn several<'a>(tables: impl IntoIterator<Item = (Option<&'a str>, &'a Table)>) -> String {
    let blocks: Vec<String> =
        tables.into_iter().map(|(scenario, of)| csv::table(&named(scenario, of))).collect();
    blocks.join("\r\n")
}

fn named(scenario: Option<&str>, of: &Table) -> Table {
    let has_tiers = of.groups.len() > 1 && of.column("tier").is_none();
    let mut columns = vec![Column::text("scenario", "scenario"), Column::text("table", "table")];
    let (first, others) = of.columns.split_at(1.min(of.columns.len()));
    columns.extend_from_slice(first);
    if has_tiers {
        columns.push(Column::text("tier", "tier"));
    }
    columns.extend_from_slice(others);
    let line = |heading: Option<&str>, cells: &[Cell]| {
        let mut line = vec![Cell::text(scenario.unwrap_or_default()), Cell::text(&of.id)];
        let (first, others) = cells.split_at(1.min(cells.len()));
        line.extend_from_slice(first);
        if has_tiers {
            line.push(Cell::text(heading.unwrap_or_default()));
        }
        line.extend_from_slice(others);
        line
    };
    let rows = of.lines().map(|(heading, cells)| line(heading, cells)).collect();
    Table { columns, groups: vec![Group { heading: None, rows }], ..of.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_says_which_table_it_is_of() {
        let group = |heading: &str, name: &str, value: f64| Group {
            heading: Some(heading.to_owned()),
            rows: vec![vec![Cell::text(name), Cell::number("1", value)]],
        };
        let table = Table {
            id: "figures".to_owned(),
            columns: vec![Column::text("row", "row"), Column::number("p99, us", "p99_us")],
            groups: vec![group("controlled", "a,b", 1.5), group("native", "c", 2.0)],
            ..Table::default()
        };
        let text = several([(Some("mixed"), &table), (None, &table)]);
        assert_eq!(
            text,
            "scenario,table,row,tier,p99_us\r\nmixed,figures,\"a,b\",controlled,1.5\r\nmixed,figures,c,native,2\r\n\
             \r\n\
             scenario,table,row,tier,p99_us\r\n,figures,\"a,b\",controlled,1.5\r\n,figures,c,native,2\r\n"
        );
    }
}
