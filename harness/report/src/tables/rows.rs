//! What the rows are: one line each, with a column for each factor.

use race::registry::{Factors, Row};

use crate::model::{Cell, Column, Group, Table};

/// The table; without factors for records of before rows said what they are.
pub(crate) fn of(rows: &[Row]) -> Table {
    // A variant is what its row is, with another number of workers.
    let own = || rows.iter().filter(|row| row.variant.is_none());
    let has_factors = rows.iter().any(|row| row.factors.is_some());
    let mut columns = vec![Column::text("row", "row"), Column::text("tier", "tier")];
    if has_factors {
        columns
            .extend(Factors::NAMES.map(|name| Column::text(name, name.replace([' ', '-'], "_")).optional()));
    }
    columns.push(Column::text("about", "about"));
    let line = |row: &Row| {
        let mut cells = vec![Cell::text(&row.name), Cell::text(row.tier.to_string())];
        if has_factors {
            let unknown = || Factors::NAMES.map(|_| "unknown".to_owned());
            let values = row.factors.map_or_else(unknown, |factors| factors.values());
            cells.extend(values.map(Cell::text));
        }
        cells.push(Cell::text(&row.about));
        cells
    };
    Table {
        id: "rows".to_owned(),
        caption: "What the rows are, and what each does otherwise than the others.".to_owned(),
        columns,
        groups: vec![Group { heading: None, rows: own().map(line).collect() }],
        legend: Vec::new(),
        is_detail: true,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_nobody_said_of_a_row_is_unknown_and_where_nobody_said_anything_there_are_no_columns_for_it() {
        let given = Row::given("mine".to_owned(), vec!["x".to_owned()]);
        assert_eq!(of(std::slice::from_ref(&given)).columns.len(), 3);
        let example = r#"{"workers":"process","pinned":true,"accept":"shared-listener","io":"epoll","stealing":false,"placement":"inline"}"#;
        let factors = serde_json::from_str(example).unwrap();
        let table = of(&[given.clone(), Row { name: "theirs".to_owned(), factors: Some(factors), ..given }]);
        let cells = |at: usize| -> Vec<&str> {
            table.groups[0].rows[at][2..8].iter().map(|cell| cell.text.as_str()).collect()
        };
        assert_eq!(cells(0), ["unknown"; 6]);
        assert_eq!(cells(1), ["process", "yes", "shared-listener", "epoll", "no", "inline"]);
    }
}
