//! Whether the rows keep the contract, and where they do not.

use maud::{Markup, html};

use crate::model::{Cell, Column, Conformance, Deviation, Group, RowScore, Table};

use super::{
    table,
    words::{more, said},
};

/// The scores, and each row's deviations for those who ask.
pub(super) fn conformance(of: &Conformance) -> Markup {
    html! {
        section #conformance aria-labelledby="conformance-heading" {
            h2 #conformance-heading { "Conformance" }
            (table::table(&scores(of), "scores", "Conformance of the rows"))
            @for row in of.rows.iter().filter(|row| !row.deviations.is_empty()) {
                (more(&format!("Where {} deviates ({})", row.row, row.deviations.len()), &deviations(row)))
            }
        }
    }
}

fn scores(of: &Conformance) -> Table {
    let line = |row: &RowScore| {
        let raced = if row.is_broken { "no, because it does not hold" } else { "yes" };
        let count = row.deviations.len();
        let shown = if count == 0 { "-".to_owned() } else { count.to_string() };
        vec![
            Cell::text(&row.row),
            Cell::text(&row.score),
            Cell::text(raced),
            Cell::number(shown, count as f64),
        ]
    };
    Table {
        id: "scores".to_owned(),
        caption: "Cases of the suite that each row's very binary passes, of those that were judged (METHODOLOGY.md, \"What verified \
                  means\"), and in how many ways it deviates from the contract, as the registry lists."
            .to_owned(),
        columns: vec![
            Column::text("row", "row"),
            Column::text("passed", "passed"),
            Column::text("raced", "raced"),
            Column::number("deviations", "deviations"),
        ],
        groups: vec![Group { heading: None, rows: of.rows.iter().map(line).collect() }],
        ..Table::default()
    }
}

fn deviations(row: &RowScore) -> Markup {
    html! {
        dl.pairs {
            @for Deviation { why, cases } in &row.deviations {
                dt { (said(why)) }
                dd { (said(cases)) }
            }
        }
    }
}
